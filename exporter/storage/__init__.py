"""What outlives a restart: small states of collectors, in a directory that one exporter has for itself."""

from exporter.storage.directory import Storage, StorageError, Stored

__all__ = ["Storage", "StorageError", "Stored"]

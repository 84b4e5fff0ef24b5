"""Prometheus exporter for Flatfile, the data-import platform."""

__version__ = "0.1.0"

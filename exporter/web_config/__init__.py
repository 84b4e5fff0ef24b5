"""The web configuration file: TLS, users, headers and a rate limit for the exporter's HTTP server.

The file is that of Prometheus' exporter-toolkit (docs/web-configuration.md), read again whenever it changes.
"""

from exporter.web_config.gate import Gate, replace_headers
from exporter.web_config.tls import ListeningContext
from exporter.web_config.web_file import WebFile, both
from exporter.web_config.web_file import load as load_web

__all__ = ["Gate", "ListeningContext", "WebFile", "both", "load_web", "replace_headers"]

"""More than one exporter process, and another engine than Prometheus: real processes on loopback."""

"""Rules and dashboards against the real exporter, a real Prometheus and a real Alertmanager."""

"""Pictures of the committed dashboards, drawn with Grafana's own components over answers of a real Prometheus."""

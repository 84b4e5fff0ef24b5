"""The dashboards as code: one module a dashboard, written to `grafana/dashboards` by `python -m grafana.build`."""

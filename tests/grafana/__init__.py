"""Alert rules and dashboards: promtool, static checks, and end to end with a real Prometheus."""

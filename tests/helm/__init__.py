"""The Helm chart: its generated files, what Helm makes of it, and whether that runs."""

"""Flatfile's API: HTTP and Flatfile's own objects, nothing of Prometheus."""

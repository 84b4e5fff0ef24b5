"""Dashboards, alert rules and provisioning files, and what generates them."""

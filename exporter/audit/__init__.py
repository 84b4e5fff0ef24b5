"""The audit log: every event of every environment, with the people behind it, one line an event (docs/audit.md)."""

"""An account's state: one SQLite database, in memory or in a file."""

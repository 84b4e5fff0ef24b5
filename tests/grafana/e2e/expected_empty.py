"""Queries that have no answer while nothing is wrong. Named by title, wherever that panel is."""

TROUBLE = {
    "'Collector errors by reason', query A": "a line for each error that there was, and there was none",
}
"""Queries that have an answer when something is wrong, and must not have one while all is well."""

"""Queries that have no answer at times. Named by title, wherever that panel is."""

TROUBLE = {
    "'Agents gone within a day', query A": "a row for each agent that went in the last day, and none had",
    "'Collector errors per minute by reason', query A": "a line for each error that there was, and there was none",
}
"""Queries that have an answer when something is wrong, and must not have one while all is well."""

NO_ALERT = {
    "'Alerts firing', query B": "says that the rules are loaded and nothing fires; in the story something always does",
}
"""Queries that have an answer only while no alert fires. `test_dashboards_pods` sees them answered."""

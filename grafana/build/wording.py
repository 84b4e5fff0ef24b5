"""Sentences and line names that more than one dashboard uses."""

WITHHELD = (
    "nothing is known: the exporter could not ask Flatfile for longer than the collector's `max_age`, "
    "is down, or has this collector switched off. It does not mean zero."
)

ENVIRONMENT_LINE = "{{environment_name}} ({{environment_id}})"
AGENT_LINE = "{{environment_name}} / {{agent}}"

GONE = "no exporter has been scraped in the last minutes: it is down, or Prometheus cannot reach it."
STARTED = "nothing of the kind has happened since the exporter started, or the exporter is down."
NONE_YET = "none yet, or not known"

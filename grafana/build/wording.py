"""Sentences and line names that more than one dashboard uses."""

WITHHELD = (
    "the exporter is down, could not read this from Flatfile for longer than the collector's `max_age`, or has the collector "
    "disabled. It does not mean zero."
)

ENVIRONMENT_LINE = "{{environment_name}} ({{environment_id}})"
AGENT_LINE = "{{environment_name}} / {{agent}}"
LARGEST = " At most 20 lines: those with the largest values in the time range."

DOWN = "no exporter was scraped in the last minutes: it is down, or Prometheus cannot reach it."
NOTHING_YET = "nothing of the kind has happened since the exporter started, or the exporter is down."
NONE_YET = "none yet, or not known"

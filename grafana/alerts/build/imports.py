"""Alerts about what customers do: jobs that fail or hang, events that stop."""

from .parts import (
    ENVIRONMENT,
    NOT_KNOWN,
    PRODUCTION,
    REMEMBERED_ENVIRONMENT,
    THE_ENVIRONMENT,
    Rule,
    alert,
    by_production,
    last_known,
    query,
    remembered,
)

OF_ENVIRONMENT = ("account", "environment")
_LAST_EVENT = query(
    "max(last_over_time(flatfile_event_last_timestamp_seconds{account=%q,environment_id=%q}[1w]))",
    "account",
    "environment_id",
)


def rules() -> list[Rule]:
    return [
        *by_production(
            "FlatfileJobsFailing",
            last_known("environment:flatfile_jobs_failing:ratio", "> 0"),
            wait="failing_for",
            summary=f"Flatfile jobs fail in environment {THE_ENVIRONMENT}",
            description="{{ $value | humanizePercentage }} of the jobs that finished lately failed in environment "
            f"{THE_ENVIRONMENT}.",
            board="flatfile-environments",
            shows="flatfile_jobs",
            variables=OF_ENVIRONMENT,
        ),
        alert(
            "FlatfileJobOpenTooLong",
            remembered(
                "environment:flatfile_job_executing_age:seconds",
                "> <<job_executing_seconds>>",
                known="environment:flatfile_jobs_failing:ratio",
            ),
            wait="job_executing_for",
            severity="severity_warning",
            summary=f"A Flatfile job has been executing for long in environment {THE_ENVIRONMENT}",
            description=f"The oldest executing job of environment {THE_ENVIRONMENT} was created "
            "{{ if lt $value 0.0 }}long{{ else }}{{ $value | humanizeDuration }}{{ end }} ago."
            f"{NOT_KNOWN}",
            board="flatfile-overview",
            shows="flatfile_job_oldest_open_timestamp_seconds",
            variables=OF_ENVIRONMENT,
        ),
        alert(
            "FlatfileEventsSilent",
            # Once it is silent it stays so until an event comes, whatever is usual by then.
            f"""\
(
  max_over_time(environment:flatfile_events_silent:timestamp[<<silent_days>>])
  > on ({ENVIRONMENT})
  max_over_time(environment:flatfile_events_seen:timestamp[30d])
)
and on ({ENVIRONMENT}) {PRODUCTION}
and on ({ENVIRONMENT}) {REMEMBERED_ENVIRONMENT}""",
            wait="silent_for",
            severity="severity_warning",
            summary=f"No more Flatfile events in environment {THE_ENVIRONMENT}",
            description=f"Environment {THE_ENVIRONMENT} has no events (cron's not counted) at a time when it usually has some. "
            f"Last event of any kind: {{{{ range {_LAST_EVENT} }}}}{{{{ .Value | humanizeTimestamp }}}}{{{{ else }}}}"
            "not known{{ end }}.",
            board="flatfile-events",
            shows="flatfile_event_last_timestamp_seconds",
            variables=OF_ENVIRONMENT,
        ),
    ]

"""Alerts about agents: is everything deployed that should be, and does it run."""

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

BOARD = "flatfile-agents"
OF_ENVIRONMENT = ("account", "environment")

_MISSING = "agent:flatfile_agent_missing:min"
_EXPECTED_MISSING = f"(last_over_time({_MISSING}[<<memory>>]) == 1)"
_OWN_AGENTS = "environment:flatfile_agents:max"
_GONE = query(
    'group by (agent) (last_over_time(flatfile_agent_info{account=%[1]q,environment_id=%[2]q,system="false"}[<<memory>>]))'
    " unless on (agent) flatfile_agent_info{account=%[1]q,environment_id=%[2]q}",
    "account",
    "environment_id",
)

_ENVIRONMENT_GONE = f"""\
(
  max_over_time(environment:flatfile_production_seen:timestamp[<<memory>>]) + <<environment_gone_after>>
  < on (account) group_left ()
  max_over_time(account:flatfile_environments_seen:timestamp[<<memory>>])
)
unless on ({ENVIRONMENT}) flatfile_environment_info
unless on ({ENVIRONMENT}) last_over_time(flatfile_environment_info{{production="false"}}[<<memory>>])"""

# Production environments that had agents and have none, where no alert on expected agents says so.
_LOST = f"""\
(
  last_over_time({_OWN_AGENTS}[<<memory>>]) == 0
  and on ({ENVIRONMENT}) max_over_time({_OWN_AGENTS}[<<memory>>]) > 0
)
unless on ({ENVIRONMENT}) {_EXPECTED_MISSING}
unless on ({ENVIRONMENT}) (last_over_time(flatfile_agents_expected_min[<<restart>>]) > 0)
and on ({ENVIRONMENT}) {PRODUCTION}
and on ({ENVIRONMENT}) {REMEMBERED_ENVIRONMENT}"""


def rules() -> list[Rule]:
    return [
        *by_production(
            "FlatfileAgentMissing",
            remembered(_MISSING, "== 1", known=_OWN_AGENTS),
            wait="agent_missing_for",
            summary=f"Flatfile agent {{{{ $labels.agent }}}} is missing in environment {THE_ENVIRONMENT}",
            description=f"The configuration expects agent {{{{ $labels.agent }}}} in environment {THE_ENVIRONMENT}, and Flatfile "
            f"does not list it there. Imports that need it do not work.{NOT_KNOWN}",
            board=BOARD,
            shows="flatfile_agent_missing",
            variables=OF_ENVIRONMENT,
        ),
        *by_production(
            "FlatfileAgentsBelowMinimum",
            "(\n"
            + remembered("environment:flatfile_agents_above_minimum:difference", "< 0", known=_OWN_AGENTS)
            + f"\n)\nunless on ({ENVIRONMENT}) {_EXPECTED_MISSING}",
            wait="agents_below_minimum_for",
            summary=f"Too few Flatfile agents in environment {THE_ENVIRONMENT}",
            description=f"Environment {THE_ENVIRONMENT} has fewer agents than the configured minimum of {{{{ range "
            + query("max(flatfile_agents_expected_min{account=%q,environment_id=%q})", "account", "environment_id")
            + " }}{{ .Value }}{{ else }}min{{ end }}. Gone within the last day: {{ range "
            + _GONE
            + f" }}}}{{{{ .Labels.agent }}}} {{{{ else }}}}none {{{{ end }}}}(system agents do not count).{NOT_KNOWN}",
            board=BOARD,
            shows="flatfile_agents_expected_min",
            variables=OF_ENVIRONMENT,
        ),
        alert(
            "FlatfileProductionLostAllAgents",
            _LOST,
            wait="agents_lost_for",
            severity="severity_production",
            critical=True,
            summary=f"No Flatfile agent is left in environment {THE_ENVIRONMENT}",
            description=f"Environment {THE_ENVIRONMENT} is for production, had agents within the last day and has none. "
            f"Files are accepted and not processed. Gone: {{{{ range {_GONE} }}}}{{{{ .Labels.agent }}}} {{{{ end }}}}",
            board=BOARD,
            shows="flatfile_agents",
            variables=OF_ENVIRONMENT,
        ),
        *by_production(
            "FlatfileAgentRunsFailing",
            remembered(
                "agent:flatfile_agent_runs_failing:ratio",
                "> 0",
                known="environment:flatfile_agent_queue_lag_seconds:p90",
            ),
            wait="failing_for",
            summary=f"Runs of Flatfile agent {{{{ $labels.agent }}}} fail in environment {THE_ENVIRONMENT}",
            description="{{ if lt $value 0.0 }}Too many{{ else }}{{ $value | humanizePercentage }}{{ end }} of the latest runs "
            f"of agent {{{{ $labels.agent }}}} failed in environment {THE_ENVIRONMENT}.{NOT_KNOWN}",
            board=BOARD,
            shows="flatfile_agent_executions_total",
            variables=OF_ENVIRONMENT,
        ),
        alert(
            "FlatfileAgentQueueLag",
            last_known("environment:flatfile_agent_queue_lag_seconds:p90", "> <<queue_lag_seconds>>"),
            wait="queue_lag_for",
            severity="severity_warning",
            summary=f"Events wait too long for Flatfile agents in environment {THE_ENVIRONMENT}",
            description="One event in ten waited {{ $value | humanizeDuration }} or longer for its agent to start in environment "
            f"{THE_ENVIRONMENT}.",
            board=BOARD,
            shows="flatfile_agent_queue_lag_seconds_bucket",
            variables=OF_ENVIRONMENT,
        ),
        alert(
            "FlatfileExpectedEnvironmentMissing",
            "(\n"
            + remembered(
                "account:flatfile_expected_environment_missing:max",
                "== 1",
                known="account:flatfile_environments:sum",
                on="account",
            )
            + "\n)\nunless on (account, environment_name) (\n"
            "  last_over_time(flatfile_environment_info[<<memory>>])\n"
            f"  and on ({ENVIRONMENT}) (\n{_ENVIRONMENT_GONE}\n  )\n)",
            wait="environment_missing_for",
            severity="severity_warning",
            summary="Flatfile account {{ $labels.account }} has no environment {{ $labels.environment_name }}, though agents are "
            "expected in it",
            description="The configuration expects agents in environment {{ $labels.environment_name }} of account "
            f"{{{{ $labels.account }}}}, and Flatfile lists no environment of that name or id.{NOT_KNOWN}",
            board="flatfile-environments",
            shows="flatfile_environment_info",
        ),
        alert(
            "FlatfileEnvironmentGone",
            _ENVIRONMENT_GONE,
            wait="environment_missing_for",
            severity="severity_environment_gone",
            critical=True,
            summary=f"Flatfile environment {THE_ENVIRONMENT} is gone",
            description=f"Production environment {THE_ENVIRONMENT} was listed within the last day. Flatfile or the "
            "exporter's configuration does not have it any more.",
            board="flatfile-environments",
            shows="flatfile_environment_info",
            variables=OF_ENVIRONMENT,
        ),
    ]

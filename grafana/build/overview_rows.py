"""The lower rows of the overview: what needs attention, what changed, people, and what the words mean."""

from . import colours, jobs, links, runs
from .expressions import ENVIRONMENT, ENVIRONMENT_KEY, increase, of_account, of_environment, once, selector, total
from .frame import FIRING, Row
from .links import of_row, of_series, with_all_variables
from .panels import COUNT, About, Query, graph, prose
from .tables import ENVIRONMENT_COLUMN, ID_COLUMNS, Column, Label, rows
from .wording import ENVIRONMENT_LINE, WITHHELD

_alerts = f"max by (alertname, severity, account, environment_id, agent, collector) ({FIRING})"
_key = f"on ({', '.join(ENVIRONMENT_KEY)})"
# One name for each id, though an exporter may not have seen yet that an environment was renamed.
_names = f"topk by (account, environment_id) (1, {once(selector('flatfile_environment_info'), ENVIRONMENT)})"
_firing_with_names = f"{_alerts} * {_key} group_left (environment_name) {_names} or {_alerts} unless {_key} {_names}"

_to_environments = with_all_variables("Where: environments", links.ENVIRONMENTS)
_to_agents = with_all_variables("Which: agents", links.AGENTS)

WORK = Row(
    "Does the work get done?",
    [
        jobs.oldest_open_job(5, _to_environments),
        jobs.failed_jobs(4, _to_environments),
        jobs.failed_share(5, _to_environments),
        runs.failed_share(5, _to_agents),
        runs.longest_wait(5, _to_agents),
    ],
)

NOW = Row(
    "What needs attention?",
    [
        rows(
            About(
                "Alerts firing now",
                "One line for each alert. The alert's own annotations link to what to do about it.",
                "no alert is firing, or the alert rules are not loaded in this Prometheus.",
                "No alert is firing",
            ),
            {"alertname": Label("Alert", width=260)},
            [Column("Firing", _firing_with_names, shown=False)],
            {
                "severity": Label("Severity", width=110),
                **ENVIRONMENT_COLUMN,
                "agent": Label("Agent"),
                "collector": Label("Collector"),
                "account": Label("Account", width=90),
                "environment_id": Label("Environment ID", least=140),
            },
            sort="Severity",
            width=14,
            height=8,
        ),
        rows(
            About(
                "Latest deployments",
                "The ten agents that were deployed last, newest first (`flatfile_agent_updated_timestamp_seconds`).",
                WITHHELD,
            ),
            {**ENVIRONMENT_COLUMN, "agent": "Agent"},
            [
                Column(
                    "Deployed",
                    "topk(10, "
                    + once(of_environment("flatfile_agent_updated_timestamp_seconds"), (*ENVIRONMENT, "agent"))
                    + ") * 1000",
                    unit="dateTimeFromNow",
                    width=130,
                )
            ],
            {**ID_COLUMNS, "account": Label("Account", width=90)},
            links=[of_row("This environment's agents", links.AGENTS)],
            sort="Deployed",
            descending=True,
            width=10,
            height=8,
        ),
    ],
)

_spaces = once(of_environment("flatfile_spaces", 'state="active"'), ENVIRONMENT)
_guests = once(of_environment("flatfile_guests"), ENVIRONMENT)
_before_spaces = once(of_environment("flatfile_spaces", 'state="active"') + " offset $__range", ENVIRONMENT_KEY)
_before_guests = once(of_environment("flatfile_guests") + " offset $__range", ENVIRONMENT_KEY)

CHANGES = Row(
    "What changed?",
    [
        graph(
            About(
                "Events a second by environment",
                "Events a second (c/s), by their own time of creation. A line that falls to 0 and stays there is an "
                "environment that has gone silent; a line that ends is one that is not known.",
                WITHHELD,
            ),
            [
                Query(
                    total(of_environment("flatfile_events_per_second"), ENVIRONMENT, over=("topic",)),
                    ENVIRONMENT_LINE,
                )
            ],
            "cps",
            links=[of_series("This environment's events", links.EVENTS)],
        ),
        graph(
            About(
                "Active spaces by environment",
                "Spaces that are neither archived nor expired. The deployments of agents are marked on every graph.",
                WITHHELD,
            ),
            [Query(_spaces, ENVIRONMENT_LINE)],
            COUNT,
            links=[of_series("This environment", links.ENVIRONMENTS)],
        ),
        rows(
            About(
                "Environments and their change",
                "Each environment now, and how much its active spaces and guests changed since the beginning of the "
                "time range. Failed jobs and their share are those of the last 24 hours. Click on a name for more.",
                "nothing is known of the environments. An empty cell is a value that is not known, then or now.",
            ),
            ENVIRONMENT_COLUMN,
            [
                Column("Active spaces", _spaces, width=120),
                Column("Change of spaces", f"{_spaces} - {_key} group_left () {_before_spaces}", width=140),
                Column("Guests", _guests, width=80),
                Column("Change of guests", f"{_guests} - {_key} group_left () {_before_guests}", width=140),
                Column(
                    "Events in range",
                    total(increase(of_environment("flatfile_events_total")), ENVIRONMENT, over=("topic",)),
                    decimals=0,
                    width=125,
                ),
                Column(
                    "Failed jobs",
                    once(of_environment("flatfile_jobs", 'status="failed"'), ENVIRONMENT),
                    width=95,
                ),
                Column(
                    "Failed share",
                    jobs.share_of_environments(),
                    unit="percentunit",
                    decimals=1,
                    steps=colours.steps(*jobs.SHARE_STEPS, base="text"),
                    width=110,
                ),
                Column("Agents", total(of_environment("flatfile_agents"), ENVIRONMENT, over=("system",)), width=80),
                Column(
                    "Last activity",
                    once(of_environment("flatfile_environment_last_activity_timestamp_seconds"), ENVIRONMENT)
                    + " * 1000",
                    unit="dateTimeFromNow",
                    width=145,
                ),
            ],
            ID_COLUMNS,
            links=[
                of_row("Spaces, guests and jobs", links.ENVIRONMENTS),
                of_row("Agents", links.AGENTS),
                of_row("Events", links.EVENTS),
            ],
            sort="Environment",
            height=7,
        ),
    ],
)

PEOPLE = Row(
    "People",
    [
        graph(
            About(
                "Users seen lately",
                "Members of the account's team whose last visit lies within the last day, 7 days and 30 days, beside "
                "all of them.",
                WITHHELD,
            ),
            [
                Query(
                    total(of_account("flatfile_users_active"), ("window",), over=("account",)), "seen within {{window}}"
                ),
                Query(total(of_account("flatfile_users"), over=("account",)), "all users"),
            ],
            COUNT,
            lines=colours.WINDOWS | {"all users": colours.MUTED},
            dashed=["all users"],
        ),
        rows(
            About(
                "Accounts",
                "The Flatfile accounts that the exporter watches, with their own ids and names at Flatfile.",
                "no account has been reached yet.",
                "none reached yet",
            ),
            {"account": "Account", "account_name": "Name at Flatfile"},
            [
                Column(
                    "Known",
                    once(of_account("flatfile_account_info"), ("account", "account_id", "account_name")),
                    shown=False,
                )
            ],
            {"account_id": "Account ID"},
            sort="Account",
            width=12,
            height=9,
        ),
    ],
    collapsed=True,
)

WORDS = Row(
    "The words on these dashboards",
    [
        prose(
            "Flatfile in one minute",
            """Flatfile takes in other people's data files and helps to put them right.

| word | meaning |
| --- | --- |
| **account** | one customer of Flatfile: usually your company. The name is the one in the exporter's configuration |
| **environment** | a closed-off part of an account (such as `development`, `production`); everything below belongs to one |
| **space** | one workplace, often for one customer, where files are uploaded and data is checked |
| **guest** | a person from outside who is invited to spaces; a **user** is a member of your own team |
| **agent** | a program, yours or Flatfile's, deployed to an environment: it reacts to events, checks, changes, imports data |
| **event** | a note that something happened. Its **topic** says what: `job:failed` is of the family `job` |
| **job** | a piece of work, such as reading a file; it is open until it is complete, failed or canceled |

A value that is *not known* is never drawn as zero: a line has a gap, a number says so.""",
            height=11,
        )
    ],
    collapsed=True,
)

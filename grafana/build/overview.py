"""The first look: is all well, does the work get done, which alerts are firing, how much is there."""

from . import alerts, colours, jobs, links, runs
from .agents import missing_agents
from .collectors import failing_collectors, oldest_data
from .exporter import reachable
from .expressions import ENVIRONMENT, ENVIRONMENT_KEY, counted, of_account, of_environment, once, rate, total
from .frame import Board, Row
from .links import DataLink, of_row, with_all_variables
from .overview_rows import GLOSSARY, PEOPLE, TRENDS
from .panels import COUNT, About, Placed, figure
from .tables import ENVIRONMENT_COLUMN, ID_COLUMNS, Label, ago, rows
from .wording import WITHHELD

_to_exporter = with_all_variables("Exporter", links.EXPORTER)
_to_environments = with_all_variables("Environments", links.ENVIRONMENTS)
_to_agents = with_all_variables("Agents", links.AGENTS)

_listed = once(of_environment("flatfile_environment_info"), ENVIRONMENT_KEY)
_with_data = " and ".join(once(of_environment(m), ENVIRONMENT_KEY) for m in ("flatfile_spaces", "flatfile_agents"))
_gaps = f"count({_listed}) - (count({_listed} and {_with_data}) or count({_listed}) * 0)"

HEALTH = Row(
    "Health",
    [
        reachable(4, _to_exporter),
        alerts.firing(4),
        missing_agents(4, _to_agents),
        failing_collectors(4, _to_exporter),
        figure(
            About(
                "Environments with gaps",
                "Environments whose spaces or agents are not known at present. Sums on these dashboards leave them out, so a "
                "total may be too small while this is not 0. If one of the two collectors is disabled, every environment counts.",
                "not even the list of environments is known.",
            ),
            _gaps,
            words={"0": ("None", colours.QUIET)},
            steps=colours.limits(1),
            width=4,
        ),
        oldest_data(4, _to_exporter),
    ],
)

WORK = Row(
    "Work",
    [
        jobs.oldest_job(5, _to_environments),
        jobs.failed_jobs(4, _to_environments),
        jobs.job_failure_ratio(6, _to_environments),
        runs.failure_ratio_of_runs(5, _to_agents),
        runs.queue_lag(4, _to_agents),
    ],
)

ALERTS = Row(
    "Alerts and deployments",
    [
        alerts.table(24),
        alerts.over_time(14),
        rows(
            About(
                "Latest agent deployments",
                "The ten agents that were deployed last, the newest first (`flatfile_agent_updated_timestamp_seconds`).",
                WITHHELD,
            ),
            {**ENVIRONMENT_COLUMN, "agent": "Agent"},
            [
                ago(
                    "Deployed",
                    f"topk(10, {once(of_environment('flatfile_agent_updated_timestamp_seconds'), (*ENVIRONMENT, 'agent'))})",
                )
            ],
            {**ID_COLUMNS, "account": Label("Account", width=90)},
            links=[of_row("This environment's agents", links.AGENTS)],
            sort="Deployed",
            descending=True,
            width=10,
            height=7,
        ),
    ],
)


def _number(title: str, shows: str, expr: str, link: DataLink | None = None, *, trend: bool = True) -> Placed:
    return figure(About(title, shows, WITHHELD), expr, COUNT, trend=trend, decimals=0, link=link)


INVENTORY = Row(
    "Inventory",
    [
        _number(
            "Environments",
            "An environment is a separate part of an account, such as `development` and `production`, with its own spaces, "
            "agents and guests. Counts the environments of the chosen accounts.",
            total(of_account("flatfile_environments"), over=("account", "production")),
            _to_environments,
        ),
        _number(
            "Active spaces",
            "A space is a workplace where people upload and correct data. Counts spaces that are neither archived nor expired.",
            total(of_environment("flatfile_spaces", 'state="active"'), over=ENVIRONMENT_KEY),
            _to_environments,
        ),
        _number(
            "Guests",
            "Guests are people from outside (usually a customer's own customers) who are invited to spaces. Each is counted once "
            "in an environment, however many spaces it is in.",
            total(of_environment("flatfile_guests"), over=ENVIRONMENT_KEY),
        ),
        _number(
            "Users",
            "Members of the account's own team, of the whole account (whichever environments are chosen).",
            total(of_account("flatfile_users"), over=("account",)),
        ),
        _number(
            "Deployed agents",
            "Agents in the chosen environments, your own and Flatfile's.",
            total(of_environment("flatfile_agents"), over=(*ENVIRONMENT_KEY, "system")),
            _to_agents,
        ),
        _number(
            "Events",
            "An event is Flatfile's record that something happened, such as `job:completed` or `space:created`. Counts those of "
            "the time range; what happened before the exporter started is not counted.",
            counted(total(rate(of_environment("flatfile_events_total")), over=(*ENVIRONMENT_KEY, "topic"))),
            with_all_variables("Events", links.EVENTS),
            trend=False,
        ),
    ],
)

BOARD = Board(
    links.OVERVIEW,
    "Flatfile / Overview",
    "Is all well with the Flatfile accounts, does the work get done, how much is there, and what changed.",
    [HEALTH, WORK, ALERTS, INVENTORY, TRENDS, PEOPLE, GLOSSARY],
)

"""The environments one by one: spaces by state, guests, events, jobs, and single spaces where they are exported."""

from . import colours, links
from .expressions import ENVIRONMENT, ENVIRONMENT_KEY, age, of_account, of_environment, once, rate, total
from .frame import Board, Row
from .links import of_row, of_series, with_all_variables
from .panels import About, Query, figure, graph
from .tables import ID_COLUMNS, Column, rows
from .wording import ENVIRONMENT_LINE, WITHHELD

OPEN_JOBS = 'status!~"complete|failed|canceled"'
STATES = {"active": colours.GOOD, "archived": colours.MUTED, "expired": colours.WARNING}
PER_SPACE = (
    "single spaces are exported only with `spaces.per_space: true` in the exporter's configuration. Where that is set: "
)


def _count(metric: str, *matchers: str, by: tuple[str, ...] = ()) -> str:
    """The sum of all chosen environments."""
    return total(of_environment(metric, *matchers), by, over=ENVIRONMENT_KEY)


SUMS = Row(
    "All chosen environments together",
    [
        figure(
            About(
                "Environments by kind",
                "How many environments the chosen accounts have: production ones (`true`), where real customers work, "
                "and others (`false`).",
                WITHHELD,
            ),
            total(of_account("flatfile_environments"), ("production",), over=("account",)),
            "short",
            legend="production: {{production}}",
            width=6,
        ),
        figure(
            About(
                "Spaces by state",
                "A space is one workplace where people upload and check data. Active: in use. Archived: put away by "
                "somebody. Expired: its data was removed by the retention policy, though it is still listed.",
                WITHHELD,
            ),
            _count("flatfile_spaces", by=("state",)),
            "short",
            legend="{{state}}",
            width=8,
        ),
        figure(
            About(
                "Idle spaces",
                "Active spaces in which nothing has happened for the time named (`spaces.inactive_after`): candidates "
                "for archiving.",
                WITHHELD,
            ),
            _count("flatfile_spaces_inactive", by=("idle",)),
            "short",
            legend="idle for {{idle}}",
            width=5,
        ),
        figure(
            About(
                "Open jobs",
                "Jobs created in the last 24 hours (`jobs.window`) that are neither complete, failed nor canceled.",
                WITHHELD,
            ),
            _count("flatfile_jobs", OPEN_JOBS),
            "short",
            trend=True,
            width=5,
        ),
    ],
)

EACH = Row(
    "Each environment",
    [
        rows(
            About(
                "Environments",
                "One line for each environment. Idle: active spaces without activity for that long. Guests in spaces "
                "counts a guest once for each space. Click on a name for its agents and events.",
                "the environments are not known. An empty cell is a value that is not known; for the two last columns "
                "also that there never was a space, or activity in one.",
                "–",
            ),
            {"environment": "Environment", "production": "Production"},
            [
                Column(
                    "Listed",
                    once(of_environment("flatfile_environment_info"), (*ENVIRONMENT, "production")),
                    shown=False,
                ),
                Column("Active spaces", once(of_environment("flatfile_spaces", 'state="active"'), ENVIRONMENT)),
                Column("Archived", once(of_environment("flatfile_spaces", 'state="archived"'), ENVIRONMENT)),
                Column("Expired", once(of_environment("flatfile_spaces", 'state="expired"'), ENVIRONMENT)),
                Column("Idle 30 days", once(of_environment("flatfile_spaces_inactive", 'idle="30d"'), ENVIRONMENT)),
                Column("Idle 90 days", once(of_environment("flatfile_spaces_inactive", 'idle="90d"'), ENVIRONMENT)),
                Column("Files", once(of_environment("flatfile_files"), ENVIRONMENT)),
                Column("Workbooks", once(of_environment("flatfile_workbooks"), ENVIRONMENT)),
                Column("Guests", once(of_environment("flatfile_guests"), ENVIRONMENT)),
                Column("Guests in spaces", once(of_environment("flatfile_guest_memberships"), ENVIRONMENT)),
                Column(
                    "Guests seen in 7 days", once(of_environment("flatfile_guests_active", 'window="7d"'), ENVIRONMENT)
                ),
                Column(
                    "Newest space",
                    once(of_environment("flatfile_environment_last_space_created_timestamp_seconds"), ENVIRONMENT)
                    + " * 1000",
                    unit="dateTimeFromNow",
                ),
                Column(
                    "Last activity",
                    once(of_environment("flatfile_environment_last_activity_timestamp_seconds"), ENVIRONMENT)
                    + " * 1000",
                    unit="dateTimeFromNow",
                ),
            ],
            ID_COLUMNS,
            links=[
                of_row("Only this environment", links.ENVIRONMENTS),
                of_row("Its agents", links.AGENTS),
                of_row("Its events", links.EVENTS),
            ],
            sort="Environment",
        )
    ],
)

SPACES = Row(
    "Spaces",
    [
        graph(
            About(
                "Spaces by state over time",
                "All chosen environments together. Expired spaces grow when the retention policy removes data.",
                WITHHELD,
            ),
            [Query(_count("flatfile_spaces", by=("state",)), "{{state}}")],
            "short",
            lines=STATES,
            many=False,
            width=8,
        ),
        graph(
            About("Active spaces by environment", "Spaces that are neither archived nor expired.", WITHHELD),
            [Query(once(of_environment("flatfile_spaces", 'state="active"'), ENVIRONMENT), ENVIRONMENT_LINE)],
            "short",
            links=[of_series("Only this environment", links.ENVIRONMENTS)],
            width=8,
        ),
        graph(
            About(
                "Idle spaces by environment",
                "Active spaces in which nothing has happened for the longest of the configured times (90 days by "
                "default). A line that only grows says that nobody tidies up.",
                WITHHELD,
            ),
            [Query(once(of_environment("flatfile_spaces_inactive", 'idle="90d"'), ENVIRONMENT), ENVIRONMENT_LINE)],
            "short",
            links=[of_series("Only this environment", links.ENVIRONMENTS)],
            width=8,
        ),
    ],
)

PEOPLE = Row(
    "Guests",
    [
        graph(
            About("Guests by environment", "People from outside who are invited to at least one space.", WITHHELD),
            [Query(once(of_environment("flatfile_guests"), ENVIRONMENT), ENVIRONMENT_LINE)],
            "short",
            links=[of_series("Only this environment", links.ENVIRONMENTS)],
        ),
        graph(
            About(
                "Guests seen lately",
                "Guests whose last visit to any space lies within the last day, 7 days and 30 days, all chosen "
                "environments together.",
                WITHHELD,
            ),
            [
                Query(_count("flatfile_guests_active", by=("window",)), "seen within {{window}}"),
                Query(_count("flatfile_guests"), "all guests"),
            ],
            "short",
            lines=colours.WINDOWS | {"all guests": colours.MUTED},
            dashed=["all guests"],
            many=False,
        ),
    ],
)

WORK = Row(
    "Jobs and events",
    [
        graph(
            About(
                "Jobs of the last 24 hours by status",
                "Each job created in the window (`jobs.window`), by what has become of it. Failed jobs need a look; "
                "executing or ready ones that only grow are a jam.",
                WITHHELD,
            ),
            [Query(_count("flatfile_jobs", by=("status",)), "{{status}}")],
            "short",
            lines={"complete": colours.GOOD, "failed": colours.BAD, "canceled": colours.MUTED},
            width=8,
        ),
        graph(
            About(
                "Age of the oldest open job",
                "How long ago the oldest job was created that is not complete, failed or canceled. A steadily rising "
                "line is a job that hangs.",
                "no job is open, or the jobs are not known.",
                "none open, or not known",
            ),
            [
                Query(
                    age(once(of_environment("flatfile_job_oldest_open_timestamp_seconds"), ENVIRONMENT)),
                    ENVIRONMENT_LINE,
                )
            ],
            "s",
            links=[of_series("Only this environment", links.ENVIRONMENTS)],
            width=8,
        ),
        graph(
            About(
                "Events a second by topic",
                "What happens in the chosen environments: events a second (c/s) by topic, topics without any left out.",
                "no event happened, or " + WITHHELD,
                "none, or not known",
            ),
            [
                Query(
                    total(rate(of_environment("flatfile_events_total")), ("topic",), over=ENVIRONMENT_KEY) + " > 0",
                    "{{topic}}",
                )
            ],
            "cps",
            width=8,
        ),
    ],
)

_space = (*ENVIRONMENT, "space_id")

SINGLE = Row(
    "Single spaces",
    [
        rows(
            About(
                "Spaces, most recently active first",
                "One line for each space, at most `spaces.max_series` (1000) an account, the most recently active ones.",
                PER_SPACE + WITHHELD,
                "–",
            ),
            {"environment": "Environment", "space": "Space", "state": "State", "app_id": "App ID"},
            [
                Column(
                    "Listed",
                    once(of_environment("flatfile_space_info"), (*_space, "space", "state", "app_id")),
                    shown=False,
                ),
                Column("Guests", once(of_environment("flatfile_space_guests"), _space)),
                Column("Files", once(of_environment("flatfile_space_files"), _space)),
                Column("Workbooks", once(of_environment("flatfile_space_workbooks"), _space)),
                Column(
                    "Last activity",
                    once(of_environment("flatfile_space_last_activity_timestamp_seconds"), _space) + " * 1000",
                    unit="dateTimeFromNow",
                ),
            ],
            {"space_id": "Space ID", **ID_COLUMNS},
            links=[of_row("Only this environment", links.ENVIRONMENTS)],
            sort="Last activity",
            descending=True,
            width=18,
        ),
        figure(
            About(
                "Left out of this list",
                "Spaces (or other series) that were not exported because there were more than the limit, by collector.",
                PER_SPACE + WITHHELD,
                "not exported",
            ),
            once(of_account("flatfile_exporter_series_dropped"), ("account", "collector")),
            "short",
            legend="{{account}}: {{collector}}",
            steps=colours.steps((0, colours.GOOD), (1, colours.WARNING)),
            link=with_all_variables("The exporter", links.EXPORTER),
            width=6,
            height=10,
        ),
    ],
    collapsed=True,
)

BOARD = Board(
    links.ENVIRONMENTS,
    "Flatfile / Environments",
    "Spaces by state, guests, jobs and events of each environment.",
    [SUMS, EACH, SPACES, PEOPLE, WORK, SINGLE],
)

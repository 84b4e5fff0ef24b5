"""The environments one by one: spaces by state, guests, events, jobs, and single spaces where they are exported."""

from . import colours, links
from .expressions import ENVIRONMENT, ENVIRONMENT_KEY, of_account, of_environment, once, total, where_any
from .frame import Board, Row
from .jobs import JOBS
from .links import of_row, of_series
from .panels import COUNT, About, Query, figure, graph
from .single_spaces import SINGLE_SPACES
from .tables import ENVIRONMENT_COLUMN, ID_COLUMNS, Column, Label, rows
from .wording import ENVIRONMENT_LINE, WITHHELD

STATES = {"active": colours.GOOD, "archived": colours.MUTED, "expired": colours.WARNING}


def _count(metric: str, *matchers: str, by: tuple[str, ...] = ()) -> str:
    """The sum of all chosen environments."""
    return total(of_environment(metric, *matchers), by, over=ENVIRONMENT_KEY)


def _each(title: str, width: int, metric: str, *matchers: str) -> Column:
    """A column with one count of each environment."""
    return Column(title, once(of_environment(metric, *matchers), ENVIRONMENT), width=width)


SUMS = Row(
    "All chosen environments together",
    [
        figure(
            About(
                "Environments by kind",
                "How many environments the chosen accounts have: those marked as production, where real customers work, "
                "and others.",
                WITHHELD,
            ),
            total(of_account("flatfile_environments"), ("production",), over=("account",)),
            COUNT,
            legend="{{production}}",
            names={"true": "production", "false": "others"},
            width=7,
        ),
        figure(
            About(
                "Spaces by state",
                "A space is one workplace where people upload and check data. Active: in use. Archived: put away by "
                "somebody. Expired: its data was removed by the retention policy, though it is still listed.",
                WITHHELD,
            ),
            _count("flatfile_spaces", by=("state",)),
            COUNT,
            legend="{{state}}",
            width=10,
        ),
        figure(
            About(
                "Idle spaces",
                "Active spaces in which nothing has happened for the time named (`spaces.inactive_after`): candidates "
                "for archiving.",
                WITHHELD,
            ),
            _count("flatfile_spaces_inactive", by=("idle",)),
            COUNT,
            legend="idle for {{idle}}",
            width=7,
        ),
    ],
)

EACH = Row(
    "Each environment",
    [
        rows(
            About(
                "Environments",
                "One line for each environment. Active, archived, expired: its spaces by state. Idle 30 d: active "
                "spaces without activity for 30 days. Memberships counts a guest once for each space. Click on a name "
                "for its agents and events.",
                "the environments are not known. A dash is a value that is not known; in the two last columns of "
                "times also that there never was a space, or activity in one.",
            ),
            {**ENVIRONMENT_COLUMN, "production": Label("Kind", {"true": "production", "false": "other"}, width=100)},
            [
                Column(
                    "Listed",
                    once(of_environment("flatfile_environment_info"), (*ENVIRONMENT, "production")),
                    shown=False,
                ),
                _each("Active", 75, "flatfile_spaces", 'state="active"'),
                _each("Archived", 85, "flatfile_spaces", 'state="archived"'),
                _each("Expired", 80, "flatfile_spaces", 'state="expired"'),
                _each("Idle 30 d", 85, "flatfile_spaces_inactive", 'idle="30d"'),
                _each("Files", 75, "flatfile_files"),
                _each("Workbooks", 100, "flatfile_workbooks"),
                _each("Guests", 80, "flatfile_guests"),
                _each("Memberships", 115, "flatfile_guest_memberships"),
                Column(
                    "Newest space",
                    once(of_environment("flatfile_environment_last_space_created_timestamp_seconds"), ENVIRONMENT)
                    + " * 1000",
                    unit="dateTimeFromNow",
                    width=145,
                ),
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
                of_row("Only this environment", links.ENVIRONMENTS),
                of_row("Its agents", links.AGENTS),
                of_row("Its events", links.EVENTS),
            ],
            sort="Environment",
            height=7,
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
            COUNT,
            lines=STATES,
            many=False,
            width=8,
        ),
        graph(
            About("Active spaces by environment", "Spaces that are neither archived nor expired.", WITHHELD),
            [Query(once(of_environment("flatfile_spaces", 'state="active"'), ENVIRONMENT), ENVIRONMENT_LINE)],
            COUNT,
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
            COUNT,
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
            COUNT,
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
            COUNT,
            lines=colours.WINDOWS | {"all guests": colours.MUTED},
            dashed=["all guests"],
            many=False,
        ),
    ],
)

EVENTS = Row(
    "Events",
    [
        graph(
            About(
                "Events a second by topic",
                "What happens in the chosen environments: events a second (c/s) by topic. Topics without any event in "
                "the time range are left out.",
                "no event happened, or " + WITHHELD,
                "none, or not known",
            ),
            [
                Query(
                    where_any(
                        lambda over: total(
                            over(of_environment("flatfile_events_total")), ("topic",), over=ENVIRONMENT_KEY
                        ),
                        ("topic",),
                    ),
                    "{{topic}}",
                )
            ],
            "cps",
            width=24,
        )
    ],
)

BOARD = Board(
    links.ENVIRONMENTS,
    "Flatfile / Environments",
    "Spaces by state, guests, jobs and events of each environment.",
    [SUMS, EACH, SPACES, PEOPLE, EVENTS, JOBS, SINGLE_SPACES],
)

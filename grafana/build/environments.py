"""The environments one by one: spaces by state, guests, jobs, and individual spaces where they are exported."""

from . import colours, links
from .expressions import ENVIRONMENT, ENVIRONMENT_KEY, of_account, of_environment, once, total
from .frame import Board, Row
from .jobs import JOBS
from .links import of_row
from .panels import About, Query, by_environment, figure, graph
from .single_spaces import SINGLE_SPACES
from .tables import ENVIRONMENT_COLUMN, ID_COLUMNS, Column, Label, ago, rows
from .wording import WITHHELD

STATES = {"active": colours.BLUE, "archived": colours.GREY, "expired": colours.WARNING}


def _count(metric: str, *matchers: str, by: tuple[str, ...] = ()) -> str:
    """The sum of all chosen environments."""
    return total(of_environment(metric, *matchers), by, over=ENVIRONMENT_KEY)


def _of_each(metric: str, *matchers: str) -> str:
    return once(of_environment(metric, *matchers), ENVIRONMENT)


def _column(title: str, width: int, metric: str, *matchers: str) -> Column:
    return Column(title, _of_each(metric, *matchers), width=width)


TOTALS = Row(
    "Totals",
    [
        figure(
            About(
                "Environments",
                "How many environments the chosen accounts have: production, where real customers work, and others.",
                WITHHELD,
            ),
            [Query(total(of_account("flatfile_environments"), ("production",), over=("account",)), "{{production}}")],
            names={"true": "production", "false": "others"},
            width=7,
        ),
        figure(
            About(
                "Spaces by state",
                "A space is a workplace where people upload and check data. Active: in use. Archived: put away by somebody. "
                "Expired: its data was removed by the retention policy, but it is still listed.",
                WITHHELD,
            ),
            [Query(_count("flatfile_spaces", by=("state",)), "{{state}}")],
            width=10,
        ),
        figure(
            About(
                "Idle spaces",
                "Active spaces without activity for the given time (`spaces.inactive_after`): candidates for archiving.",
                WITHHELD,
            ),
            [Query(_count("flatfile_spaces_inactive", by=("idle",)), "idle for {{idle}}")],
            width=7,
        ),
    ],
)

EACH = Row(
    "Environments",
    [
        rows(
            About(
                "All environments",
                "A row for each environment. Active, archived, expired: its spaces by state. Idle 30 d: active spaces without "
                "activity for 30 days. Memberships counts a guest once for each space. Shared link: guests may enter with a link "
                "alone. Click on a name for its agents and events.",
                "the environments are not known. A dash is a value that is not known; in the columns of times also that there "
                "never was a space, or activity in one.",
            ),
            {**ENVIRONMENT_COLUMN, "production": Label("Kind", {"true": "production", "false": "other"}, width=100)},
            [
                Column(
                    "Listed",
                    once(of_environment("flatfile_environment_info"), (*ENVIRONMENT, "production")),
                    shown=False,
                ),
                _column("Active", 75, "flatfile_spaces", 'state="active"'),
                _column("Archived", 85, "flatfile_spaces", 'state="archived"'),
                _column("Expired", 80, "flatfile_spaces", 'state="expired"'),
                _column("Idle 30 d", 85, "flatfile_spaces_inactive", 'idle="30d"'),
                _column("Files", 75, "flatfile_files"),
                _column("Workbooks", 100, "flatfile_workbooks"),
                _column("Guests", 80, "flatfile_guests"),
                _column("Memberships", 115, "flatfile_guest_memberships"),
                Column(
                    "Shared link",
                    _of_each("flatfile_environment_guest_authentication", 'method="shared_link"'),
                    words={"1": ("open", colours.QUIET)},
                    width=100,
                ),
                ago("Newest space", _of_each("flatfile_environment_last_space_created_timestamp_seconds")),
                ago("Last activity", _of_each("flatfile_environment_last_activity_timestamp_seconds")),
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
            lines=STATES,
            many=False,
            width=8,
        ),
        by_environment(
            About("Active spaces by environment", "Spaces that are neither archived nor expired.", WITHHELD),
            _of_each("flatfile_spaces", 'state="active"'),
            to=links.ENVIRONMENTS,
            width=8,
        ),
        by_environment(
            About(
                "Idle spaces by environment",
                "Active spaces without activity for the longest of the configured times (90 days by default). If a line only "
                "grows, nobody tidies up.",
                WITHHELD,
            ),
            _of_each("flatfile_spaces_inactive", 'idle="90d"'),
            to=links.ENVIRONMENTS,
            width=8,
        ),
    ],
)

GUESTS = Row(
    "Guests",
    [
        by_environment(
            About("Guests by environment", "People from outside who are invited to at least one space.", WITHHELD),
            _of_each("flatfile_guests"),
            to=links.ENVIRONMENTS,
            width=8,
        ),
        graph(
            About(
                "Active guests",
                "Guests who visited a space within the last day, 7 days and 30 days, all chosen environments together.",
                WITHHELD,
            ),
            [
                Query(_count("flatfile_guests_active", by=("window",)), "active within {{window}}"),
                Query(_count("flatfile_guests"), "all guests"),
            ],
            lines=colours.WINDOWS | {"all guests": colours.GREY},
            dashed=["all guests"],
            many=False,
            width=8,
        ),
        figure(
            About(
                "Environments by guest authentication",
                "How guests may enter: `shared_link` is open to whoever has the link, `magic_link` to invited people alone. An "
                "environment may allow several.",
                "no environment lets guests in, or " + WITHHELD,
                "none, or not known",
            ),
            [Query(_count("flatfile_environment_guest_authentication", by=("method",)), "{{method}}")],
            width=8,
            height=11,
        ),
    ],
)

BOARD = Board(
    links.ENVIRONMENTS,
    "Flatfile / Environments",
    "Spaces by state, guests and jobs of each environment.",
    [TOTALS, EACH, SPACES, GUESTS, JOBS, SINGLE_SPACES],
)

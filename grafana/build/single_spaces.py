"""The row of individual spaces on the dashboard of environments, where the exporter is told to list them."""

from . import colours, links
from .expressions import ENVIRONMENT, ENVIRONMENT_KEY, of_account, of_environment, once
from .frame import Row
from .links import of_row, with_all_variables
from .panels import About, Query, figure
from .tables import ENVIRONMENT_COLUMN, ID_COLUMNS, Column, Label, ago, rows
from .wording import WITHHELD

PER_SPACE = (
    "individual spaces are exported only with `spaces.per_space: true` in the configuration. Where that is set: "
)
NOT_EXPORTED = "not exported"
_space = (*ENVIRONMENT, "space_id")


def _column(title: str, width: int, metric: str) -> Column:
    return Column(title, once(of_environment(metric), _space), width=width)


SINGLE_SPACES = Row(
    "Individual spaces",
    [
        figure(
            About("Listed spaces", "How many spaces the table below has.", PER_SPACE + WITHHELD, NOT_EXPORTED),
            f"count({once(of_environment('flatfile_space_info'), (*ENVIRONMENT_KEY, 'space_id'))})",
            width=12,
        ),
        figure(
            About(
                "Dropped series",
                "Spaces (or other series) that were not exported because there were more than the limit, by collector.",
                PER_SPACE + WITHHELD,
                NOT_EXPORTED,
            ),
            [
                Query(
                    once(of_account("flatfile_exporter_series_dropped"), ("account", "collector")),
                    "{{account}}: {{collector}}",
                )
            ],
            steps=colours.limits(1),
            link=with_all_variables("The exporter", links.EXPORTER),
            width=12,
        ),
        rows(
            About(
                "Spaces by last activity",
                "At most `spaces.max_series` (1000) spaces of each account, the most recently active ones.",
                PER_SPACE + WITHHELD,
                NOT_EXPORTED,
            ),
            {**ENVIRONMENT_COLUMN, "space": Label("Space", least=180), "state": Label("State", width=95)},
            [
                Column(
                    "Listed",
                    once(of_environment("flatfile_space_info"), (*_space, "space", "state", "app_id")),
                    shown=False,
                ),
                _column("Guests", 80, "flatfile_space_guests"),
                _column("Files", 75, "flatfile_space_files"),
                _column("Workbooks", 105, "flatfile_space_workbooks"),
                ago("Last activity", once(of_environment("flatfile_space_last_activity_timestamp_seconds"), _space)),
            ],
            {"space_id": Label("Space ID", least=150), "app_id": Label("App ID", least=160), **ID_COLUMNS},
            links=[of_row("Only this environment", links.ENVIRONMENTS)],
            sort="Last activity",
            descending=True,
            height=12,
        ),
    ],
    collapsed=True,
)

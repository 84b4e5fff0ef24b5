"""The row of single spaces on the dashboard of environments, where the exporter is told to list them."""

from . import colours, links
from .expressions import ENVIRONMENT, of_account, of_environment, once
from .frame import Row
from .links import of_row, with_all_variables
from .panels import About, figure
from .tables import ENVIRONMENT_COLUMN, ID_COLUMNS, Column, rows
from .wording import WITHHELD

PER_SPACE = (
    "single spaces are exported only with `spaces.per_space: true` in the exporter's configuration. Where that is set: "
)
_space = (*ENVIRONMENT, "space_id")

SINGLE_SPACES = Row(
    "Single spaces",
    [
        rows(
            About(
                "Spaces, most recently active first",
                "One line for each space, at most `spaces.max_series` (1000) an account, the most recently active ones.",
                PER_SPACE + WITHHELD,
                "not exported",
            ),
            {**ENVIRONMENT_COLUMN, "space": "Space", "state": "State", "app_id": "App ID"},
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

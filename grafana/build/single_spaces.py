"""The row of single spaces on the dashboard of environments, where the exporter is told to list them."""

from . import colours, links
from .expressions import ENVIRONMENT, ENVIRONMENT_KEY, of_account, of_environment, once
from .frame import Row
from .links import of_row, with_all_variables
from .panels import COUNT, About, figure
from .tables import ENVIRONMENT_COLUMN, ID_COLUMNS, Column, Label, rows
from .wording import WITHHELD

PER_SPACE = (
    "single spaces are exported only with `spaces.per_space: true` in the exporter's configuration. Where that is set: "
)
_space = (*ENVIRONMENT, "space_id")

SINGLE_SPACES = Row(
    "Single spaces",
    [
        figure(
            About("Spaces listed", "How many spaces the table has a line for.", PER_SPACE + WITHHELD, "not exported"),
            f"count({once(of_environment('flatfile_space_info'), (*ENVIRONMENT_KEY, 'space_id'))})",
            COUNT,
            width=12,
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
            width=12,
        ),
        rows(
            About(
                "Spaces, most recently active first",
                "One line for each space, at most `spaces.max_series` (1000) an account, the most recently active ones.",
                PER_SPACE + WITHHELD,
                "not exported",
            ),
            {**ENVIRONMENT_COLUMN, "space": Label("Space", least=180), "state": Label("State", width=95)},
            [
                Column(
                    "Listed",
                    once(of_environment("flatfile_space_info"), (*_space, "space", "state", "app_id")),
                    shown=False,
                ),
                Column("Guests", once(of_environment("flatfile_space_guests"), _space), width=80),
                Column("Files", once(of_environment("flatfile_space_files"), _space), width=75),
                Column("Workbooks", once(of_environment("flatfile_space_workbooks"), _space), width=105),
                Column(
                    "Last activity",
                    once(of_environment("flatfile_space_last_activity_timestamp_seconds"), _space) + " * 1000",
                    unit="dateTimeFromNow",
                    width=140,
                ),
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

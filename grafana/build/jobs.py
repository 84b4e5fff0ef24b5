"""The row of jobs on the dashboard of environments."""

from . import colours, links
from .expressions import ENVIRONMENT, ENVIRONMENT_KEY, age, of_environment, once, total
from .frame import Row
from .links import of_series
from .panels import COUNT, About, Query, figure, graph
from .wording import ENVIRONMENT_LINE, WITHHELD

OPEN = 'status!~"complete|failed|canceled"'


def _jobs(*matchers: str, by: tuple[str, ...] = ()) -> str:
    """The jobs of all chosen environments."""
    return total(of_environment("flatfile_jobs", *matchers), by, over=ENVIRONMENT_KEY)


JOBS = Row(
    "Jobs",
    [
        figure(
            About(
                "Open jobs",
                "Jobs created in the last 24 hours (`jobs.window`) that are neither complete, failed nor canceled.",
                WITHHELD,
            ),
            _jobs(OPEN),
            COUNT,
            trend=True,
            width=12,
        ),
        figure(
            About(
                "Failed jobs",
                "A job is a piece of work on data, such as reading a file or exporting a sheet. Counts jobs created in "
                "the last 24 hours (`jobs.window`) that have failed.",
                WITHHELD,
            ),
            _jobs('status="failed"'),
            COUNT,
            words={"0": ("None failed", colours.GOOD)},
            steps=colours.steps((0, colours.GOOD), (1, colours.WARNING)),
            width=12,
        ),
        graph(
            About(
                "Jobs of the last 24 hours by status",
                "Each job created in the window (`jobs.window`), by what has become of it. Failed jobs need a look; "
                "executing or ready ones that only grow are a jam.",
                WITHHELD,
            ),
            [Query(_jobs(by=("status",)), "{{status}}")],
            COUNT,
            lines={"complete": colours.GOOD, "failed": colours.BAD, "canceled": colours.MUTED},
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
        ),
    ],
)

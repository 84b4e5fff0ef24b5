"""Jobs: their figures, which the overview shows too, and their row on the dashboard of environments."""

from . import colours, links
from .expressions import ENVIRONMENT, ENVIRONMENT_KEY, age, of_environment, once, ratio, total
from .frame import Row
from .links import DataLink, of_series
from .panels import COUNT, About, Placed, Query, figure, graph
from .wording import ENVIRONMENT_LINE, WITHHELD

OPEN = 'status!~"complete|failed|canceled"'
FAILED = 'status="failed"'
ENDED = 'status=~"complete|failed"'
"""Canceled ones are left out of shares: somebody wanted that."""
SHARE_STEPS = ((0.1, colours.WARNING), (0.25, colours.BAD))
"""Of jobs that failed. The second is where FlatfileJobsFailing begins."""
STATUSES = {
    "complete": colours.GOOD,
    "failed": colours.BAD,
    "canceled": colours.MUTED,
    "executing": colours.OTHER,
    "ready": colours.SECOND,
    "waiting": colours.THIRD,
}
NONE_ENDED = "no job of the last 24 hours has ended, or the jobs are not known."
NONE_OPEN = "no job is open, or the jobs are not known."

_oldest = once(of_environment("flatfile_job_oldest_open_timestamp_seconds"), ENVIRONMENT)


def _jobs(*matchers: str, by: tuple[str, ...] = ()) -> str:
    """The jobs of all chosen environments."""
    return total(of_environment("flatfile_jobs", *matchers), by, over=(*ENVIRONMENT_KEY, "status"))


def share_of_environments() -> str:
    """Failed jobs over those that ended, of each environment."""
    return ratio(_jobs(FAILED, by=ENVIRONMENT), _jobs(ENDED, by=ENVIRONMENT))


def _open_jobs() -> Placed:
    return figure(
        About(
            "Open jobs",
            "Jobs created in the last 24 hours (`jobs.window`) that are neither complete, failed nor canceled.",
            WITHHELD,
        ),
        _jobs(OPEN),
        COUNT,
        trend=True,
        width=6,
    )


def oldest_open_job(width: int, link: DataLink | None = None) -> Placed:
    """The colour changes where FlatfileJobOpenTooLong begins."""
    return figure(
        About(
            "Oldest open job",
            "How long ago the oldest job was created that is neither complete, failed nor canceled, in whichever of the "
            "chosen environments.",
            NONE_OPEN,
            "None open, or not known",
        ),
        f"max({age(_oldest)})",
        "s",
        steps=colours.steps((0, colours.GOOD), (4 * 3600, colours.WARNING)),
        decimals=0,
        link=link,
        width=width,
    )


def failed_jobs(width: int, link: DataLink | None = None) -> Placed:
    """Without a colour: some files always fail, and what is too many the share says."""
    return figure(
        About(
            "Failed jobs",
            "A job is a piece of work on data, such as reading a file or exporting a sheet. Counts jobs created in the "
            "last 24 hours (`jobs.window`) that have failed. Files of all sorts are brought, and some fail: the share of "
            "failed jobs says whether these are many.",
            WITHHELD,
        ),
        _jobs(FAILED),
        COUNT,
        trend=True,
        link=link,
        width=width,
    )


def failed_share(width: int, link: DataLink | None = None) -> Placed:
    return figure(
        About(
            "Failed share of jobs",
            "Failed jobs over those that ended (complete or failed), of the jobs created in the last 24 hours "
            "(`jobs.window`) in all chosen environments.",
            NONE_ENDED,
            "None ended, or not known",
        ),
        ratio(_jobs(FAILED), _jobs(ENDED)),
        "percentunit",
        steps=colours.steps((0, colours.GOOD), *SHARE_STEPS),
        decimals=1,
        link=link,
        width=width,
    )


JOBS = Row(
    "Jobs",
    [
        _open_jobs(),
        oldest_open_job(width=6),
        failed_jobs(width=6),
        failed_share(width=6),
        graph(
            About(
                "Jobs of the last 24 hours by status",
                "Each job created in the window (`jobs.window`), by what has become of it. Failed jobs need a look; "
                "executing or ready ones that only grow are a jam.",
                WITHHELD,
            ),
            [Query(_jobs(by=("status",)), "{{status}}")],
            COUNT,
            lines=STATUSES,
            many=False,
            width=8,
        ),
        graph(
            About(
                "Failed share of jobs by environment",
                "Failed jobs over those that ended, of the jobs created in the last 24 hours (`jobs.window`). Above 25 %, "
                "where ten or more have ended, FlatfileJobsFailing fires.",
                NONE_ENDED,
                "none ended, or not known",
            ),
            [Query(share_of_environments(), ENVIRONMENT_LINE)],
            "percentunit",
            links=[of_series("Only this environment", links.ENVIRONMENTS)],
            width=8,
        ),
        graph(
            About(
                "Age of the oldest open job",
                "How long ago the oldest job was created that is not complete, failed or canceled. A steadily rising "
                "line is a job that hangs: above 4 hours FlatfileJobOpenTooLong fires.",
                NONE_OPEN,
                "none open, or not known",
            ),
            [Query(age(_oldest), ENVIRONMENT_LINE)],
            "s",
            links=[of_series("Only this environment", links.ENVIRONMENTS)],
            width=8,
        ),
    ],
)

"""Jobs: figures that the overview shows too, and their row on the dashboard of environments."""

from . import colours, links
from .expressions import (
    ENVIRONMENT,
    ENVIRONMENT_KEY,
    MIN_FINISHED,
    age,
    counted,
    failure_ratio,
    last_hour,
    of_environment,
    once,
    quantile,
    rate,
    ratio,
    total,
)
from .frame import Row
from .links import DataLink
from .panels import RATE, About, Placed, Query, by_environment, figure, graph
from .wording import NONE_YET, NOTHING_YET, WITHHELD

FAILED = 'status="failed"'
ENDED = 'status=~"complete|failed"'
"""Canceled jobs are left out of ratios: somebody wanted that."""
RATIO_STEPS = (0.1, 0.25)
STATUSES = {
    "complete": colours.BLUE,
    "failed": colours.CRITICAL,
    "canceled": colours.GREY,
    "executing": colours.SKY,
    "ready": colours.GREEN,
    "waiting": colours.PINK,
}
FEW = f"fewer than {MIN_FINISHED} jobs finished in that time, or the jobs are not known."
FEW_EMPTY = "too few, or not known"
NONE_OPEN = "no job is open, or the jobs are not known."
NONE_OPEN_EMPTY = "none, or not known"

_FINISHED = "flatfile_jobs_finished_total"
_oldest = of_environment("flatfile_job_oldest_open_timestamp_seconds")
_oldest_executing = of_environment("flatfile_job_oldest_open_timestamp_seconds", 'status="executing"')
_each = (*ENVIRONMENT_KEY, "type", "status")


def _jobs(*matchers: str, by: tuple[str, ...] = ()) -> str:
    """The jobs created in the last 24 hours in all chosen environments."""
    return total(of_environment("flatfile_jobs", *matchers), by, over=(*ENVIRONMENT_KEY, "status"))


def _ratio_of_the_hour(*by: str) -> str:
    return failure_ratio(of_environment(_FINISHED, FAILED), of_environment(_FINISHED, ENDED), by, over=_each)


def ratio_of_environments() -> str:
    """Return failed jobs over those that ended, of each environment, in the last 24 hours."""
    return ratio(_jobs(FAILED, by=ENVIRONMENT), _jobs(ENDED, by=ENVIRONMENT))


def oldest_job(width: int, link: DataLink | None = None) -> Placed:
    """The age of the oldest job that is executing; orange from four hours on."""
    return figure(
        About(
            "Oldest executing job",
            "Age of the oldest job that is executing, in any of the chosen environments. A job of many hours hangs. Jobs that "
            "wait for a person may wait, and do not count here.",
            "no job is executing, or the jobs are not known.",
            NONE_OPEN_EMPTY,
        ),
        f"max({age(once(_oldest_executing, ENVIRONMENT_KEY))})",
        "s",
        steps=colours.limits(4 * 3600),
        decimals=0,
        link=link,
        width=width,
    )


def failed_jobs(width: int, link: DataLink | None = None) -> Placed:
    """Without a colour: some files always fail, and what is too many the ratio says."""
    return figure(
        About(
            "Failed jobs",
            "A job is a piece of work on data, such as reading a file or exporting a sheet. Counts the jobs created in the last "
            "24 hours (`jobs.window`) that have failed. Some files always fail: the failure ratio says whether these are many.",
            WITHHELD,
        ),
        _jobs(FAILED),
        trend=True,
        link=link,
        width=width,
    )


def job_failure_ratio(width: int, link: DataLink | None = None) -> Placed:
    return figure(
        About(
            "Job failure ratio",
            "Failed jobs over those that ended (complete or failed): of the jobs that ended in the last hour, where there are "
            f"{MIN_FINISHED} or more, and of the jobs created in the last 24 hours (`jobs.window`).",
            FEW,
            FEW_EMPTY,
        ),
        [Query(_ratio_of_the_hour(), "last hour"), Query(ratio(_jobs(FAILED), _jobs(ENDED)), "last 24 hours")],
        "percentunit",
        steps=colours.limits(*RATIO_STEPS),
        decimals=1,
        link=link,
        width=width,
    )


def _p95_by_type(title: str, shows: str, histogram: str) -> Placed:
    return graph(
        About(
            title,
            f"{shows}: 95 of 100 jobs of the last hour took less, estimated from buckets of 1 s to 2 h.",
            "no job of the last hour has both times, or the jobs are not known.",
            FEW_EMPTY,
        ),
        [Query(quantile(0.95, of_environment(f"{histogram}_bucket"), ("type",), over=last_hour), "{{type}}")],
        "s",
        width=8,
    )


JOBS = Row(
    "Jobs",
    [
        figure(
            About("Finished jobs", "Jobs that finished in the time range, by how they ended.", NOTHING_YET, NONE_YET),
            [
                Query(
                    counted(total(rate(of_environment(_FINISHED)), ("status",), over=_each)),
                    "{{status}}",
                )
            ],
            decimals=0,
            width=7,
        ),
        oldest_job(width=5),
        failed_jobs(width=5),
        job_failure_ratio(width=7),
        graph(
            About(
                "Jobs by status",
                "The jobs created in the last 24 hours (`jobs.window`), by their present status. If executing or ready jobs only "
                "grow, work is piling up.",
                WITHHELD,
            ),
            [Query(_jobs(by=("status",)), "{{status}}")],
            lines=STATUSES,
            many=False,
            width=8,
        ),
        graph(
            About(
                "Jobs per minute by type",
                "Jobs that finished per minute, by what they work on, whatever the result.",
                NOTHING_YET,
                NONE_YET,
            ),
            [Query(total(rate(of_environment(_FINISHED)), ("type",), over=_each) + " * 60", "{{type}}")],
            RATE,
            width=8,
        ),
        by_environment(
            About(
                "Job failure ratio by environment",
                f"Failed jobs over those that ended, in the last hour, where {MIN_FINISHED} or more ended.",
                FEW,
                FEW_EMPTY,
            ),
            _ratio_of_the_hour(*ENVIRONMENT),
            "percentunit",
            to=links.ENVIRONMENTS,
            high=1,
            width=8,
        ),
        _p95_by_type("Job wait p95 by type", "From a job's creation to its start", "flatfile_job_wait_seconds"),
        _p95_by_type("Job duration p95 by type", "From a job's start to its end", "flatfile_job_duration_seconds"),
        graph(
            About(
                "Oldest open job by status",
                "Age of the oldest job in each open status, in any of the chosen environments. A steadily rising line of "
                "executing jobs is a job that hangs; a waiting job waits for a person.",
                NONE_OPEN,
                NONE_OPEN_EMPTY,
            ),
            [Query(f"max by (status) ({age(once(_oldest, (*ENVIRONMENT_KEY, 'status')))})", "{{status}}")],
            "s",
            lines=STATUSES,
            many=False,
            width=8,
        ),
        by_environment(
            About(
                "Oldest executing job by environment",
                "Age of the oldest job that is executing.",
                NONE_OPEN,
                NONE_OPEN_EMPTY,
            ),
            age(once(_oldest_executing, ENVIRONMENT)),
            "s",
            to=links.ENVIRONMENTS,
            width=24,
        ),
    ],
)

"""Jobs of each environment by status, and the oldest one that is still open.

The API's list of jobs knows no time to begin from. After a first pass back to the edge of the window, the newest ones are read
as far as something is new or open; open jobs further down, and whatever else may change there, are looked at less often.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from exporter.collectors._context import Held, Scope, carried, held
from exporter.collectors._jobs import MOST_ROWS, JobBook, Snapshot, Statuses
from exporter.collectors._labels import ENVIRONMENT
from exporter.exposition.families import Desc, Family, Sample
from exporter.exposition.freshness import Freshness
from exporter.flatfile import models
from exporter.flatfile.client import Listing, identity
from exporter.flatfile.endpoints import Endpoint
from exporter.flatfile.errors import BadResponse, FlatfileError, TooLarge
from exporter.flatfile.session import Call

JOBS = Desc(
    "flatfile_jobs",
    "gauge",
    "Jobs created within the last jobs.window (24h unless configured) by their present status, every known status present; "
    "unknown where Flatfile does not tell it (GET /jobs). A change of an open job that has more than 300 newer ones shows "
    "within max_age / 2 (7.5m unless configured), one of a job that had ended within an hour.",
    (*ENVIRONMENT, "status"),
)
OLDEST_OPEN = Desc(
    "flatfile_job_oldest_open_timestamp_seconds",
    "gauge",
    "When the oldest job was created that is not complete, failed or canceled, in unix seconds. Absent where there is none. "
    "Jobs that were older than jobs.window when the exporter started may not be known; an open job is followed for 7 days, or "
    "until it has 100,000 newer ones.",
    ENVIRONMENT,
)
FAMILIES = (JOBS, OLDEST_OPEN)

# Jobs bring their configuration and outcome, which may be large.
NEWEST = Listing(Endpoint.JOBS, models.Job, identity, page_size=100, sort={"sortDirection": "desc"})
ALL = replace(NEWEST, page_size=500)
FULL_EVERY = 3600.0  # seconds after which the whole window is read anew
PACE = 6.0  # seconds between two looks further down for each page that one takes, within max_age / 3 and max_age / 2
LONG = 300  # rows in no known order that are too many to be read each time


@dataclass(slots=True)
class Place:
    """An environment, as far as its jobs have been followed. Times by the monotonic clock."""

    book: JobBook
    full_at: float = float("-inf")
    deep_at: float = float("-inf")
    pages: int = 0  # that the last deep look took
    unreached: bool = False  # open jobs lie further down than the newest were read
    tedious: bool = False  # the list is long and in no order


class Collector:
    """Follows the jobs of each environment."""

    requires: tuple[str, ...] = ("environments",)

    def __init__(self, scope: Scope) -> None:
        self._scope = scope
        self._max_age = scope.config.collectors["jobs"].max_age
        self._statuses = Statuses()
        self._places: dict[str, Place] = {}
        self._snapshots: dict[str, Held[Snapshot]] = {}

    async def refresh(self, call: Call) -> Sequence[FlatfileError]:
        """Read what is new of each environment's jobs; one environment's failure leaves the others alone."""
        scope, now = self._scope, self._scope.clock.wall()
        environments = scope.selected()
        self._places = {
            environment.id: self._places.get(environment.id)
            or Place(JobBook(environment.id, scope.config.jobs.window, self._statuses.admitted))
            for environment in environments
        }
        due = [env for env in environments if not self._places[env.id].tedious or self._deep_due(self._places[env.id])]
        ask = scope.each if len(due) == len(environments) else scope.some
        found, errors = await ask(due, lambda env: self._look(env.id, self._places[env.id], call), call)
        snapshots = {env: snapshot for env, (snapshot, _) in found.items()}
        self._snapshots = carried(self._snapshots, held(snapshots, now), scope.selected())
        unusable = sum(number for _, number in found.values())
        if unusable:
            text = f"{unusable} jobs without a time that can be read are not counted"
            return [*errors, BadResponse(text, endpoint=str(Endpoint.JOBS))]
        return errors

    def _deep_due(self, place: Place) -> bool:
        """Whether it is time to look further down again, if there is a reason to."""
        wait = min(max(self._max_age / 3, PACE * place.pages), self._max_age / 2)
        return self._scope.clock.monotonic() >= place.deep_at + wait

    def _floor(self, place: Place, now: float) -> float | None:
        """How far back to read: the whole window, to the oldest open job, or (`None`) as far as there is anything new."""
        again = place.full_at + FULL_EVERY <= self._scope.clock.monotonic()
        if again or ((place.book.doubtful or place.tedious) and self._deep_due(place)):
            return place.book.floor(now)
        return place.book.oldest_open() if place.unreached and self._deep_due(place) else None

    async def _look(self, environment: str, place: Place, call: Call) -> tuple[Snapshot, int]:
        """Read an environment's list: what to show, and how many rows could not be used."""
        scope, book = self._scope, place.book
        now, began = scope.client.session.now, scope.clock.monotonic()
        floor = self._floor(place, now)
        reading = book.reading(now, floor)
        listing = NEWEST if floor is None else ALL
        rows = await scope.client.rows(listing, {"environmentId": environment}, call, stop=reading)
        if reading.too_long:
            text = f"more than {MOST_ROWS} jobs within jobs.window, or in no order"
            raise TooLarge(text, endpoint=str(Endpoint.JOBS))
        unusable = book.take(rows, now, reading.covered, cut=reading.cut)
        if floor is not None:
            place.deep_at, place.pages = began, reading.pages
            if floor <= book.edge(now):
                place.full_at = began
        place.unreached = floor is None and reading.unreached
        place.tedious = not reading.ordered and reading.rows > LONG
        return book.snapshot(now, [*self._statuses.names]), unusable

    def families(self, fresh: Freshness) -> Iterator[Family]:
        """Give the environments' jobs."""
        jobs: list[Sample] = []
        oldest: list[Sample] = []
        for environment in self._scope.environments or ():
            found = self._snapshots.get(environment.id)
            if found is None or not fresh(found.at):
                continue
            labels = (self._scope.account, *environment.labels)
            jobs += [((*labels, status), number) for status, number in found.value.jobs.items()]
            if found.value.oldest_open is not None:
                oldest.append((labels, found.value.oldest_open))
        yield from (Family(JOBS, jobs), Family(OLDEST_OPEN, oldest))

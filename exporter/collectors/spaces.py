"""Spaces by environment: how many in which state, how many idle, their files and workbooks."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain

from exporter.collectors._labels import ENVIRONMENT
from exporter.collectors._silence import Silence
from exporter.families import Desc, Family, Sample
from exporter.flatfile import models, times
from exporter.flatfile.client import Listing, identity
from exporter.flatfile.endpoints import Endpoint
from exporter.flatfile.errors import FlatfileError
from exporter.flatfile.session import Call
from exporter.freshness import Freshness
from exporter.scope import EnvironmentRef, Held, Scope, both, carried
from exporter.units import format_duration

SPACES = Desc(
    "flatfile_spaces",
    "gauge",
    "Spaces by state: archived, else expired (data removed by retention, still listed), else active (GET /spaces).",
    (*ENVIRONMENT, "state"),
)
INACTIVE = Desc(
    "flatfile_spaces_inactive",
    "gauge",
    "Active spaces without activity for that long, by lastActivityAt, else updatedAt, else createdAt.",
    (*ENVIRONMENT, "idle"),
)
FILES = Desc(
    "flatfile_files",
    "gauge",
    "Files in all spaces of every state. Absent where Flatfile leaves out a space's count.",
    ENVIRONMENT,
)
WORKBOOKS = Desc(
    "flatfile_workbooks",
    "gauge",
    "Workbooks in all spaces of every state. Absent where Flatfile leaves out a space's count.",
    ENVIRONMENT,
)
LAST_CREATED = Desc(
    "flatfile_environment_last_space_created_timestamp_seconds",
    "gauge",
    "When the newest space was created, in unix seconds. Absent where the environment has no space.",
    ENVIRONMENT,
)
LAST_ACTIVITY = Desc(
    "flatfile_environment_last_activity_timestamp_seconds",
    "gauge",
    "Newest lastActivityAt of a space, in unix seconds; midnight where Flatfile gives a date only. "
    "Absent where no space has one.",
    ENVIRONMENT,
)
FAMILIES = (SPACES, INACTIVE, FILES, WORKBOOKS, LAST_CREATED, LAST_ACTIVITY)

LISTING = Listing(Endpoint.SPACES, models.Space, identity, sort={"sortField": "createdAt", "sortDirection": "asc"})


@dataclass(frozen=True, slots=True)
class Counts:
    """What is known of an environment's spaces; `None` where the API did not say. Times in unix seconds."""

    active: int
    archived: int
    expired: int
    inactive: tuple[int, ...] | None  # as `spaces.inactive_after`
    files: float | None
    workbooks: float | None
    last_created: float | None
    last_activity: float | None


class Collector:
    """Lists the spaces of the whole account, or environment by environment where the API does not give that."""

    requires: tuple[str, ...] = ("environments",)

    def __init__(self, scope: Scope) -> None:
        self._scope = scope
        self._counts: dict[str, Held[Counts]] = {}
        self._account_wide = True
        self._silence = Silence(scope.config.collectors["spaces"].max_age / 3)

    async def refresh(self, call: Call) -> Sequence[FlatfileError]:
        """List all spaces, archived ones too."""
        scope, asked_at = self._scope, self._scope.clock.wall()
        environments = scope.selected()
        by_environment, errors = await self._by_environment(environments, call)
        now = scope.client.session.now
        idle = scope.config.spaces.inactive_after
        counts = {env: counted(rows, now, idle) for env, rows in by_environment.items()}
        ids = {env: tuple(row.id for row in rows) for env, rows in by_environment.items()}
        times_asked = {env: self._silence.asked_at(env, asked_at) for env in by_environment}
        self._counts = carried(
            self._counts, {env: Held(counts[env], at) for env, at in times_asked.items()}, environments
        )
        listed = {env: Held(ids[env], at) for env, at in times_asked.items()}
        scope.spaces = carried(scope.spaces or {}, listed, environments)
        # A space that is listed later only is asked for its guests without a hint: so these cannot pile up.
        scope.guest_hints.intersection_update(chain.from_iterable(held.value for held in scope.spaces.values()))
        return errors

    async def _by_environment(
        self, environments: Sequence[EnvironmentRef], call: Call
    ) -> tuple[dict[str, list[models.Space]], Sequence[FlatfileError]]:
        if self._account_wide:
            try:
                rows = await self._listed({}, call)
            except FlatfileError as error:
                if not error.concerns_the_question:
                    raise
            else:
                if all(row.environment_id for row in rows):
                    return await self._grouped(rows, environments, call)
        found, errors = await self._scope.each(environments, lambda env: self._alone(env, call), call)
        if found:
            self._account_wide = False
        self._silence.forget(found)
        return found, errors

    async def _grouped(
        self, rows: Sequence[models.Space], environments: Sequence[EnvironmentRef], call: Call
    ) -> tuple[dict[str, list[models.Space]], Sequence[FlatfileError]]:
        """Sort the account's spaces by environment; one that has none is asked by itself now and then."""
        grouped: defaultdict[str, list[models.Space]] = defaultdict(list)
        for row in rows:
            grouped[row.environment_id or ""].append(row)
        now = self._scope.clock.wall()
        self._silence.forget(grouped.keys())
        doubtful = self._silence.doubtful([env for env in environments if env.id not in grouped], now)
        answers, errors = await self._scope.some(doubtful, lambda env: self._alone(env, call), call)
        self._silence.believe((env for env, found in answers.items() if not found), now)
        unknown = {env.id for env in doubtful} - answers.keys()
        return {env.id: answers.get(env.id, grouped[env.id]) for env in environments if env.id not in unknown}, errors

    async def _alone(self, environment: EnvironmentRef, call: Call) -> list[models.Space]:
        rows = await self._listed({"environmentId": environment.id}, call)
        return [row for row in rows if row.environment_id in (None, environment.id)]

    async def _listed(self, where: dict[str, str], call: Call) -> list[models.Space]:
        """List spaces. Whether `archived=true` adds the archived ones or gives them alone is not documented: both are asked."""
        plain, archived = await both(
            self._scope.client.rows(LISTING, where, call),
            self._scope.client.rows(LISTING, {**where, "archived": "true"}, call),
        )
        rows = {row.id: row for row in plain}
        for row in archived:
            known = rows.get(row.id)
            if known is None or (known.updated_at or "") <= (row.updated_at or ""):
                rows[row.id] = row
        return [*rows.values()]

    def families(self, fresh: Freshness) -> Iterator[Family]:
        """Give the environments' counts."""
        names = [format_duration(seconds) for seconds in self._scope.config.spaces.inactive_after]
        samples: dict[Desc, list[Sample]] = {desc: [] for desc in FAMILIES}
        for environment in self._scope.environments or ():
            held = self._counts.get(environment.id)
            if held is None or not fresh(held.at):
                continue
            counts, labels = held.value, (self._scope.account, *environment.labels)
            for state in ("active", "archived", "expired"):
                samples[SPACES].append(((*labels, state), getattr(counts, state)))
            if counts.inactive is not None:
                samples[INACTIVE].extend(
                    ((*labels, name), number) for name, number in zip(names, counts.inactive, strict=True)
                )
            for desc, value in (
                (FILES, counts.files),
                (WORKBOOKS, counts.workbooks),
                (LAST_CREATED, counts.last_created),
                (LAST_ACTIVITY, counts.last_activity),
            ):
                if value is not None:
                    samples[desc].append((labels, value))
        yield from (Family(desc, found) for desc, found in samples.items())


def counted(rows: Sequence[models.Space], now: float, idle: Sequence[float]) -> Counts:
    """Count an environment's spaces at `now` (unix seconds). A sum that lacks one space's share is not known."""
    archived = [row for row in rows if row.archived_at]
    expired = [row for row in rows if row.expired_at and not row.archived_at]
    active = [row for row in rows if not row.archived_at and not row.expired_at]
    last_seen = [_last_seen(row) for row in active]
    known = [at for at in last_seen if at is not None]
    return Counts(
        active=len(active),
        archived=len(archived),
        expired=len(expired),
        inactive=tuple(sum(at <= now - seconds for at in known) for seconds in idle)
        if len(known) == len(last_seen)
        else None,
        files=_sum([row.files_count for row in rows]),
        workbooks=_sum([row.workbooks_count for row in rows]),
        last_created=_newest([row.created_at for row in rows]),
        last_activity=_newest([row.last_activity_at for row in rows]),
    )


def _last_seen(row: models.Space) -> float | None:
    candidates = (times.unix(text) for text in (row.last_activity_at, row.updated_at, row.created_at))
    return next((at for at in candidates if at is not None), None)


def _sum(numbers: Sequence[float | None]) -> float | None:
    known = [number for number in numbers if number is not None]
    return sum(known) if len(known) == len(numbers) else None


def _newest(texts: Sequence[str | None]) -> float | None:
    return max((at for text in texts if (at := times.unix(text)) is not None), default=None)

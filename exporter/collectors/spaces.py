"""Spaces by environment: how many in which state, how many idle, their files and workbooks."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain

from exporter.collectors import _single_spaces
from exporter.collectors._book import ACTIVE, ARCHIVED, EXPIRED, NEVER, STATES, UNKNOWN, Book, Counts, Entry
from exporter.collectors._context import EnvironmentRef, Held, Scope, carried
from exporter.collectors._labels import ENVIRONMENT
from exporter.collectors._silence import Silence
from exporter.collectors._survey import Question, Survey
from exporter.core.units import format_duration
from exporter.exposition.families import Desc, Family, Sample
from exporter.exposition.freshness import Freshness
from exporter.flatfile import models, times
from exporter.flatfile.client import Listing, identity
from exporter.flatfile.endpoints import Endpoint
from exporter.flatfile.errors import FlatfileError
from exporter.flatfile.session import Call

SPACES = Desc(
    "flatfile_spaces",
    "gauge",
    "Spaces by state: archived, else expired (data removed by retention, still listed), else active (GET /spaces). "
    "Of a long list, what shows in no count, activity or event is seen within spaces.full_resync (1h unless configured).",
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
COUNTED = (SPACES, INACTIVE, FILES, WORKBOOKS, LAST_CREATED, LAST_ACTIVITY)
FAMILIES = (*COUNTED, *_single_spaces.FAMILIES)

SORT = {"sortField": "createdAt", "sortDirection": "asc"}
LISTS: tuple[Mapping[str, str], ...] = ({}, {"archived": "true"})
"""Whether `archived=true` adds the archived spaces or gives them alone is not documented: both are asked."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What is known of an environment's spaces; `latest` are those of them that may be shown by themselves."""

    counts: Counts
    latest: Sequence[Entry]


class Collector:
    """Follows the spaces of the whole account, or of each environment where the API does not give that."""

    requires: tuple[str, ...] = ("environments",)

    def __init__(self, scope: Scope) -> None:
        self._scope = scope
        self._config = scope.config.spaces
        self._snapshots: dict[str, Held[Snapshot]] = {}
        self._books: dict[str, Book] = {}  # of which the snapshots were made
        self._single: _single_spaces.Single = {}
        self._account = self._survey({})
        self._account_wide = True
        self._alone: dict[str, Survey[models.Space]] = {}
        self._silence = Silence(scope.config.collectors["spaces"].max_age / 3)

    def _survey(self, where: Mapping[str, str]) -> Survey[models.Space]:
        shown = self._config.max_series if self._config.per_space else 0
        row = models.NamedSpace if shown else models.Space
        environment = where.get("environmentId", "")
        question: Question[models.Space] = Question(
            Listing(Endpoint.SPACES, row, identity, sort=SORT),
            LISTS,
            {"activity": "lastActivityAt", "created": "createdAt"},
            lambda space: entry(space, environment),
            lambda: Book(shown + shown // 10 + 10 if shown else 0),  # a tenth more, in case that some of them go
        )
        return Survey(
            self._scope.client,
            self._scope.clock,
            question,
            where,
            full_resync=self._config.full_resync,
            longest_pause=self._scope.config.collectors["spaces"].max_age / 3,
        )

    async def refresh(self, call: Call) -> Sequence[FlatfileError]:
        """Find out what has changed, in archived spaces too."""
        scope, asked_at = self._scope, self._scope.clock.wall()
        environments = scope.selected()
        books, errors = await self._by_environment(environments, call)
        held = {env: self._silence.asked_at(env, asked_at) for env in books}
        counts = self._counted(books)
        latest = self._latest(books)
        self._snapshots = carried(
            self._snapshots,
            {env: Held(Snapshot(counts[env], latest.get(env, ())), at) for env, at in held.items()},
            environments,
        )
        listed: dict[str, Held[Sequence[str]]] = {env: Held(books[env].ids(env), at) for env, at in held.items()}
        scope.spaces = carried(scope.spaces or {}, listed, environments)
        if self._config.per_space:
            every = chain.from_iterable(held.value.latest for held in self._snapshots.values())
            self._single = _single_spaces.chosen(every, self._config.max_series)
            scope.single_spaces = {env: [space.id for space in spaces] for env, spaces in self._single.items()}
        self._books = {env: book for env, book in {**self._books, **books}.items() if env in self._snapshots}
        # A space that is listed later only is asked for its guests without a hint: so these cannot pile up.
        known = {id(book): book for book in self._books.values()}.values()
        scope.guest_hints = {space for space in scope.guest_hints if any(space in book for book in known)}
        return errors

    def _counted(self, books: Mapping[str, Book]) -> dict[str, Counts]:
        now = self._scope.client.session.now
        return {env: book.counts(env, now, self._config.inactive_after) for env, book in books.items()}

    def _latest(self, books: Mapping[str, Book]) -> _single_spaces.Single:
        """The spaces that may be shown by themselves."""
        if not self._config.per_space:
            return {}
        by_book = {id(book): _single_spaces.latest(book, self._config.max_series) for book in books.values()}
        return {env: by_book[id(book)].get(env, ()) for env, book in books.items()}

    async def _by_environment(
        self, environments: Sequence[EnvironmentRef], call: Call
    ) -> tuple[dict[str, Book], Sequence[FlatfileError]]:
        """The books that are true now, by the environments that they are true of."""
        if self._account_wide:
            try:
                true = await self._refreshed(self._account, None, call)
            except FlatfileError as error:
                if not error.concerns_the_question:
                    raise
            else:
                groups = {*self._account.book.groups()}
                if "" not in groups:
                    return await self._grouped(groups, environments, call) if true else ({}, ())
        listed = {env.id for env in environments}
        self._alone = {env: survey for env, survey in self._alone.items() if env in listed}
        for env in listed - self._alone.keys():
            self._alone[env] = self._survey({"environmentId": env})
        found, errors = await self._scope.each(
            environments, lambda env: self._refreshed(self._alone[env.id], env.id, call), call
        )
        if found:
            self._account_wide = False
        self._silence.forget(found)
        return {env: self._alone[env].book for env, true in found.items() if true}, errors

    async def _refreshed(self, survey: Survey[models.Space], environment: str | None, call: Call) -> bool:
        hints = self._scope.space_hints.take(environment)
        true = False
        try:
            true = await survey.refresh(call, hints)
        finally:
            if not true:
                self._scope.space_hints.put_back(hints)
        return true

    async def _grouped(
        self, groups: Collection[str], environments: Sequence[EnvironmentRef], call: Call
    ) -> tuple[dict[str, Book], Sequence[FlatfileError]]:
        """Tell the account's spaces by environment; one that has none is asked by itself now and then."""
        now = self._scope.clock.wall()
        self._silence.forget(groups)
        doubtful = self._silence.doubtful([env for env in environments if env.id not in groups], now)
        answers, errors = await self._scope.some(doubtful, lambda env: self._by_itself(env, call), call)
        self._silence.believe((env for env, book in answers.items() if not book.ids(env)), now)
        unknown = {env.id for env in doubtful} - answers.keys()
        book = self._account.book
        return {env.id: answers.get(env.id, book) for env in environments if env.id not in unknown}, errors

    async def _by_itself(self, environment: EnvironmentRef, call: Call) -> Book:
        survey = self._survey({"environmentId": environment.id})
        await survey.read(call)
        return survey.book

    def families(self, fresh: Freshness) -> Iterator[Family]:
        """Give the environments' counts."""
        names = [format_duration(seconds) for seconds in self._config.inactive_after]
        samples: dict[Desc, list[Sample]] = {desc: [] for desc in COUNTED}
        single: list[tuple[tuple[str, str], Entry]] = []
        known = 0
        for environment in self._scope.environments or ():
            held = self._snapshots.get(environment.id)
            if held is None or not fresh(held.at):
                continue
            counts, labels = held.value.counts, (self._scope.account, *environment.labels)
            for state in STATES:
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
            single += [(environment.labels, space) for space in self._single.get(environment.id, ())]
            known += counts.all
        yield from (Family(desc, found) for desc, found in samples.items())
        if self._config.per_space:
            yield from _single_spaces.families(self._scope.account, single, known)


def entry(space: models.Space, environment: str) -> Entry:
    """Read a row. One that does not name its environment is of that which was asked for."""
    created, updated, activity = (_unix(text) for text in (space.created_at, space.updated_at, space.last_activity_at))
    return Entry(
        space.id,
        space.environment_id or environment,
        ARCHIVED if space.archived_at else EXPIRED if space.expired_at else ACTIVE,
        created,
        activity,
        next((at for at in (activity, updated, created) if at > NEVER), NEVER),
        updated,
        UNKNOWN if space.files_count is None else space.files_count,
        UNKNOWN if space.workbooks_count is None else space.workbooks_count,
        (space.name or "", space.namespace or "", space.app_id or "") if isinstance(space, models.NamedSpace) else (),
    )


def _unix(text: str | None) -> float:
    at = times.unix(text)
    return NEVER if at is None else at

"""What an account shows on the page of metrics: its collectors' families, and what the exporter says of the account itself."""

import asyncio
from collections.abc import Collection, Hashable, Iterator, Mapping, Sequence
from functools import partial

from exporter.account.api_metrics import ApiMetrics
from exporter.account.families import DROPPED, STORAGE_SUCCESS, TRUNCATED, UP, outcomes
from exporter.account.refresh import Refresh
from exporter.core.clock import Clock
from exporter.exposition.cache import AccountCache, Part
from exporter.exposition.families import Family
from exporter.exposition.freshness import Freshness
from exporter.exposition.text import Format, Lines
from exporter.flatfile.client import Client
from exporter.store.database import Closed, Connection, Database

ROOT = "environments"  # what `flatfile_up` tells of, and what most collectors build on
DROPPED_PART = "account: dropped"


class AccountPage:
    """The page of one account. `refreshes` are its collectors by name, of which those in `shown` are on it."""

    def __init__(
        self,
        name: str,
        clock: Clock,
        client: Client,
        database: Database,
        refreshes: Mapping[str, Refresh],
        shown: Sequence[str],
        api_metrics: ApiMetrics,
    ) -> None:
        self._name = name
        self._clock = clock
        self._client = client
        self._database = database
        self._refreshes = refreshes
        self._shown = shown
        self._api_metrics = api_metrics
        self._cache = AccountCache()

    async def lines(self, fmt: Format, only: Collection[str] | None, deadline: float) -> dict[str, Lines]:
        """Return what is known and within max_age, by the parts' names, of the collectors named in `only` if given.

        When the account's thread is busy until `deadline` (loop time), or a reload has replaced the account meanwhile, the
        collectors' parts are those rendered last.
        """
        now, states = self._clock.steady(), self._states(only)
        rendered = self._cache.current(states, fmt, now)
        if rendered is None:
            try:
                async with asyncio.timeout_at(deadline):
                    rendered = await self._database.run(
                        lambda db: self._cache.lines(self._collector_parts(db, only), fmt, now)
                    )
            except (TimeoutError, Closed):
                rendered = self._cache.cached(fmt, now, states)
        return rendered | self._cache.lines(self._own_parts(only), fmt, now)

    async def families(self, only: Collection[str] | None = None) -> list[Family]:
        """Return what is known and within max_age, of the collectors named in `only` if given."""
        now = self._clock.steady()

        def select(db: Connection) -> list[Family]:
            parts = (*self._collector_parts(db, only), *self._own_parts(only))
            return [family for part in parts for family in part.families(Freshness(now, part.max_age))]

        return await self._database.run(select)

    def _states(self, only: Collection[str] | None) -> dict[str, Hashable]:
        """Return what the collectors' parts of the page depend on, by the part's name."""
        shown = self._shown_refreshes(only)
        states: dict[str, Hashable] = {
            refresh.name: (refresh.revision, *(self._refreshes[name].revision for name in refresh.collector.requires))
            for refresh in shown
        }
        return states | {DROPPED_PART: tuple((refresh.name, refresh.revision) for refresh in shown)}

    def _collector_parts(self, db: Connection, only: Collection[str] | None) -> list[Part]:
        shown, states = self._shown_refreshes(only), self._states(only)
        parts = [
            Part(each.name, states[each.name], partial(each.collector.families, db), each.settings.max_age)
            for each in shown
        ]
        names = {refresh.name for refresh in shown}
        return [*parts, Part(DROPPED_PART, states[DROPPED_PART], lambda _: [self._dropped(db, names)])]

    def _dropped(self, db: Connection, names: Collection[str]) -> Family:
        rows = db.execute("SELECT collector, count FROM series_dropped ORDER BY collector")
        return Family(DROPPED, [((self._name, name), count) for name, count in rows if name in names])

    def _own_parts(self, only: Collection[str] | None) -> Iterator[Part]:
        """Yield what the exporter says of the account itself. Each part's state is read when the ones before are rendered."""
        root = self._refreshes[ROOT].outcome
        limited = root is not None and root.reason == "rate_limited" and self._client.session.is_token_accepted
        up = root is not None and (root.reached or limited)  # a limit on requests is an answer
        yield Part("account: up", up, lambda _: [Family(UP, [((self._name,), 1 if up else 0)])])
        shown = self._shown_refreshes(only)
        expiry = self._client.session.token_expiry
        revisions = tuple((refresh.name, refresh.revision) for refresh in shown)
        set_by = round(self._clock.wall() - self._clock.steady())
        yield Part(
            "account: refreshes", (revisions, expiry, set_by), lambda _: outcomes(self._name, shown, expiry, set_by)
        )
        stored = self._database.stored
        if stored is not None:
            yield Part("account: storage", stored, lambda _: [Family(STORAGE_SUCCESS, [((self._name,), int(stored))])])
        api_metrics, truncated = self._api_metrics, self._cache.truncated
        yield Part("account: requests", api_metrics.sent, lambda _: api_metrics.requests())
        yield Part("account: errors", api_metrics.failed, lambda _: api_metrics.errors())
        yield Part("account: labels", truncated, lambda _: [Family(TRUNCATED, [((self._name,), truncated)])])

    def _shown_refreshes(self, only: Collection[str] | None) -> list[Refresh]:
        return [self._refreshes[name] for name in self._shown if only is None or name in only]

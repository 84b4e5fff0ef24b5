"""One account at run time: its client, its collectors, refresh on request."""

import asyncio
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from exporter.account.api_metrics import ApiMetrics
from exporter.account.page import ROOT, AccountPage
from exporter.account.refresh import MAX_FAILURES, Failure, Outcome, Refresh
from exporter.account.unmatched import Unmatched
from exporter.collectors import REGISTRY
from exporter.collectors._context import Context, shown_environments
from exporter.config import AccountConfig, CollectorConfig
from exporter.core.clock import Clock
from exporter.core.worker import Worker
from exporter.exposition.freshness import Freshness
from exporter.flatfile.client import Client
from exporter.flatfile.session import Call
from exporter.flatfile.trace import Trace
from exporter.store.database import Connection, Database
from exporter.store.directory import api_identity

ENVIRONMENT_ID = "environment_id"  # the label
CONFIGURED = ("flatfile_agents_expected_min",)  # shown also while nothing is known of the environment
EVENTS = "events"  # whose topics may trigger other collectors
UNCONFIGURED = CollectorConfig(enabled=True, interval=60.0, max_age=900.0)  # of a collector without a key of its own
CLOCK_SLACK = 5.0  # seconds by which the server's clock may be misjudged
MAX_CLOSE = 1.0  # seconds that closing a file may take


@dataclass(frozen=True, slots=True)
class Status:
    """A collector's state for people: seconds, unix seconds; `outcome` `None` before the first refresh has finished.

    `trace` are the requests of the refresh in progress, else of the last one.
    """

    collector: str
    outcome: Outcome | None
    last_success: float | None
    running: bool
    due_in: float
    trace: Trace = field(default_factory=Trace)


@dataclass(frozen=True, slots=True)
class Withheld:
    """What a collector withholds: `environments` by name. `too_old`: some of it is known, and older than max_age."""

    everything: bool
    environments: tuple[str, ...]
    too_old: bool


class Account:
    """Refreshes an account's collectors when a scrape asks, and gives what is known."""

    def __init__(
        self,
        config: AccountConfig,
        make_client: Callable[[AccountConfig, ApiMetrics, Clock, Worker], Client],
        clock: Clock,
        path: Path | None = None,
        worker: Worker | None = None,
    ) -> None:
        """`path` is the file for its state, `None`: it is kept in memory. `worker` is the thread of a predecessor."""
        self.config = config
        self.worker = worker or Worker(f"account {config.name}")
        self._clock = clock
        self._api_metrics = ApiMetrics(config.name)
        self._client = make_client(config, self._api_metrics, clock, self.worker)
        self.database = Database(self.worker, clock, path, account=config.name, owner=api_identity(config.base_url))
        self._unmatched = Unmatched(config.name)
        self._context = Context(
            config, self._client, clock, self.database, self._refresh_now, self._wait_for, self._unmatched.report
        )
        self._shown = [name for name in REGISTRY if self._settings(name).enabled]
        self._refreshes: dict[str, Refresh] = {}
        self._closed = False
        self._file_closed: asyncio.Future[None]
        self.page = AccountPage(
            config.name, clock, self._client, self.database, self._refreshes, self._shown, self._api_metrics
        )
        self._without_trigger: int | None = None  # the revision of events that triggered nothing
        for name in (ROOT, *self._shown):
            self._add(name)

    def _settings(self, name: str) -> CollectorConfig:
        return self.config.collectors.get(name, UNCONFIGURED)

    def _add(self, name: str) -> None:
        """Set up a collector and, though they may not be shown, those that it builds on."""
        if name in self._refreshes:
            return
        collector = REGISTRY[name].Collector(self._context)
        for required in collector.requires:
            self._add(required)
        settings = self._settings(name)
        before = partial(self._before, collector.requires)
        self._refreshes[name] = Refresh(
            self.name, name, collector, settings, self._clock, before, self._api_metrics.error
        )
        self._api_metrics.expect(name)

    @property
    def name(self) -> str:
        """The account's name, the `account` label."""
        return self.config.name

    @property
    def client(self) -> Client:
        """The client, for a command that reads what no collector does."""
        return self._client

    @property
    def now(self) -> float:
        """Unix seconds by the clock that the times of objects are of."""
        return self._client.session.objects_now

    @property
    def tried(self) -> bool:
        """Whether a first refresh has been tried, successfully or not."""
        return any(refresh.outcome is not None for refresh in self._refreshes.values())

    async def refresh(self, deadline: float, only: Collection[str] | None = None) -> bool:
        """Refresh what is due, of the collectors named in `only` if given, until `deadline` (loop time).

        The environments are listed whatever `only` names, for `flatfile_up`. Returns whether all that was due has ended, or
        goes on by itself for long; the rest goes on in the background.
        """
        if self._closed:
            return True
        asked = self._asked(only)
        triggered = await self._triggered(asked, deadline)
        due = [refresh for refresh in asked if refresh.running or refresh.due or refresh.name in triggered]
        started = [refresh.start(deadline) for refresh in due if not self._closed]
        if not started:
            return True
        left = max(0.0, deadline - asyncio.get_running_loop().time())
        _, pending = await asyncio.wait(started, timeout=left)
        return not pending

    async def _triggered(self, asked: Sequence[Refresh], deadline: float) -> set[str]:
        """Return the collectors that are due because of an event since they last asked, whatever their interval."""
        waiting = {refresh.name: refresh.collector.triggers for refresh in asked if refresh.collector.triggers}
        waiting = {name: topics for name, topics in waiting.items() if not self._refreshes[name].due}
        events = self._refreshes[EVENTS].revision if EVENTS in self._refreshes else None
        if not waiting or events == self._without_trigger:
            return set()
        ahead = self.now - self._clock.steady()
        try:
            async with asyncio.timeout_at(deadline):
                triggered = await self.database.run(
                    lambda db: {n for n, topics in waiting.items() if _has_event(db, n, topics, ahead)}
                )
        except TimeoutError:
            return set()
        if not triggered:
            self._without_trigger = events
        return triggered

    def due_in(self, only: Collection[str] | None = None) -> float:
        """Seconds until a scrape that comes must ask for something, 0 when one that comes now must."""
        return min(refresh.due_in for refresh in self._asked(only))

    def _asked(self, only: Collection[str] | None) -> list[Refresh]:
        wanted = [name for name in self._shown if only is None or name in only]
        return [self._refreshes[name] for name in dict.fromkeys((ROOT, *wanted))]

    async def _before(self, requires: Sequence[str], call: Call) -> None:
        """Refresh the required collectors first. Raises the error of one that never succeeded."""
        required = [self._refreshes[name] for name in requires]
        # All at once: one that has failed meanwhile is due again, but not for the same scrape.
        under_way = [each.start(call.deadline.at) for each in required if each.running or each.due]
        if under_way:
            await asyncio.wait(under_way)
        for each in required:
            if not each.ever_reached:
                await each.finished()

    async def _refresh_now(self, name: str, call: Call) -> None:
        """Refresh one collector for another one that needs to know."""
        await self.force_refresh(name, call.deadline.at)

    async def settle(self, until: float) -> None:
        """Wait for the refreshes in progress, until `until` (loop time) at most."""
        left = max(0.0, until - asyncio.get_running_loop().time())
        await asyncio.gather(*(refresh.wait_for(left) for refresh in self._refreshes.values()))

    async def _wait_for(self, name: str, timeout: float) -> None:
        """Wait for another collector's refresh, if one is in progress, at most `timeout` seconds."""
        refresh = self._refreshes.get(name)
        if refresh is not None:
            await refresh.wait_for(timeout)

    def status(self) -> list[Status]:
        refreshes = (self._refreshes[name] for name in self._shown)
        return [Status(r.name, r.outcome, r.last_success, r.running, r.due_in, r.trace) for r in refreshes]

    @property
    def exchanged(self) -> Trace:
        """The requests of the last exchange of credentials for a token."""
        return self._client.session.exchanged

    def failures(self) -> list[Failure]:
        found = [failure for refresh in self._refreshes.values() for failure in refresh.failures]
        return sorted(found, key=lambda failure: failure.at, reverse=True)[:MAX_FAILURES]

    def unmatched(self) -> list[str]:
        """Return sentences on what the configuration names and the account did not have when it was last read."""
        return self._unmatched.sentences

    async def withheld(self) -> dict[str, Withheld]:
        """Return what each shown collector does not show, and why."""
        return await self.database.run(lambda db: {name: self._withheld(db, name) for name in self._shown})

    def _withheld(self, db: Connection, name: str) -> Withheld:
        refresh = self._refreshes[name]
        fresh = Freshness(self._clock.steady(), refresh.settings.max_age)
        families = [*refresh.collector.families(db, fresh)]
        seen = {
            labels[family.desc.labels.index(ENVIRONMENT_ID)]
            for family in families
            if ENVIRONMENT_ID in family.desc.labels and family.desc.name not in CONFIGURED
            for labels, _ in family.samples
        }
        by_environment = any(ENVIRONMENT_ID in desc.labels for desc in REGISTRY[name].FAMILIES)
        return Withheld(
            everything=not any(family.samples for family in families),
            environments=tuple(env.name for env in shown_environments(db) if env.id not in seen)
            if by_environment
            else (),
            too_old=fresh.too_old > 0,
        )

    async def force_refresh(self, name: str, deadline: float) -> None:
        """Refresh one collector, due or not, and wait for the end. Raises FlatfileError where everything failed.

        `deadline` in loop time.
        """
        await self._refreshes[name].force(deadline)

    def stop(self) -> None:
        """Ask for nothing any more, and let go of the file as soon as its thread can: a successor may open it then."""
        self._closed = True
        for refresh in self._refreshes.values():
            refresh.stop()
        self._file_closed = asyncio.ensure_future(self.database.close())

    async def aclose(self) -> None:
        """Stop, and wait for the end of what goes on in the background. The account's thread ends with the process."""
        if not self._closed:
            self.stop()
        await asyncio.gather(*(refresh.ended() for refresh in self._refreshes.values()))
        await self._client.session.aclose()
        await asyncio.wait([self._file_closed], timeout=MAX_CLOSE)


def _has_event(db: Connection, collector: str, topics: Sequence[str], ahead: float) -> bool:
    """Whether an event of such a topic (a glob) happened in an environment since the collector last asked for it.

    The server's clock is `ahead` seconds of ours.
    """
    query = (
        "SELECT 1 FROM event JOIN known USING (environment_id) "
        "WHERE collector = ? AND topic GLOB ? AND seen_at >= at AND created >= at + ? - ? LIMIT 1"
    )
    return any(db.execute(query, (collector, topic, ahead, CLOCK_SLACK)).fetchone() for topic in topics)

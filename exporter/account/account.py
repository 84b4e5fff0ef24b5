"""One account at run time: its client, its collectors, refresh on request."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field
from typing import ParamSpec, TypeVar

from exporter.account.api_metrics import Telemetry
from exporter.account.refresh import MOST_FAILURES, Failure, Outcome, Refresh
from exporter.collectors import REGISTRY
from exporter.collectors._context import Scope
from exporter.config import AccountConfig, CollectorConfig
from exporter.core.clock import Clock
from exporter.core.worker import Worker
from exporter.exposition.cache import AccountCache, Part
from exporter.exposition.families import Desc, Family, Sample
from exporter.exposition.freshness import Freshness
from exporter.exposition.text import Format, Lines
from exporter.flatfile.client import Client
from exporter.flatfile.session import Call
from exporter.flatfile.trace import Trace
from exporter.storage import Stored

P = ParamSpec("P")
T = TypeVar("T")

UP = Desc(
    "flatfile_up",
    "gauge",
    "1 when the last refresh could authenticate and list the environments, else 0.",
    ("account",),
)
SUCCESS = Desc(
    "flatfile_exporter_collector_success",
    "gauge",
    "1 when the collector's last finished refresh got all it asked for, else 0. Absent before the first has finished.",
    ("account", "collector"),
)
DURATION = Desc(
    "flatfile_exporter_collector_duration_seconds",
    "gauge",
    "How long the collector's last finished refresh took.",
    ("account", "collector"),
)
LAST_SUCCESS = Desc(
    "flatfile_exporter_collector_last_success_timestamp_seconds",
    "gauge",
    "When the collector's last successful refresh ended, in unix seconds. Absent before the first.",
    ("account", "collector"),
)
TOKEN_EXPIRY = Desc(
    "flatfile_exporter_token_expiry_timestamp_seconds",
    "gauge",
    "When the access token in use ends, in unix seconds. Absent for a token that is used as it is.",
    ("account",),
)
TRUNCATED = Desc(
    "flatfile_exporter_label_values_truncated_total",
    "counter",
    "Label values longer than 200 characters that were cut, counted each time that they are rendered.",
    ("account",),
)
FAMILIES = (UP, SUCCESS, DURATION, LAST_SUCCESS, TOKEN_EXPIRY, TRUNCATED)

ENVIRONMENT_ID = "environment_id"  # the label
CONFIGURED = ("flatfile_agents_expected_min",)  # said of an environment whatever is known of it
ROOT = "environments"  # what `flatfile_up` tells of, and what most collectors build on
UNCONFIGURED = CollectorConfig(enabled=True, interval=60.0, max_age=900.0)  # for a collector without a key of its own


@dataclass(frozen=True, slots=True)
class Status:
    """A collector's state for people: seconds, unix seconds; `outcome` `None` before the first refresh has finished.

    `trace` are the requests of the refresh under way, else of the last one.
    """

    collector: str
    outcome: Outcome | None
    last_success: float | None
    running: bool
    due_in: float
    trace: Trace = field(default_factory=Trace)


@dataclass(frozen=True, slots=True)
class Withheld:
    """What a collector does not show: `environments` by name. `too_old`: some of it is known, and older than max_age."""

    everything: bool
    environments: tuple[str, ...]
    too_old: bool


class Account:
    """Refreshes an account's collectors when a scrape asks, and gives what is known."""

    def __init__(
        self,
        config: AccountConfig,
        make_client: Callable[[AccountConfig, Telemetry, Clock], Client],
        clock: Clock,
        store: Stored | None = None,
    ) -> None:
        """`store` keeps what must outlive a restart; `None`: nothing does."""
        self.config = config
        self._clock = clock
        self._telemetry = Telemetry(config.name)
        self._client = make_client(config, self._telemetry, clock)
        self._scope = Scope(config, self._client, clock, self._again, self._settled, store=store)
        self._shown = [name for name in REGISTRY if self._settings(name).enabled]
        self._refreshes: dict[str, Refresh] = {}
        self._closed = False
        self._cache = AccountCache()
        self._worker = Worker(f"account {config.name}")
        for name in (ROOT, *self._shown):
            self._add(name)

    def _settings(self, name: str) -> CollectorConfig:
        return self.config.collectors.get(name, UNCONFIGURED)

    def _add(self, name: str) -> None:
        """Set up a collector and, though they may not be shown, those that it builds on."""
        if name in self._refreshes:
            return
        collector = REGISTRY[name].Collector(self._scope)
        for required in collector.requires:
            self._add(required)
        settings = self._settings(name)
        self._refreshes[name] = Refresh(self.name, name, collector, settings, self._clock, self._telemetry.error)
        self._telemetry.expect(name)

    @property
    def name(self) -> str:
        """The account's name, the `account` label."""
        return self.config.name

    @property
    def tried(self) -> bool:
        """Whether a first refresh has been tried: whatever came of it, there is something to say."""
        return any(refresh.outcome is not None for refresh in self._refreshes.values())

    async def refresh(self, deadline: float, only: Collection[str] | None = None) -> bool:
        """Refresh what is due, of the collectors named in `only` if given, until `deadline` (loop time).

        The environments are listed whatever `only` names, for `flatfile_up`. Returns whether all that was due has ended, or
        goes on by itself for long; the rest goes on in the background.
        """
        if self._closed:
            return True
        started = [self._start(refresh, deadline) for refresh in self._asked(only) if refresh.running or refresh.due]
        if not started:
            return True
        left = max(0.0, deadline - asyncio.get_running_loop().time())
        _, pending = await asyncio.wait(started, timeout=left)
        return not pending

    def due_in(self, only: Collection[str] | None = None) -> float:
        """Seconds until a scrape that comes must ask for something, 0 when one that comes now must."""
        return min(refresh.due_in for refresh in self._asked(only))

    def _asked(self, only: Collection[str] | None) -> list[Refresh]:
        wanted = [name for name in self._shown if only is None or name in only]
        return [self._refreshes[name] for name in dict.fromkeys((ROOT, *wanted))]

    def _start(self, refresh: Refresh, deadline: float) -> asyncio.Future[None]:
        return refresh.start(deadline, self._before(refresh))

    def _before(self, refresh: Refresh) -> Callable[[Call], Awaitable[None]]:
        """What the refresh builds on comes first. Raises what keeps it from ever having come."""

        async def before(call: Call) -> None:
            required = [self._refreshes[name] for name in refresh.collector.requires]
            # All at once: one that has failed meanwhile is due again, but not for the same scrape.
            under_way = [self._start(each, call.deadline.at) for each in required if each.running or each.due]
            if under_way:
                await asyncio.wait(under_way)
            for each in required:
                if not each.ever_reached:
                    await each.finished()

        return before

    async def _again(self, name: str, call: Call) -> None:
        """Ask one collector anew for another one that needs to know."""
        await self.anew(name, call.deadline.at)

    async def _settled(self, name: str, patience: float) -> None:
        """Wait for another collector's refresh, if one is under way, at most `patience` seconds."""
        refresh = self._refreshes.get(name)
        if refresh is not None:
            await refresh.settled(patience)

    async def lines(self, fmt: Format, only: Collection[str] | None, deadline: float) -> dict[str, Lines]:
        """Return what is known and within max_age, by the parts' names, of the collectors named in `only` if given.

        When the account's thread is busy until `deadline` (loop time), the collectors' parts are those rendered last.
        """
        now = self._clock.wall()
        parts = self._collector_parts(only)
        try:
            async with asyncio.timeout_at(deadline):
                rendered = await self._worker.run(self._cache.lines, parts, fmt, now)
        except TimeoutError:
            rendered = self._cache.cached(fmt, now, [part.name for part in parts])
        return rendered | self._cache.lines(self._own_parts(only), fmt, now)

    async def run(self, work: Callable[P, T], *args: P.args, **named: P.kwargs) -> T:
        """Run a function on the account's thread."""
        return await self._worker.run(work, *args, **named)

    def families(self, only: Collection[str] | None = None) -> Iterator[Family]:
        """Give what is known and not too old, of the collectors named in `only` if given."""
        now = self._clock.wall()
        for part in (*self._collector_parts(only), *self._own_parts(only)):
            yield from part.families(Freshness(now, part.max_age))

    def _collector_parts(self, only: Collection[str] | None) -> list[Part]:
        return [
            Part(
                refresh.name,
                (refresh.revision, *(self._refreshes[name].revision for name in refresh.collector.requires)),
                refresh.collector.families,
                refresh.settings.max_age,
            )
            for refresh in self._shown_refreshes(only)
        ]

    def _own_parts(self, only: Collection[str] | None) -> Iterator[Part]:
        """Yield what the exporter says of the account itself. Each part's state is read when the ones before are rendered."""
        root = self._refreshes[ROOT].outcome
        up = root is not None and root.reached
        yield Part("account: up", up, lambda _: [Family(UP, [((self.name,), 1 if up else 0)])])
        shown = self._shown_refreshes(only)
        expiry = self._client.session.token_expiry
        revisions = tuple((refresh.name, refresh.revision) for refresh in shown)
        yield Part("account: refreshes", (revisions, expiry), lambda _: self._outcomes(shown, expiry))
        telemetry, truncated = self._telemetry, self._cache.truncated
        yield Part("account: requests", telemetry.sent, lambda _: telemetry.requests())
        yield Part("account: errors", telemetry.failed, lambda _: telemetry.errors())
        yield Part("account: labels", truncated, lambda _: [Family(TRUNCATED, [((self.name,), truncated)])])

    def _shown_refreshes(self, only: Collection[str] | None) -> list[Refresh]:
        return [self._refreshes[name] for name in self._shown if only is None or name in only]

    def _outcomes(self, shown: Sequence[Refresh], token_expiry: float | None) -> Iterator[Family]:
        """What came of the collectors' last refreshes."""
        success: list[Sample] = []
        duration: list[Sample] = []
        last: list[Sample] = []
        for refresh in shown:
            labels = (self.name, refresh.name)
            outcome = refresh.outcome
            if outcome is not None:
                success.append((labels, 1 if outcome.success else 0))
                duration.append((labels, outcome.duration))
            if refresh.last_success is not None:
                last.append((labels, refresh.last_success))
        yield from (Family(SUCCESS, success), Family(DURATION, duration), Family(LAST_SUCCESS, last))
        if token_expiry is not None:
            yield Family(TOKEN_EXPIRY, [((self.name,), token_expiry)])

    def status(self) -> list[Status]:
        """Give each shown collector's state."""
        refreshes = (self._refreshes[name] for name in self._shown)
        return [Status(r.name, r.outcome, r.last_success, r.running, r.due_in, r.trace) for r in refreshes]

    @property
    def exchanged(self) -> Trace:
        """The requests of the last exchange of credentials for a token."""
        return self._client.session.exchanged

    def failures(self) -> list[Failure]:
        """Give the latest failures, the newest first."""
        found = [failure for refresh in self._refreshes.values() for failure in refresh.failures]
        return sorted(found, key=lambda failure: failure.at, reverse=True)[:MOST_FAILURES]

    def withheld(self, name: str) -> Withheld:
        """Tell what a collector that is shown does not show, and why."""
        refresh = self._refreshes[name]
        fresh = Freshness(self._clock.wall(), refresh.settings.max_age)
        families = [*refresh.collector.families(fresh)]
        listed = {environment.id: environment.name for environment in self._scope.environments or ()}
        seen = {
            labels[family.desc.labels.index(ENVIRONMENT_ID)]
            for family in families
            if ENVIRONMENT_ID in family.desc.labels and family.desc.name not in CONFIGURED
            for labels, _ in family.samples
        }
        by_environment = any(ENVIRONMENT_ID in desc.labels for desc in REGISTRY[name].FAMILIES)
        return Withheld(
            everything=not any(family.samples for family in families),
            environments=tuple(listed[id_] for id_ in listed if id_ not in seen) if by_environment else (),
            too_old=fresh.too_old > 0,
        )

    async def anew(self, name: str, deadline: float) -> None:
        """Refresh one collector, due or not, and wait for the end. Raises FlatfileError where everything failed.

        `deadline` in loop time.
        """
        refresh = self._refreshes[name]
        await refresh.anew(deadline, self._before(refresh))

    async def aclose(self) -> None:
        """End what goes on in the background and close connections. Nothing is asked any more."""
        self._closed = True
        await asyncio.gather(*(refresh.cancel() for refresh in self._refreshes.values()))
        await self._client.session.aclose()
        self._worker.close()

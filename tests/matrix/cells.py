"""One cell of the matrix: an account of its own, a fault, three scrapes, and what must hold on each page."""

import asyncio
import ssl
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal

from exporter.collectors import REGISTRY
from exporter.demo.activity import Clock
from tests.serving import account_lines
from tests.simulator.faults import Fault, Redirect
from tests.simulator.server import SimulatedServer
from tests.simulator.switches import Switches

from .page import Page, Samples
from .trials import ACCOUNT, AUTH, COPED, ENVIRONMENTS, Trial, collector_of
from .world import PRODUCTION, change, matrix_world

Start = Literal["before", "steady"]
STARTS: tuple[Start, ...] = ("before", "steady")
Scrape = Callable[[str], Awaitable[Page]]

EXPECTED_AGENTS = (
    "[{environment: production, agents: ['import-*', validator], min: 2},"
    " {environment: gone, agents: [importer], min: 1}]"
)
SILENCE_BELIEVED = 2.0
"""Seconds for which an account-wide list that is silent about an environment is believed, in the cells about that."""
LATE = ("flatfile_agent_queue_lag_seconds",)
"""What one collector tells of what another one has seen: of the same scrape, or of the one before."""
ACCOUNT_INFO = "flatfile_account_info"
FROM_CONFIGURATION = ("flatfile_agents_expected_min", 'flatfile_agent_missing{account="",environment_id=""')
"""What the configuration tells together with the list of environments, without any agent."""
SETTLE = 4.0
"""Seconds of the server's clock that an exporter tells from its own start for sure: `Date` headers are to the second."""


def settings(requests: str, max_age: str = "15m") -> str:
    """What stands in an account beside its name, address and credentials: every collector asks at every scrape."""
    collectors = ", ".join(f"{name}: {{interval: 0s, max_age: {max_age}}}" for name in REGISTRY)
    return f"requests: {requests}, events: {{window: 1h}}, collectors: {{{collectors}}}, expected_agents: {EXPECTED_AGENTS}"


@dataclass(frozen=True)
class Truth:
    """The pages of an account without any fault: before and after the change."""

    old: Page
    new: Page


@dataclass(frozen=True)
class Result:
    """What was seen in a cell, as the document tells it. `failed`: the collectors that did not succeed."""

    path: str
    trial: str
    start: Start
    reasons: tuple[str, ...]
    failed: tuple[str, ...]
    up: str


@dataclass
class Cell:
    """An account on a simulated API of its own. `trial` None: nothing goes wrong, to see what is true."""

    path: str
    trial: Trial | None
    start: Start
    clock: Clock
    problems: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        readings = self.trial.readings(self.path) if self.trial else Switches(guests_without_space="all")
        self.world = matrix_world(self.clock)
        self.api = SimulatedServer(self.world, readings, ssl_context=self.ssl_context())

    def ssl_context(self) -> ssl.SSLContext | None:
        """What the simulated API serves with; None: plain HTTP."""
        return None

    @property
    def base_url(self) -> str:
        """The address in the configuration."""
        return self.api.base_url

    @property
    def name(self) -> str:
        """The account's name."""
        return f"{self.trial.id if self.trial else 'nothing'}-{self.start}"

    @property
    def hides_events(self) -> bool:
        """Whether events of one environment are left out of the account's list, which is only noticed after a while."""
        return self.trial is not None and self.trial.one_environment and self.path == "/events"

    def lines(self) -> str:
        """The account in the configuration."""
        # the silence of one environment is believed for a third of max_age
        max_age = f"{3 * SILENCE_BELIEVED:g}s" if self.hides_events else "15m"
        return account_lines(self.name, self.base_url, more=settings(self.requests(), max_age))

    def requests(self) -> str:
        """The limits of requests in the configuration, as YAML."""
        return self.trial.requests if self.trial else "{per_second: 10000}"

    async def break_(self, elsewhere: str) -> Callable[[], bool]:
        """Begin to fail; gives what tells whether it has been met. `elsewhere`: where a redirect leads."""
        assert self.trial is not None
        if self.path == AUTH and self.start == "steady":
            self.api.invalidate_tokens()  # else nobody would exchange credentials for a day
        if self.trial.fault is None:
            self.api.switches.forbidden.add((self.path, PRODUCTION))
            return lambda: any(request.status == 403 for request in self.api.requests)
        rule = self.api.faults.add(self.path, _aimed(self.trial.fault, elsewhere), count=self.trial.count)
        return lambda: rule.hits > 0

    async def mend(self) -> None:
        """Everything is right again."""
        self.api.faults.clear()
        self.api.switches.forbidden.clear()

    def change(self, at: float) -> None:
        """Something happens in the account."""
        change(self.world, at)

    async def first(self, scrape: Scrape) -> Page | None:
        """In the steady state: a scrape before anything goes wrong."""
        return await scrape(self.name) if self.start == "steady" else None

    async def rest(self, scrape: Scrape, base: Page | None, truth: Truth, elsewhere: str, at: float) -> Result:
        """Fail, scrape, mend, scrape, and note in `problems` what does not hold. `at`: when things change in the account."""
        assert self.trial is not None
        if self.start == "steady":
            self.change(at)
            if self.hides_events:
                await asyncio.sleep(SILENCE_BELIEVED)
        met = await self.break_(elsewhere)
        page = await scrape(self.name)
        if not met():
            self.problems.append("the fault was not met")
        self.problems += self._during(page, base, truth.new if self.start == "steady" else truth.old)
        await self.mend()
        if self.start == "before":
            self.change(at)
        await asyncio.sleep(self.trial.waits(self.path))
        after = await scrape(self.name)
        if any(is_late(series) and value != truth.new.samples[series] for series, value in after.samples.items()):
            after = await scrape(self.name)
        self.problems += well(after, page, truth.new)
        if self.api.forbidden_requests:
            self.problems.append(f"a request that must not be: {self.api.forbidden_requests[0].path}")
        return self._result(page, base)

    def failing(self) -> frozenset[str]:
        """The collectors that must not succeed: before their first success also those that build on one that fails."""
        assert self.trial is not None
        if self.trial.expected(self.path) == COPED:
            return frozenset()
        collector = collector_of(self.path)
        if collector is None:
            return frozenset(REGISTRY)
        if self.start == "steady" or self._in_part:
            return frozenset({collector})
        return building_on(collector)

    @property
    def _in_part(self) -> bool:
        """Whether the collector gets the rest of what it asks for."""
        return self.path == ACCOUNT or (self.trial is not None and self.trial.one_environment)

    def _during(self, page: Page, base: Page | None, truth: Page) -> Iterator[str]:
        assert self.trial is not None
        failing, reason = self.failing(), self.trial.expected(self.path, self.start)
        down = collector_of(self.path) is None or (self.path == ENVIRONMENTS and reason != "rate_limited")
        up = "0" if failing and down else "1"
        if page.up != up:
            yield f"flatfile_up is {page.up}"
        told = {collector: set[str]() for collector in REGISTRY}
        for (collector, why), number in page.errors().items():
            if base is None or number != base.errors().get((collector, why)):
                told[collector].add(why)
        for collector in REGISTRY:
            bad = collector in failing
            if told[collector] != ({reason} if bad else set()):
                yield f"{collector}: errors counted for {sorted(told[collector]) or 'nothing'}"
            if page.success(collector) != ("0" if bad else "1"):
                yield f"{collector}: success is {page.success(collector)}"
            before = base.last_success(collector) if base else None
            now = page.last_success(collector)
            if (now != before) if bad else (now is None or (before is not None and now <= before)):
                yield f"{collector}: last success is {now}, was {before}"
            yield from self._shown(collector, page, base, truth)

    def _shown(self, collector: str, page: Page, base: Page | None, truth: Page) -> Iterator[str]:
        """What the collector shows: the truth where it succeeds, else what it knew before, or nothing."""
        shown, true = page.by_collector[collector], truth.by_collector[collector]
        failing = self.failing()
        if collector not in failing and not any(collector in building_on(name) for name in failing):
            yield from differences(collector, shown, true, {} if base is None else base.by_collector[collector])
            return
        known = {} if base is None else base.by_collector[collector]
        for series, value in shown.items():
            if value not in (known.get(series), true.get(series)):
                yield f"{collector}: {series} is {value}, not {known.get(series)} or {true.get(series)}"
        # What was known stays. In the cells about hidden events it is withheld early.
        for series in known.keys() - shown.keys() if not self.hides_events else ():
            yield f"{collector}: {series} was known and is not shown"
        if collector in failing:
            yield from self._failed(collector, shown, known, true, cold=base is None)

    def _failed(self, collector: str, shown: Samples, known: Samples, true: Samples, *, cold: bool) -> Iterator[str]:
        """A failing collector: what it tells of what it cannot know (`cold`: it never has), and of the rest if there is one."""
        part = self._in_part and (ACCOUNT_INFO if self.path == ACCOUNT else f'environment_id="{PRODUCTION}"')
        # the collector `environments` asks two endpoints
        otherwise_known = (*FROM_CONFIGURATION, ACCOUNT_INFO) if self.path == ENVIRONMENTS else FROM_CONFIGURATION
        for series, value in shown.items():
            if part and part not in series:
                continue
            if cold and not series.startswith(otherwise_known):
                yield f"{collector}: {series} is {value}, which cannot be known"
            if value != known.get(series, value):
                yield f"{collector}: {series} is {value}, but the last that was known was {known[series]}"
        if part:
            # a topic that has been seen in no other environment has no series yet
            spared = {k: v for k, v in true.items() if part not in k and (k in shown or v != "0" or not cold)}
            yield from differences(collector, {k: v for k, v in shown.items() if part not in k}, spared)

    def _result(self, page: Page, base: Page | None) -> Result:
        assert self.trial is not None
        old = base.errors() if base else {}
        own = collector_of(self.path) or "environments"
        reasons = {why for (name, why), n in page.errors().items() if name == own and n != old.get((name, why))}
        failed = tuple(name for name in REGISTRY if page.success(name) != "1")
        return Result(self.path, self.trial.id, self.start, tuple(sorted(reasons)), failed, page.up)


def well(page: Page, before: Page, truth: Page) -> Iterator[str]:
    """What is not as it should be where nothing is wrong any more."""
    if page.up != "1":
        yield "afterwards: flatfile_up is 0"
    for collector in REGISTRY:
        for problem in differences(collector, page.by_collector[collector], truth.by_collector[collector]):
            yield f"afterwards: {problem}"
        now, then = page.last_success(collector), before.last_success(collector)
        if page.success(collector) != "1" or now is None or (then is not None and now <= then):
            yield f"afterwards: {collector}: success is {page.success(collector)}, the last one at {now}, was {then}"
    if page.errors() != before.errors():
        yield f"afterwards: errors {page.errors()}, were {before.errors()}"


def is_late(series: str) -> bool:
    """Whether it may come one scrape later."""
    return series.startswith(LATE)


def building_on(collector: str) -> frozenset[str]:
    """The collector and all that cannot begin before it has succeeded once."""
    found = {collector}
    while more := {name for name, module in REGISTRY.items() if found & set(module.Collector.requires)} - found:  # type: ignore[attr-defined]
        found |= more
    return frozenset(found)


def differences(what: str, shown: Samples, expected: Mapping[str, str], before: Samples | None = None) -> Iterator[str]:
    """Each series that is not as expected; one of LATE may still be as `before` (None: it may not)."""
    for series in sorted(shown.keys() | expected.keys()):
        late = before is not None and is_late(series) and shown.get(series) == before.get(series, "0")
        if shown.get(series) != expected.get(series) and not late:
            yield f"{what}: {series} is {shown.get(series, 'absent')}, not {expected.get(series, 'absent')}"


def _aimed(fault: Fault, elsewhere: str) -> Fault:
    return Redirect(elsewhere) if isinstance(fault, Redirect) else fault

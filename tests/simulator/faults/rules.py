"""Where a fault strikes, and how often."""

import asyncio
from dataclasses import dataclass, field

from tests.simulator.faults.kinds import Fault


@dataclass(eq=False)
class FaultRule:
    """Where a fault strikes. `count`: how often, None for always. `hits`: how often it did."""

    path: str
    fault: Fault
    environment: str | None = None
    page: int | None = None
    count: int | None = None
    hits: int = 0
    released: asyncio.Event = field(default_factory=asyncio.Event)

    def fits(self, path: str, environment: str | None, page: int) -> bool:
        """Whether a request is one that it strikes."""
        return (
            self.path in ("*", path)
            and self.environment in (None, environment)
            and (self.page is None or page >= self.page)
            and (self.count is None or self.hits < self.count)
        )


class Faults:
    """The faults at work. The first rule that fits a request strikes."""

    def __init__(self) -> None:
        self.rules: list[FaultRule] = []

    def add(
        self,
        path: str,
        fault: Fault,
        *,
        environment: str | None = None,
        page: int | None = None,
        count: int | None = None,
    ) -> FaultRule:
        """Let `fault` strike requests of this path (its template, or `*`), and if given: that name this
        environment, that ask for this page or a later one, and only the next `count` of them."""
        rule = FaultRule(path, fault, environment, page, count)
        self.rules.append(rule)
        return rule

    def remove(self, rule: FaultRule) -> None:
        """The rule strikes no more, and lets go of what hangs."""
        self.rules.remove(rule)
        rule.released.set()

    def clear(self) -> None:
        """Remove all."""
        for rule in list(self.rules):
            self.remove(rule)

    def strike(self, path: str, environment: str | None, page: int) -> FaultRule | None:
        """The rule that strikes this request, counted as a hit."""
        for rule in self.rules:
            if rule.fits(path, environment, page):
                rule.hits += 1
                return rule
        return None

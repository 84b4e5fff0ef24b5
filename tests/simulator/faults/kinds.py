"""The kinds of faults: what each may do with a request."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from exporter.demo.api import Reply
from exporter.demo.rows import Row
from tests.simulator.wire import Wire


class Fault:
    """Something that goes wrong."""


class Replied(Fault):
    """A fault that answers something else."""

    def reply(self, now: float) -> Reply:
        """The answer. `now`: unix seconds."""
        raise NotImplementedError


class Deformed(Fault):
    """A fault in the body of an answer that would be right."""

    def deformed(self, body: Row, page: int, first: Callable[[], Row]) -> Any:
        """The body to send instead. `page`: the page asked for; `first()`: what the first page would be."""
        if isinstance(body.get("data"), list):
            return self.of_list(body, page, first)
        return self.of_object(body)

    def of_list(self, body: Row, page: int, first: Callable[[], Row]) -> Any:
        """A list of rows in `data`, deformed."""
        raise NotImplementedError

    def of_object(self, body: Row) -> Any:
        """A single object, or the answer to an exchange of credentials, deformed; as it is where the fault is one of lists."""
        return body


class OnWire(Fault):
    """A fault below HTTP. The connection is closed afterwards."""

    async def send(self, wire: Wire, reply: Reply) -> None:
        """Do it, instead of sending `reply`."""
        raise NotImplementedError


@dataclass(frozen=True)
class Hang(Fault):
    """No answer until the rule is removed; then the right one."""

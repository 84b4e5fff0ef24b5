"""Whose runs these are: agent after agent is asked for its own, if the API tells them apart at all."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from exporter.collectors._runs import MOST_ROWS, NEWEST, NOBODY, Reading, RunBook, content
from exporter.flatfile import models, times
from exporter.flatfile.client import Client
from exporter.flatfile.errors import FlatfileError, NotFound, TooLarge
from exporter.flatfile.session import Call

HOLDS = 300.0  # seconds for which a finding about the API holds: it may have been a mistake
COMPARED = 100  # rows by which an agent's list is told from the environment's
MOST_ASKED = 100  # agents of one environment in one look; the others the next time
MOST_WAITED_FOR = 20  # after so many no scrape waits any more
MOST_GONE = 20  # agents that are not deployed any more, and are asked too: they may have run to the end


class Owners:
    """Finds the agents of one environment's new runs. `clock` gives seconds that only ever go forward.

    One definition of the API does not have `agentId`. A server that ignores it gives every agent the same runs: whose they are
    is not known then, and they are counted as nobody's.
    """

    def __init__(self, book: RunBook, client: Client, environment: str, clock: Callable[[], float]) -> None:
        self._book = book
        self._client = client
        self._environment = environment
        self._clock = clock
        self._tells: bool | None = None  # whether the API tells agents' runs apart
        self._tells_until = 0.0
        self._refused = 0  # times in a row

    async def find(self, rows: Sequence[models.Execution], listed: Sequence[str], call: Call) -> None:
        """Ask the agents that are `listed`, those that ran last first, until every run has its agent or none is left.

        `rows` are the environment's, as read just now. Raises FlatfileError; runs that have no agent yet stay sought.
        """
        book = self._book
        if not book.sought:
            return
        agents = [*book.latest_first(listed), *book.latest_first(book.gone(listed))[:MOST_GONE]]
        known: dict[str, set[int]] = {}
        if (
            len(agents) > 1
            and self._telling is None
            and not await self._compare(agents, len(listed), rows[:COMPARED], known, call)
        ):
            return
        if self._telling is False:
            book.found(NOBODY, [*book.sought])
        asked = 0
        for agent in agents:
            wanted = {key for key, sought in book.sought.items() if agent not in sought.not_of}
            if not wanted or asked >= MOST_ASKED:
                continue
            if agent not in known:
                asked += 1
                if asked == MOST_WAITED_FOR:
                    call.detach()
                    call = replace(call, background=True)
                known[agent] = await self._runs_of(agent, call, listed=agent in listed)
            book.found(agent, wanted & known[agent])
            book.not_found(agent, wanted - known[agent])

    @property
    def _telling(self) -> bool | None:
        return self._tells if self._clock() < self._tells_until else None

    def _learn(self, tells: bool) -> None:
        self._tells, self._tells_until = tells, self._clock() + HOLDS

    async def _compare(
        self,
        agents: Sequence[str],
        listed: int,
        rows: Sequence[models.Execution],
        known: dict[str, set[int]],
        call: Call,
    ) -> bool:
        """Find out whether agents' runs are told apart: no two agents can each have most of the environment's `rows`.

        Fills `known` with what the agents have that were asked. False where there is nothing to compare with.
        """
        ended = {hash(content(row)) for row in rows if row.completed_at}
        if not ended:
            return False
        for index, agent in enumerate(agents[:2]):
            known[agent] = await self._runs_of(agent, call, rows, listed=index < listed)
            self._learn(tells=2 * len(ended & known[agent]) <= len(ended))
            if self._tells:
                break
        return True

    async def _runs_of(
        self, agent: str, call: Call, compared: Sequence[models.Execution] = (), *, listed: bool
    ) -> set[int]:
        """Read an agent's list as far as there may be runs that are sought or `compared`; `listed`: it is deployed."""
        sought = {key: found.run for key, found in self._book.sought.items()}
        starts = [run.began or 0.0 for run in sought.values()] + [times.unix(row.created_at) or 0.0 for row in compared]
        ends = [run.ended for run in sought.values()] + [times.unix(row.completed_at) or 0.0 for row in compared]
        began, ended = min(starts), min(ends)
        reading = Reading()
        found: set[int] = set()

        def enough(page: list[models.Execution]) -> bool:
            reading.look(page)
            found.update(hash(content(row)) for row in page)
            if reading.rows > MOST_ROWS:
                raise TooLarge(f"more than {MOST_ROWS} runs of one agent", endpoint=str(NEWEST.endpoint))
            return reading.past(page, began, ended) or (not compared and sought.keys() <= found)

        params = {"environmentId": self._environment, "agentId": agent}
        try:
            rows = await self._client.rows(NEWEST, params, call, stop=enough)
        except NotFound:
            if listed:
                raise
            rows = []  # the agent is gone, and its runs with it
        except FlatfileError as error:
            self._refused = self._refused + 1 if error.concerns_the_question else 0
            if self._refused > 1:  # once may be a mistake
                self._learn(tells=False)
            raise
        self._refused = 0
        return {hash(content(row)) for row in rows}

"""Guests in one list of the whole account, where the API gives that. Single spaces are compared with it in turn."""

from collections.abc import Callable, Sequence

from exporter.collectors import _guest_lists
from exporter.collectors._asked import Space
from exporter.collectors._context import Context, Environment, mark_known, mark_verified, needs_check
from exporter.collectors._guest_lists import LISTING, NAME
from exporter.flatfile import models
from exporter.flatfile.errors import FlatfileError, NotFound
from exporter.flatfile.session import Call
from exporter.store.database import Connection

ROUND = (10, 20, 25, 50, 100, 200, 250, 500)
"""How many rows an account-wide list has that was cut in silence; also any multiple of 1000."""


class AccountList:
    """Reads the list. `note` is called on the account's thread when that has changed a row."""

    def __init__(self, context: Context, note: Callable[[], None]) -> None:
        self.is_contradicted = False
        """Whether the list lacks what the lists of spaces have."""
        self._context = context
        self._note = note
        self._spaces = context.config.collectors["spaces"]
        self._contradictions = 0
        self._checked = ""

    async def read(self, call: Call) -> Sequence[FlatfileError] | None:
        """Ask without naming a space. `None` where the API does not give that.

        The parameter is required in most definitions and deprecated in one, so the server may refuse, answer with nothing
        though there are spaces, leave out where a guest is, or cut the list.
        """
        context, at = self._context, self._context.clock.steady()
        rows = await context.client.rows(LISTING, {}, call)
        told = all(row.environment_id and row.spaces is not None for row in rows) and any(row.spaces for row in rows)
        if not told or len(rows) in ROUND or (rows and len(rows) % 1000 == 0):
            empty = not rows and not await context.database.run(_guest_lists.has_spaces)
            if not empty:
                return None
        mentioned = {row.environment_id or "" for row in rows}
        to_check, silent = await self._to_check(mentioned, at)
        found, errors = await context.gather_partial(
            [Environment(space, space) for space, _ in to_check], lambda space: self._of_space(space.id, call), call
        )
        pairs = {of: {row.id for row in rows if of in {entry.id for entry in row.spaces or ()}} for of in found}
        if any(own is not None and {row.id for row in own} != pairs[space] for space, own in found.items()):
            self._contradictions += 1  # once may be a guest who came in between
            self.is_contradicted = self._contradictions > 1
            return None
        self._contradictions = 0
        unsure = {env for space, env in to_check if env in silent and found.get(space) is None}

        def write(db: Connection) -> None:
            if _guest_lists.write_account(db, rows, [*unsure]):
                self._note()
            shown = {env for (env,) in db.execute("SELECT id FROM environment WHERE shown")}
            mark_known(db, NAME, mentioned & shown, at)
            checked, known = {env for _, env in to_check}, self._known(db)
            for environment in silent - unsure:
                mark = mark_verified if environment in checked else mark_known
                if environment in checked or not _guest_lists.has_spaces(db, environment):
                    mark(db, NAME, [environment], min(at, known[environment] + self._spaces.interval))

        await context.database.run(write)
        return errors

    async def _to_check(self, mentioned: set[str], at: float) -> tuple[list[Space], set[str]]:
        """Choose spaces to compare with the account-wide list: one of each environment that it does not mention, now and
        then, and one more in turn. Also returns the environments that it does not mention and whose spaces are known."""

        def choose(db: Connection) -> tuple[list[Space], set[str]]:
            silent = [Environment(env, env) for env in self._known(db) if env not in mentioned]
            since = at - self._context.config.collectors[NAME].max_age / 3
            query = "SELECT id, environment_id FROM space WHERE environment_id = ? ORDER BY id LIMIT 1"
            chosen = [
                space
                for env in needs_check(db, NAME, silent, since)
                if (space := db.execute(query, (env.id,)).fetchone())
            ]
            query = (
                "SELECT space.id, environment_id FROM space JOIN environment ON environment.id = environment_id "
                "WHERE shown AND space.id > ? ORDER BY space.id"
            )
            for after in (self._checked, ""):
                turn = next((space for space in db.execute(query, (after,)) if space[1] in mentioned), None)
                if turn:
                    chosen.append(turn)
                    break
            return chosen, {env.id for env in silent}

        chosen, silent = await self._context.database.run(choose)
        self._checked = chosen[-1][0] if chosen else ""
        return chosen, silent

    async def _of_space(self, space: str, call: Call) -> list[models.Guest] | None:
        """Read the guests of one space; `None` where the space is gone."""
        try:
            return await self._context.client.rows(LISTING, {"spaceId": space}, call)
        except NotFound:
            return None

    def _known(self, db: Connection) -> dict[str, float]:
        return _guest_lists.spaces_known(db, self._context.clock.steady() - self._spaces.max_age)

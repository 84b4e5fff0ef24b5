"""Names and e-mail addresses for `inventory --people`: read for the output alone, and kept nowhere else."""

import asyncio
from functools import partial

from exporter.account.account import Account
from exporter.account.one_shot import Trouble
from exporter.audit.models import Named
from exporter.flatfile.client import Listing, identity
from exporter.flatfile.deadline import Deadline
from exporter.flatfile.endpoints import Endpoint
from exporter.flatfile.errors import FlatfileError, NotFound, Timeout
from exporter.flatfile.session import Call
from exporter.store.database import Connection

USERS = Listing(Endpoint.USERS, Named, identity)
GUESTS = Listing(Endpoint.GUESTS, Named, identity, paged=False)
BY_SPACE = "SELECT EXISTS (SELECT 1 FROM guest_space WHERE asked_at IS NOT NULL)"
WITH_GUESTS = "SELECT id FROM guest_space WHERE EXISTS (SELECT 1 FROM membership WHERE space = no) ORDER BY id"
IN_SPACE = """
SELECT guest.id FROM guest_space AS s JOIN membership ON space = s.no JOIN guest ON guest.no = guest WHERE s.id = ?"""


async def read_people(account: Account, kind: str, deadline: float) -> tuple[dict[str, Named], Trouble | None]:
    """Return the `users`, or the `guests` that the database knows, by id, and why some are missing, if so.

    `deadline` is in loop time.
    """
    found: dict[str, Named] = {}
    call = Call(Deadline(deadline, asyncio.get_running_loop().time), background=True)
    try:
        async with asyncio.timeout_at(deadline):
            if kind == "users":
                found.update((row.id, row) for row in await account.client.rows(USERS, {}, call))
            else:
                await _read_guests(account, found, call)
    except FlatfileError as error:
        return found, Trouble(error.reason, error.endpoint, error.status, str(error))
    except TimeoutError:
        return found, Trouble(Timeout.reason, "", None, "not finished in time")
    return found, None


async def _read_guests(account: Account, found: dict[str, Named], call: Call) -> None:
    """Read guests as the collector could: all at once, or else space by space, those of one space only if some are missing."""
    database = account.database
    if not await database.run(lambda db: db.execute(BY_SPACE).fetchone()[0]):
        found.update((row.id, row) for row in await account.client.rows(GUESTS, {}, call))
    spaces = iter(await database.run(lambda db: [space for (space,) in db.execute(WITH_GUESTS)]))
    failed: list[FlatfileError] = []

    async def worker() -> None:
        for space in spaces:
            ids = await database.run(partial(_ids, space=space))
            if ids <= found.keys():
                continue
            try:
                rows = await account.client.rows(GUESTS, {"spaceId": space}, call)
            except NotFound:
                continue  # the space is gone
            except FlatfileError as error:
                failed.append(error)
            else:
                found.update((row.id, row) for row in rows if row.id in ids)
            if failed:
                return

    async with asyncio.TaskGroup() as group:
        for _ in range(account.config.requests.concurrency):
            group.create_task(worker())
    if failed:
        raise failed[0]


def _ids(db: Connection, space: str) -> set[str]:
    return {id_ for (id_,) in db.execute(IN_SPACE, (space,))}

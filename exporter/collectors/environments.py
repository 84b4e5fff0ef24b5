"""Environments of the account, and the account itself: what every other collector builds on."""

import logging
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

from exporter.collectors._context import WHOLE_ACCOUNT, Context, gather_by_id, known_at, mark_known, side_by_side
from exporter.collectors._labels import ACCOUNT, ENVIRONMENT
from exporter.collectors._unmatched import unmatched_environments
from exporter.core.logs import fields
from exporter.exposition.families import Desc, Family
from exporter.exposition.freshness import Freshness
from exporter.flatfile import models
from exporter.flatfile.client import Client, Listing, identity
from exporter.flatfile.endpoints import Endpoint
from exporter.flatfile.errors import FlatfileError, NotFound
from exporter.flatfile.session import Call
from exporter.flatfile.texts import cut
from exporter.store.database import Connection

log = logging.getLogger(__name__)

NAME = "environments"
ACCOUNT_INFO = Desc(
    "flatfile_account_info",
    "gauge",
    "The account that the credentials belong to, always 1 (GET /accounts/current).",
    (*ACCOUNT, "account_id", "account_name"),
)
ENVIRONMENTS = Desc(
    "flatfile_environments",
    "gauge",
    "Environments that the configuration selects, by whether Flatfile marks them as production (GET /environments).",
    (*ACCOUNT, "production"),
)
ENVIRONMENT_INFO = Desc(
    "flatfile_environment_info",
    "gauge",
    "An environment, always 1. Names may change and need not be unique: join on environment_id.",
    (*ENVIRONMENT, "production"),
)
GUEST_AUTHENTICATION = Desc(
    "flatfile_environment_guest_authentication",
    "gauge",
    "1 for each way in which guests may enter the environment; shared_link is open to whoever has the link.",
    (*ENVIRONMENT, "method"),
)
FAMILIES = (ACCOUNT_INFO, ENVIRONMENTS, ENVIRONMENT_INFO, GUEST_AUTHENTICATION)

LISTING = Listing(Endpoint.ENVIRONMENTS, models.Environment, identity)
ACCOUNT_INTERVAL = 3600.0  # seconds: an account's name hardly ever changes


class Collector:
    """Lists the environments, and reads the account itself once an hour."""

    requires = ()
    triggers = ()

    def __init__(self, context: Context) -> None:
        self._context = context
        self._account_asked_at: float | None = None  # monotonic
        self._account_refused = False

    async def refresh(self, call: Call) -> Sequence[FlatfileError]:
        """List the environments. A failure to read the account itself fails only that."""
        context, at = self._context, self._context.clock.steady()
        ids = context.config.environments.ids
        listed, account = read_environments(context.client, ids, call), self._refresh_account(call)
        answers: Sequence[Any] = await side_by_side((listed, account))
        (rows, failures), error = answers
        for id_, failure in failures.items():
            if not isinstance(failure, NotFound):
                rows += await context.database.run(partial(_known, id_=id_))
        unmatched = await context.database.run(lambda db: self._write(db, rows, at))
        context.report_unmatched(NAME, unmatched)
        return [*failures.values(), error] if error else [*failures.values()]

    def _write(self, db: Connection, rows: Sequence[models.Environment], at: float) -> list[str]:
        """Replace the environments; return sentences on patterns that match none of them."""
        chosen = self._context.config.environments.match
        most = self._context.config.environments.max_series
        selected = {row.id for row in rows if chosen(cut(row.name or row.id), row.id)}
        first = sorted(row.id for row in rows if row.is_prod and row.id in selected)
        shown = {*[*first, *sorted(selected.difference(first))][:most]}
        db.execute("DELETE FROM environment")
        db.executemany(
            "INSERT INTO environment VALUES (?, ?, ?, ?, ?)",
            [
                (row.id, cut(row.name or row.id), row.is_prod is True, row.id in selected, row.id in shown)
                for row in rows
            ],
        )
        db.execute("DELETE FROM guest_authentication")
        db.executemany(
            "INSERT OR IGNORE INTO guest_authentication VALUES (?, ?)",
            [(row.id, cut(method)) for row in rows for method in row.guest_authentication or ()],
        )
        db.execute("DELETE FROM known WHERE environment_id NOT IN (SELECT id FROM environment UNION SELECT '')")
        mark_known(db, NAME, [WHOLE_ACCOUNT], at)
        db.execute("INSERT OR REPLACE INTO series_dropped VALUES (?, ?)", (NAME, len(selected) - len(shown)))
        return unmatched_environments(db, self._context.config)

    async def _refresh_account(self, call: Call) -> FlatfileError | None:
        """Read the account; credentials that may not read it are no failure, and are asked again in an hour."""
        context, now = self._context, self._context.clock.monotonic()
        if self._account_asked_at is not None and now < self._account_asked_at + ACCOUNT_INTERVAL:
            return None
        at = context.clock.steady()
        try:
            account = await context.client.one(Endpoint.ACCOUNT, models.Account, call)
        except FlatfileError as error:
            if not error.is_request_rejected:
                return error
            if not self._account_refused:
                log.warning(
                    "the account cannot be read with these credentials: flatfile_account_info is missing",
                    extra=fields(account=context.account, status=error.status),
                )
            self._account_asked_at, self._account_refused = now, True
            return None

        def write(db: Connection) -> None:
            db.execute("DELETE FROM account")
            db.execute("INSERT INTO account VALUES (?, ?, ?)", (cut(account.id), cut(account.name or ""), at))

        await context.database.run(write)
        self._account_asked_at, self._account_refused = now, False
        return None

    def families(self, db: Connection, fresh: Freshness) -> Iterator[Family]:
        """Return the account's and the environments' families."""
        name = self._context.account
        longest = self._context.config.collectors[NAME].max_age + ACCOUNT_INTERVAL
        for id_, account_name, at in db.execute("SELECT id, name, at FROM account"):
            if fresh(at, longest):
                yield Family(ACCOUNT_INFO, [((name, id_, account_name), 1)])
        at = known_at(db, NAME)
        if at is None or not fresh(at):
            return
        counts = {"true": 0, "false": 0}
        query = "SELECT iif(production, 'true', 'false'), count(*) FROM environment WHERE selected GROUP BY 1"
        counts.update(db.execute(query))
        yield Family(ENVIRONMENTS, [((name, production), number) for production, number in counts.items()])
        query = "SELECT id, name, iif(production, 'true', 'false') FROM environment WHERE shown ORDER BY id"
        yield Family(ENVIRONMENT_INFO, [((name, *row), 1) for row in db.execute(query)])
        query = "SELECT id, name, method FROM environment JOIN guest_authentication ON environment_id = id WHERE shown"
        yield Family(GUEST_AUTHENTICATION, [((name, *row), 1) for row in db.execute(query + " ORDER BY id, method")])


async def read_environments(
    client: Client, ids: Sequence[str], call: Call
) -> tuple[list[models.Environment], dict[str, FlatfileError]]:
    """List the environments, or ask for those with these ids one by one, as a key of one environment may not list them.

    Returns failures by id. Raises FlatfileError if all failed.
    """
    if not ids:
        return await client.rows(LISTING, {}, call), {}
    found, failures = await gather_by_id(
        ids, lambda id_: client.one(Endpoint.ENVIRONMENT, models.Environment, call, id_)
    )
    if not found:
        raise next(iter(failures.values()))
    return [*found.values()], failures


def _known(db: Connection, id_: str) -> list[models.Environment]:
    """Return an environment as it was known last, if it was."""
    methods = [
        method for (method,) in db.execute("SELECT method FROM guest_authentication WHERE environment_id = ?", (id_,))
    ]
    return [
        models.Environment(id=id_, name=name, is_prod=bool(production), guest_authentication=methods)
        for name, production in db.execute("SELECT name, production FROM environment WHERE id = ?", (id_,))
    ]

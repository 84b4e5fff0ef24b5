"""Environments of the account, and the account itself: what every other collector builds on."""

from collections.abc import Iterator, Sequence
from itertools import compress

from exporter.collectors._context import EnvironmentRef, Held, Scope, both
from exporter.collectors._labels import ACCOUNT, ENVIRONMENT
from exporter.exposition.families import Desc, Family
from exporter.exposition.freshness import Freshness
from exporter.flatfile import models
from exporter.flatfile.client import Listing, identity
from exporter.flatfile.endpoints import Endpoint
from exporter.flatfile.errors import FlatfileError
from exporter.flatfile.session import Call

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
    "An environment that the configuration selects, always 1. Names may change and need not be unique: join on environment_id.",
    (*ENVIRONMENT, "production"),
)
FAMILIES = (ACCOUNT_INFO, ENVIRONMENTS, ENVIRONMENT_INFO)

LISTING = Listing(Endpoint.ENVIRONMENTS, models.Environment, identity)
ACCOUNT_INTERVAL = 3600.0  # seconds: an account's name hardly ever changes


class Collector:
    """Lists the environments, and looks at the account itself once an hour."""

    requires: tuple[str, ...] = ()

    def __init__(self, scope: Scope) -> None:
        self._scope = scope
        self._environments: Held[tuple[EnvironmentRef, ...]] | None = None
        self._account: Held[models.Account] | None = None

    async def refresh(self, call: Call) -> Sequence[FlatfileError]:
        """List the environments, and share them. A failure to read the account itself fails only that."""
        scope, now = self._scope, self._scope.clock.wall()
        rows, account_error = await both(scope.client.rows(LISTING, {}, call), self._refresh_account(now, call))
        listed = [EnvironmentRef(row.id, row.name or row.id, row.is_prod is True) for row in rows]
        chosen = [scope.config.environments.match(env.name, env.id) for env in listed]
        selected = tuple(compress(listed, chosen))
        scope.environments = selected
        scope.passed_over = tuple(compress(listed, (not is_chosen for is_chosen in chosen)))
        scope.environments_at = now
        self._environments = Held(selected, now)
        return [account_error] if account_error else []

    async def _refresh_account(self, now: float, call: Call) -> FlatfileError | None:
        if self._account is not None and now - self._account.at < ACCOUNT_INTERVAL:
            return None
        try:
            self._account = Held(await self._scope.client.one(Endpoint.ACCOUNT, models.Account, call), now)
        except FlatfileError as error:
            return error
        return None

    def families(self, fresh: Freshness) -> Iterator[Family]:
        """Give the account's and the environments' families."""
        name = self._scope.account
        longest = self._scope.config.collectors["environments"].max_age + ACCOUNT_INTERVAL
        if self._account is not None and fresh(self._account.at, longest):
            account = self._account.value
            yield Family(ACCOUNT_INFO, [((name, account.id, account.name or ""), 1)])
        if self._environments is not None and fresh(self._environments.at):
            environments = self._environments.value
            production = sum(env.production for env in environments)
            yield Family(
                ENVIRONMENTS, [((name, "true"), production), ((name, "false"), len(environments) - production)]
            )
            yield Family(
                ENVIRONMENT_INFO,
                [((name, *env.labels, "true" if env.production else "false"), 1) for env in environments],
            )

"""All accounts at run time, and how a reload changes them: all or nothing."""

import asyncio
import logging
import ssl
from collections.abc import Callable, Iterator

from exporter.account.account import Account
from exporter.account.api_metrics import ApiMetrics
from exporter.config import AccountConfig, Config, ConfigError
from exporter.core.clock import Clock
from exporter.core.logs import fields
from exporter.core.worker import Worker
from exporter.flatfile.client import Client
from exporter.flatfile.connect import connect, transport_of
from exporter.store.directory import Directory

log = logging.getLogger(__name__)

MAX_READ = 10.0  # seconds for reading the configuration


class Accounts:
    """The accounts of the configuration that `load` gives. Must be made and used inside the event loop."""

    def __init__(
        self,
        load: Callable[[], Config],
        clock: Clock,
        make_client: Callable[[AccountConfig, ApiMetrics, Clock, Worker], Client] = connect,
        storage: Directory | None = None,
    ) -> None:
        """With `storage` accounts go on where they were, after a restart or a reload that changes them."""
        self._load = load
        self._clock = clock
        self._make_client = make_client
        self._storage = storage
        self._accounts: dict[str, Account] = {}
        self._lock = asyncio.Lock()
        self._reader = Worker("configuration")
        self.reload_successful = False
        self.warnings: tuple[str, ...] = ()  # of the configuration in use
        self.reloaded_at: float | None = None  # unix seconds

    def __iter__(self) -> Iterator[Account]:
        return iter(self._accounts.values())

    def get(self, name: str) -> Account | None:
        return self._accounts.get(name)

    async def reload(self) -> None:
        """Load the configuration and change over to it. Raises ConfigError, and leaves everything as it is then.

        An account whose configuration did not change stays as it is, with all it knows.
        """
        async with self._lock:
            successful = False
            try:
                config = await self._read()
                accounts = await self._made_from(config)
                successful = True
            finally:
                self.reload_successful = successful
            before = self._accounts
            self._accounts = accounts
            for account in before.values():
                if accounts.get(account.name) is not account:
                    account.stop()  # before its successor asks for anything: they share a file and a thread
            self.reloaded_at = self._clock.wall()
            self.warnings = config.warnings
            made = [account for account in accounts.values() if before.get(account.name) is not account]
            gone = [account for account in before.values() if accounts.get(account.name) is not account]
            for warning in config.warnings:
                log.warning("configuration", extra=fields(warning=warning))
            log.info(
                "configuration loaded",
                extra=fields(accounts=len(accounts), new_or_changed=len(made), gone_or_changed=len(gone)),
            )
            await asyncio.gather(*(account.aclose() for account in gone))
            workers = {account.worker for account in accounts.values()}
            for account in gone:
                if account.worker not in workers:
                    account.worker.close()

    async def _read(self) -> Config:
        """Read the configuration on a thread of its own. Raises ConfigError, also where reading does not end in time."""
        try:
            async with asyncio.timeout(MAX_READ):
                return await self._reader.run(self._load)
        except TimeoutError:
            self._reader.close()  # when it is not blocked any more
            self._reader = Worker("configuration")
            raise ConfigError((f"the configuration could not be read within {MAX_READ:.0f}s",)) from None

    async def _made_from(self, config: Config) -> dict[str, Account]:
        """The accounts of `config` by name: those that are as they were, and new ones for the rest."""
        accounts: dict[str, Account] = {}
        made: list[Account] = []
        for settings in config.accounts:
            present = self._accounts.get(settings.name)
            if present is None or present.config != settings:
                path = None if self._storage is None else self._storage.file(settings.name)
                worker = present.worker if present else None
                try:
                    present = Account(settings, self._make_client, self._clock, path, worker)
                except (OSError, ValueError) as error:  # certificates of the environment's variables
                    await asyncio.gather(*(account.aclose() for account in made))
                    raise ConfigError((_cannot_connect(settings.name, error),)) from None
                made.append(present)
            accounts[settings.name] = present
        return accounts

    async def aclose(self) -> None:
        self._reader.close()
        await asyncio.gather(*(account.aclose() for account in self._accounts.values()))


def check_connections(config: Config) -> None:
    """Try what the accounts need for their connections, and send nothing. Raises ConfigError."""
    problems = []
    for settings in config.accounts:
        try:
            transport_of(settings)
        except (OSError, ValueError) as error:
            problems.append(_cannot_connect(settings.name, error))
    if problems:
        raise ConfigError(tuple(problems))


def _cannot_connect(account: str, error: OSError | ValueError) -> str:
    if isinstance(error, ssl.SSLError):
        why = "no certificates in the file"
    else:
        why = error.strerror or str(error) if isinstance(error, OSError) else str(error)
    return (
        f"account {account}: cannot set up connections: {why} (requests.proxy_url, or the variables SSL_CERT_FILE and "
        "SSL_CERT_DIR of the environment)"
    )

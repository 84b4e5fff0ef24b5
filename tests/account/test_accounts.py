"""Accounts at run time: what a reload keeps, makes and ends, and that a failed one does nothing."""

import ssl
from collections.abc import Callable

import pytest

from exporter.account.account import Account
from exporter.account.accounts import Accounts
from exporter.account.api_metrics import ApiMetrics
from exporter.config import AccountConfig, Config, ConfigError, parse
from exporter.core.clock import Clock
from exporter.core.worker import Worker
from exporter.flatfile.client import Client
from exporter.flatfile.connect import connect
from tests.serving import account_lines, configuration

URL = "http://127.0.0.1:9/v1"


class Source:
    """What is loaded next, and whom no connection can be made for."""

    def __init__(self, *names: str) -> None:
        self.names = names
        self.broken: dict[str, OSError | ValueError] = {}

    def load(self) -> Config:
        return parse(configuration(*(account_lines(name, URL) for name in self.names)), "config.yaml")

    def connect(self, config: AccountConfig, api_metrics: ApiMetrics, clock: Clock, worker: Worker) -> Client:
        if config.name in self.broken:
            raise self.broken[config.name]
        return connect(config, api_metrics, clock, worker)


def shown(accounts: Accounts) -> list[tuple[str, Account]]:
    return [(account.name, account) for account in accounts]


@pytest.fixture
def source() -> Source:
    return Source("one", "two")


@pytest.fixture
def make(source: Source) -> Callable[[], Accounts]:
    return lambda: Accounts(source.load, Clock(), source.connect)


async def test_a_reload_keeps_what_did_not_change(source: Source, make: Callable[[], Accounts]) -> None:
    accounts = make()
    await accounts.reload()
    before = dict(shown(accounts))
    source.names = ("three", "two")
    await accounts.reload()
    after = dict(shown(accounts))
    assert list(after) == ["three", "two"], "in the order of the configuration"
    assert after["two"] is before["two"]
    assert accounts.get("one") is None
    assert accounts.get("three") is after["three"]
    await accounts.aclose()


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (FileNotFoundError(2, "No such file or directory"), "No such file or directory"),
        (ssl.SSLError(1, "[X509: NO_CERTIFICATE] blah (_ssl.c:1)"), "no certificates in the file"),
        (ValueError("a proxy that cannot be used"), "a proxy that cannot be used"),
    ],
)
async def test_one_account_that_cannot_be_made_changes_nothing(
    source: Source, make: Callable[[], Accounts], error: OSError | ValueError, said: str
) -> None:
    accounts = make()
    await accounts.reload()
    before, reloaded_at = shown(accounts), accounts.reloaded_at
    source.names = ("new", "bad", "two")
    source.broken["bad"] = error
    with pytest.raises(ConfigError) as raised:
        await accounts.reload()
    (problem,) = raised.value.problems
    assert problem.startswith(f"account bad: cannot set up connections: {said} (requests.proxy_url")
    assert shown(accounts) == before
    assert (accounts.reload_successful, accounts.reloaded_at) == (False, reloaded_at)

    source.broken.clear()
    await accounts.reload()
    assert [name for name, _ in shown(accounts)] == ["new", "bad", "two"]
    assert accounts.reload_successful
    await accounts.aclose()


async def test_nothing_is_known_before_the_first(make: Callable[[], Accounts]) -> None:
    accounts = make()
    assert (shown(accounts), accounts.reload_successful, accounts.reloaded_at) == ([], False, None)

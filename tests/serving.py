"""The exporter's web side on a real socket, in the test's own event loop, over simulated accounts."""

import asyncio
import contextlib
import dataclasses
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass

import httpx

from exporter.account.accounts import Accounts
from exporter.config import Config, parse
from exporter.core.clock import Clock
from exporter.demo.accounts import CLIENT_ID, SECRET
from exporter.web.app import Web, WebSettings
from exporter.web.server import Address, listen, server, shown
from tests.simulator.server import SimulatedServer

FAST = "requests: {timeout: 20s, per_second: 1000, retries: 1}\n"
PATIENT = FAST.replace("20s", "10m")
"""What hangs goes on hanging."""


def account_lines(name: str, base_url: str, secret: str = SECRET, more: str = "") -> str:
    """One account of a configuration, as a line of YAML."""
    quoted = '"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return (
        f"  - {{name: {quoted}, base_url: '{base_url}', auth: {{client_id: {CLIENT_ID}, client_secret: '{secret}'}}"
        f"{', ' + more if more else ''}}}\n"
    )


def configuration(*accounts: str, more: str = FAST) -> str:
    """A configuration file of these accounts."""
    return "accounts:\n" + "".join(accounts) + more


@dataclass
class Served:
    """What runs. `text` is the configuration's text: change it before a reload."""

    url: str
    address: tuple[str, int]
    client: httpx.AsyncClient
    accounts: Accounts
    web: Web
    text: str

    def load(self) -> Config:
        return parse(self.text, "config.yaml")

    async def get(self, path: str, **headers: str) -> httpx.Response:
        """GET with these headers (`Accept_Encoding="gzip"`)."""
        return await self.client.get(path, headers={name.replace("_", "-"): value for name, value in headers.items()})

    async def raw(self, request: bytes) -> bytes:
        """Send some bytes on a connection of their own, and give all that comes back."""
        reader, writer = await asyncio.open_connection(*self.address)
        answer = b""
        with contextlib.suppress(ConnectionError):  # it may hang up before it has read everything
            writer.write(request)
            await writer.drain()
            while piece := await reader.read(65536):
                answer += piece
        writer.transport.abort()
        return answer


@contextlib.asynccontextmanager
async def served(text: str, settings: WebSettings | None = None, clock: Clock | None = None) -> AsyncIterator[Served]:
    """Serve the accounts of a configuration."""
    clock = clock or Clock()
    (opened,) = listen(Address("127.0.0.1", 0))
    url = f"http://{shown(opened)}"
    host, port = opened.getsockname()
    load: list[Callable[[], Config]] = []
    accounts = Accounts(lambda: load[0](), clock)
    web = Web(accounts, settings or WebSettings(), clock)
    running = server(web.app())
    async with httpx.AsyncClient(base_url=url, timeout=30, trust_env=False, verify=False) as client:  # without TLS
        there = Served(url, (host, port), client, accounts, web, text)
        load.append(there.load)
        await accounts.reload()
        task = asyncio.create_task(running.serve(sockets=[opened]))
        try:
            yield there
        finally:
            await client.aclose()
            running.should_exit = True
            await task
            await accounts.aclose()


@contextlib.asynccontextmanager
async def serving(
    api: SimulatedServer, name: str = "acme", *, more: str = FAST, **settings: object
) -> AsyncIterator[Served]:
    """Serve one simulated account; `settings` are those of `WebSettings`."""
    chosen = dataclasses.replace(WebSettings(), **settings)  # type: ignore[arg-type]
    async with served(configuration(account_lines(name, api.base_url), more=more), chosen) as there:
        yield there

"""From a configuration to a client: authorities, proxies and credentials."""

import ssl
from pathlib import Path

import pytest
import trustme

from exporter.config import AccountConfig, parse
from exporter.core.clock import Clock
from exporter.demo.accounts import CLIENT_ID, SECRET
from exporter.flatfile.client import Client, Listing, identity
from exporter.flatfile.connect import USER_AGENT, connect, tls_context
from exporter.flatfile.endpoints import Endpoint
from exporter.flatfile.errors import ConnectionFailed
from exporter.flatfile.models import User
from exporter.flatfile.transport import Transport
from tests.flatfile.rig import Told, assert_clean, call
from tests.simulator.server import SimulatedServer
from tests.simulator.worlds import sized_world

USERS = Listing(Endpoint.USERS, User, identity)
CREDENTIALS = f"{{client_id: {CLIENT_ID}, client_secret: {SECRET}}}"


def account(base_url: str, auth: str = CREDENTIALS, requests: str = "{retries: 1}") -> AccountConfig:
    text = f"accounts:\n  - name: acme\n    base_url: {base_url}\n    auth: {auth}\n    requests: {requests}\n"
    return parse(text, "config.yaml").accounts[0]


async def users(config: AccountConfig) -> int:
    client: Client = connect(config, Told(), Clock())
    try:
        return len(await client.rows(USERS, {}, call()))
    finally:
        await client.session.aclose()


@pytest.fixture
def authority(tmp_path: Path) -> tuple[ssl.SSLContext, Path]:
    """A server's context, and the file of who vouches for it."""
    ca = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ca.issue_cert("127.0.0.1").configure_cert(context)
    ca.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    return context, tmp_path / "ca.pem"


async def test_credentials_and_ready_tokens(api: SimulatedServer, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text(f"{SECRET}\n")
    (tmp_path / "id").write_text(f"{CLIENT_ID}\n")
    (tmp_path / "pat").write_text("pat_file\n")
    api.switches.ready_tokens |= {"pat_value", "pat_file"}
    for auth in (
        CREDENTIALS,
        f"{{client_id_file: {tmp_path}/id, client_secret_file: {tmp_path}/secret}}",
        "{access_token: pat_value}",
        f"{{access_token_file: {tmp_path}/pat}}",
    ):
        assert await users(account(api.base_url, auth)) == 5
        assert api.requests[-1].headers["user-agent"] == USER_AGENT


async def test_an_authority_of_ones_own(authority: tuple[ssl.SSLContext, Path]) -> None:
    served, ca_file = authority
    async with SimulatedServer(sized_world(lambda: 0.0, environments=1, spaces=1, users=7), ssl_context=served) as api:
        assert await users(account(api.base_url, requests=f"{{retries: 1, tls: {{ca_file: {ca_file}}}}}")) == 7
        with pytest.raises(ConnectionFailed, match="certificate is not valid"):
            await users(account(api.base_url))
        assert await users(account(api.base_url, requests="{retries: 1, tls: {insecure_skip_verify: true}}")) == 7
        with pytest.raises(ConnectionFailed, match="certificate is not valid"):
            await users(account(api.base_url))


def test_contexts_are_shared_by_what_the_file_holds(authority: tuple[ssl.SSLContext, Path]) -> None:
    pem = authority[1].read_text()
    first = tls_context(pem, insecure=False)
    assert tls_context(pem, insecure=False) is first
    assert tls_context(None, insecure=False) is not first
    assert tls_context(trustme.CA().cert_pem.bytes().decode(), insecure=False) is not first


async def test_a_proxy_gets_the_request_whole(api: SimulatedServer) -> None:
    """The simulated API plays the proxy, and answers that it has no such path."""
    config = account(
        "https://flatfile.test/v1",
        requests=f"{{retries: 1, proxy_url: 'http://user:SECRET-word@{api.host}:{api.port}'}}",
    )
    with pytest.raises(ConnectionFailed, match="the connection broke: ProxyError") as caught:
        await users(config)
    assert_clean(caught.value)
    assert [request.method for request in api.requests] == ["CONNECT"]
    assert "authorization" not in api.requests[0].headers


@pytest.mark.parametrize("proxy", ["socks5://user:SECRET-word@127.0.0.1:1", "ftp://SECRET-word@127.0.0.1:1"])
def test_a_proxy_that_cannot_be_used(proxy: str) -> None:
    with pytest.raises(ValueError, match="a proxy that cannot be used") as caught:
        Transport(user_agent="x", proxy=proxy)
    assert "SECRET-" not in str(caught.value)

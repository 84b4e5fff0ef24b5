"""TLS on real sockets, most of it with curl: who gets in, with what, and what changes without a restart."""

import asyncio
import contextlib
import socket
import ssl
from pathlib import Path

import pytest

from .rig import PASSWORD, USER, Certificates, authority, door, knock, users

CLIENTS = "client_auth_type: RequireAndVerifyClientCert, client_ca_file: ca.crt"
OLD = ("--tlsv1.0", "--tls-max", "1.1", "--ciphers", "DEFAULT:@SECLEVEL=0")
INSIDE = (0, "inside\n200")


async def test_with_and_without_the_password(files: Certificates, curl: str) -> None:
    async with door(files.write(files.tls() + users())) as there:
        ca = ("--cacert", files.ca)
        assert await knock(curl, *ca, "--user", f"{USER}:{PASSWORD}", there.url()) == INSIDE
        for login in ((), ("--user", f"{USER}:wrong"), ("--user", f"nobody:{PASSWORD}"), ("--user", f"{USER}:")):
            assert await knock(curl, *ca, *login, there.url()) == (0, "Unauthorized\n401")
        assert there.inside == ["/-/healthy"]


async def test_a_client_that_does_not_trust_the_certificate(files: Certificates, curl: str) -> None:
    async with door(files.write(files.tls())) as there:
        assert (await knock(curl, there.url()))[0] == 60
        assert (await knock(curl, there.url().replace("https", "http")))[0] == 52
        assert await knock(curl, "--cacert", files.ca, there.url()) == INSIDE


async def test_without_tls(files: Certificates, curl: str) -> None:
    async with door(files.write(users())) as there:
        assert await knock(curl, "--user", f"{USER}:{PASSWORD}", there.url()) == INSIDE
        assert await knock(curl, there.url()) == (0, "Unauthorized\n401")


@pytest.mark.parametrize("version", ["1.2", "1.3"])
async def test_client_certificates(version: str, files: Certificates, curl: str) -> None:
    async with door(files.write(files.tls(CLIENTS))) as there:
        base = ("--cacert", files.ca, f"--tlsv{version}", "--tls-max", version)
        assert await knock(curl, *base, "--cert", files.client("a"), there.url()) == INSIDE
        for wrong in ((), ("--cert", files.client("a", of="theirs")), ("--cert", self_signed(files))):
            status, answer = await knock(curl, *base, *wrong, there.url())
            assert status != 0
            assert answer == "000"
        assert len(there.inside) == 1


def self_signed(files: Certificates) -> Path:
    """The authority of somebody else, as a client."""
    path = files.directory / "self.pem"
    theirs = authority("theirs")
    path.write_bytes(theirs.private_key_pem.bytes() + theirs.cert_pem.bytes())
    return path


@pytest.mark.parametrize("word", ["RequireAnyClientCert", "RequireClientCert"])
async def test_any_certificate_must_be_a_trusted_one_here(word: str, files: Certificates, curl: str) -> None:
    async with door(files.write(files.tls(f"client_auth_type: {word}, client_ca_file: ca.crt"))) as there:
        base = ("--cacert", files.ca)
        assert await knock(curl, *base, "--cert", files.client("a"), there.url()) == INSIDE
        assert (await knock(curl, *base, "--cert", files.client("a", of="theirs"), there.url()))[0] != 0
        assert (await knock(curl, *base, there.url()))[0] != 0


async def test_a_certificate_that_is_verified_if_given(files: Certificates, curl: str) -> None:
    text = files.tls("client_auth_type: VerifyClientCertIfGiven, client_ca_file: ca.crt")
    async with door(files.write(text)) as there:
        base = ("--cacert", files.ca)
        assert await knock(curl, *base, there.url()) == INSIDE
        assert await knock(curl, *base, "--cert", files.client("a"), there.url()) == INSIDE
        assert (await knock(curl, *base, "--cert", files.client("a", of="theirs"), there.url()))[0] != 0


@pytest.mark.parametrize("word", ["NoClientCert", "RequestClientCert"])
async def test_certificates_that_nobody_looks_at(word: str, files: Certificates, curl: str) -> None:
    async with door(files.write(files.tls(f"client_auth_type: {word}"))) as there:
        base = ("--cacert", files.ca)
        assert await knock(curl, *base, there.url()) == INSIDE
        assert await knock(curl, *base, "--cert", files.client("a", of="theirs"), there.url()) == INSIDE


async def test_what_is_listed_is_trusted_be_it_a_root_or_not(files: Certificates, curl: str) -> None:
    child = authority("ours").create_child_ca()
    files.replace("child.crt", child.cert_pem.bytes())
    issued = child.issue_cert("a")
    client = files.replace("client.pem", issued.private_key_and_cert_chain_pem.bytes())
    async with door(files.write(files.tls(CLIENTS.replace("ca.crt", "child.crt")))) as there:
        base = ("--cacert", files.ca)
        assert await knock(curl, *base, "--cert", client, there.url()) == INSIDE
        assert (await knock(curl, *base, "--cert", files.client("a"), there.url()))[0] != 0


@pytest.mark.parametrize("version", ["1.2", "1.3"])
@pytest.mark.parametrize("name", ["prometheus.internal", "10.0.0.1", "fd00::1", "p@example.com"])
async def test_allowed_names(name: str, version: str, files: Certificates, curl: str) -> None:
    async with door(files.write(files.tls(f"{CLIENTS}, client_allowed_sans: [other, '{name}']"))) as there:
        base = ("--cacert", files.ca, "--tls-max", version)
        assert await knock(curl, *base, "--cert", files.client("a", name), there.url()) == INSIDE
        for wrong in ("internal", "fd00::2", "x@example.com"):
            status, answer = await knock(curl, *base, "--cert", files.client(wrong), there.url())
            assert (status != 0, answer) == (True, "000")
        assert len(there.inside) == 1


async def test_tls_1_1_is_refused(files: Certificates, curl: str) -> None:
    async with door(files.write(files.tls())) as there:
        status, _ = await knock(curl, "--cacert", files.ca, *OLD, there.url())
        assert status == 35
        files.write(files.tls("min_version: TLS10"))  # so it was for its version
        assert await knock(curl, "--cacert", files.ca, *OLD, there.url()) == INSIDE


async def test_the_least_and_the_greatest_version(files: Certificates, curl: str) -> None:
    async with door(files.write(files.tls("min_version: TLS13"))) as there:
        assert (await knock(curl, "--cacert", files.ca, "--tls-max", "1.2", there.url()))[0] == 35
        assert await knock(curl, "--cacert", files.ca, there.url()) == INSIDE
        files.write(files.tls("max_version: TLS12"))
        assert (await knock(curl, "--cacert", files.ca, "--tlsv1.3", there.url()))[0] == 35
        assert await knock(curl, "--cacert", files.ca, there.url()) == INSIDE


async def test_suites(files: Certificates, curl: str) -> None:
    async with door(files.write(files.tls("cipher_suites: [TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384]"))) as there:
        base = ("--cacert", files.ca, "--tls-max", "1.2", "--ciphers")
        assert await knock(curl, *base, "ECDHE-ECDSA-AES256-GCM-SHA384", there.url()) == INSIDE
        assert (await knock(curl, *base, "ECDHE-ECDSA-AES128-GCM-SHA256", there.url()))[0] == 35


async def test_curve(files: Certificates, curl: str) -> None:
    async with door(files.write(files.tls("curve_preferences: [CurveP384]"))) as there:
        assert await knock(curl, "--cacert", files.ca, "--curves", "P-384", there.url()) == INSIDE
        assert (await knock(curl, "--cacert", files.ca, "--curves", "X25519", there.url()))[0] == 35


class Connection:
    """A connection that is kept alive."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    async def to(cls, port: int, files: Certificates) -> "Connection":
        context = ssl.create_default_context(cafile=files.ca)
        return cls(*await asyncio.open_connection("localhost", port, ssl=context))

    @property
    def certificate(self) -> bytes:
        """The server's, as DER."""
        found = self._writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
        assert isinstance(found, bytes)
        return found

    async def status(self) -> bytes:
        """Ask, and give the answer's status."""
        self._writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        head = (await self._reader.readuntil(b"\r\n\r\n")).lower()
        length = int(head.split(b"content-length: ")[1].split(b"\r\n")[0])
        await self._reader.readexactly(length)
        return head.split()[1]

    async def close(self) -> None:
        self._writer.close()
        await self._writer.wait_closed()


async def test_a_new_certificate_is_for_new_connections(files: Certificates) -> None:
    async with door(files.write(files.tls())) as there:
        old = await Connection.to(there.port, files)
        assert await old.status() == b"200"
        expected = files.new_server_certificate()
        new = await Connection.to(there.port, files)
        assert new.certificate == expected
        assert old.certificate != expected
        assert [await old.status(), await new.status()] == [b"200", b"200"]
        await old.close()
        await new.close()


async def test_an_open_connection_is_shut_out_by_a_wrong_file(files: Certificates) -> None:
    async with door(files.write(files.tls())) as there:
        old = await Connection.to(there.port, files)
        assert await old.status() == b"200"
        files.write("tls_server_config: {}\n")
        new = await Connection.to(there.port, files)
        assert [await old.status(), await new.status()] == [b"500", b"500"]
        await old.close()
        await new.close()


async def test_whom_to_trust_changes_for_new_connections(files: Certificates, curl: str) -> None:
    async with door(files.write(files.tls(CLIENTS))) as there:
        base = ("--cacert", files.directory / "server-ca.crt")
        base[1].write_bytes(authority("ours").cert_pem.bytes())
        ours, theirs = files.client("a"), files.client("a", of="theirs")
        assert await knock(curl, *base, "--cert", ours, there.url()) == INSIDE
        files.replace("ca.crt", authority("theirs").cert_pem.bytes())
        assert (await knock(curl, *base, "--cert", ours, there.url()))[0] != 0
        assert await knock(curl, *base, "--cert", theirs, there.url()) == INSIDE


async def test_a_session_is_not_resumed_past_a_change_of_whom_to_trust(files: Certificates) -> None:
    async with door(files.write(files.tls(CLIENTS + ", max_version: TLS12"))) as there:
        client = ssl.create_default_context(cafile=files.ca)
        client.load_cert_chain(files.client("a"))
        session, _ = await asyncio.to_thread(handshake, client, there.port, None)
        _, reused = await asyncio.to_thread(handshake, client, there.port, session)
        assert reused
        files.replace("ca.crt", authority("theirs").cert_pem.bytes())
        with pytest.raises((ssl.SSLError, ConnectionError)):
            await asyncio.to_thread(handshake, client, there.port, session)


def handshake(context: ssl.SSLContext, port: int, session: ssl.SSLSession | None) -> tuple[ssl.SSLSession, bool]:
    """Ask something on a connection of its own; its session, and whether that was the one given."""
    with (
        socket.create_connection(("localhost", port)) as plain,
        context.wrap_socket(plain, server_hostname="localhost", session=session) as wrapped,
    ):
        wrapped.sendall(b"GET / HTTP/1.0\r\n\r\n")
        assert wrapped.recv(12) == b"HTTP/1.1 200"
        assert wrapped.session is not None
        return wrapped.session, bool(wrapped.session_reused)


async def test_an_idle_client_does_not_hold_up_the_end(files: Certificates, caplog: pytest.LogCaptureFixture) -> None:
    client = ssl.create_default_context(cafile=files.ca)

    def ask(plain: socket.socket) -> ssl.SSLSocket:
        idle = client.wrap_socket(plain, server_hostname="localhost")
        idle.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert idle.recv(12) == b"HTTP/1.1 200"
        return idle

    with contextlib.ExitStack() as stack:
        async with door(files.write(files.tls())) as there:
            plain = stack.enter_context(socket.create_connection(("localhost", there.port)))
            stack.enter_context(await asyncio.to_thread(ask, plain))
    assert "timeout graceful shutdown exceeded" not in caplog.text


async def test_strangers_who_speak_something_else(files: Certificates, curl: str) -> None:
    async with door(files.write(files.tls())) as there:
        for junk in (b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01\xff\xff" + b"\xff" * 5000, b"\x80\x00\x01"):
            reader, writer = await asyncio.open_connection("localhost", there.port)
            writer.write(junk)
            writer.write_eof()
            try:
                assert b"HTTP" not in await reader.read()
            except ConnectionError:
                pass
            writer.close()
        assert await knock(curl, "--cacert", files.ca, there.url()) == INSIDE

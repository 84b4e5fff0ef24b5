"""A small application behind a gate, on a real socket; certificates for both sides; and curl to knock with."""

import asyncio
import contextlib
import functools
import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import bcrypt
import trustme
from starlette.responses import PlainTextResponse

from exporter.web.server import Address, listen, server
from exporter.web_config import Gate, ListeningContext, WebFile

PASSWORD = "hunter2-of-the-scraper"
USER = "scraper"


@functools.cache
def hash_of(password: str = PASSWORD, cost: int = 4) -> str:
    """A hash as htpasswd writes it, always the same: tests are named after what they are given."""
    salt = f"$2b${cost:02d}$abcdefghijklmnopqrstuu".encode()
    return bcrypt.hashpw(password.encode(), salt).decode().replace("$2b$", "$2y$")


@functools.cache
def authority(name: str) -> trustme.CA:
    return trustme.CA(organization_name=name)


class Certificates:
    """Files in one directory, made when they are asked for: `server.crt`, `server.key`, `ca.crt`, `NAME.pem` of clients."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.ca = directory / "ca.crt"
        self.ca.write_bytes(authority("ours").cert_pem.bytes())
        self.web = directory / "web.yml"
        self.new_server_certificate()

    def new_server_certificate(self) -> bytes:
        """Put another certificate in the place of the server's, each file in one step; gives it as DER."""
        issued = authority("ours").issue_cert("localhost", "127.0.0.1")
        self.replace("server.key", issued.private_key_pem.bytes())
        self.replace("server.crt", issued.cert_chain_pems[0].bytes())
        return ssl.PEM_cert_to_DER_cert(issued.cert_chain_pems[0].bytes().decode())

    def client(self, *names: str, of: str = "ours") -> Path:
        """A client's certificate and key in one file."""
        path = self.directory / f"client-{of}-{len(names)}.pem"
        issued = authority(of).issue_cert(*names)
        path.write_bytes(issued.private_key_and_cert_chain_pem.bytes())
        return path

    def replace(self, name: str, content: bytes | str) -> Path:
        """Write a file of these in one step, readable by its owner alone."""
        path, new = self.directory / name, self.directory / f"{name}.new"
        new.write_bytes(content.encode() if isinstance(content, str) else content)
        new.chmod(0o600)
        new.replace(path)
        return path

    def write(self, text: str) -> Path:
        """Write the web configuration."""
        return self.replace("web.yml", text)

    def tls(self, more: str = "") -> str:
        """The section for TLS with the server's certificate."""
        return f"tls_server_config: {{cert_file: server.crt, key_file: server.key{', ' + more if more else ''}}}\n"


def users(*names: str) -> str:
    """The section for users that all have the same password."""
    return "basic_auth_users: {" + ", ".join(f"{name}: {hash_of()}" for name in names or (USER,)) + "}\n"


@dataclass
class Door:
    """What runs. `inside` counts the requests that came through."""

    port: int
    file: WebFile
    inside: list[str]

    def url(self, path: str = "/-/healthy") -> str:
        return f"{'https' if self.file.tls else 'http'}://localhost:{self.port}{path}"


@contextlib.asynccontextmanager
async def door(path: Path) -> AsyncIterator[Door]:
    """Serve behind the web configuration of `path`."""
    file = WebFile(path)
    inside: list[str] = []

    async def app(scope, receive, send):  # type: ignore[no-untyped-def]
        inside.append(scope["path"])
        await PlainTextResponse("inside\n", headers={"Content-Security-Policy": "default-src 'none'"})(
            scope, receive, send
        )

    (opened,) = listen(Address("127.0.0.1", 0))
    running = server(Gate(app, file), ListeningContext(file.context) if file.tls else None)
    task = asyncio.create_task(running.serve(sockets=[opened]))
    try:
        yield Door(opened.getsockname()[1], file, inside)
    finally:
        running.should_exit = True
        await task


async def knock(curl: str, *arguments: str | Path) -> tuple[int, str]:
    """Run curl; its exit status (0: there was an answer) and what it printed: the answer's status last."""
    process = await asyncio.create_subprocess_exec(
        curl,
        *("--silent", "--max-time", "60", "--noproxy", "*", "--write-out", "%{http_code}"),
        *map(str, arguments),
        stdout=asyncio.subprocess.PIPE,
    )
    out, _ = await process.communicate()
    assert process.returncode is not None
    return process.returncode, out.decode()


@functools.cache
def rsa_key() -> bytes:
    """A private key that belongs to no certificate of these tests, and is of another kind."""
    return authority("ours").issue_cert("localhost", key_type=trustme.KeyType.RSA).private_key_pem.bytes()

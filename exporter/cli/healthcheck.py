"""The command `healthcheck`: is a running exporter alive? Needs nothing but the standard library.

`python -m exporter.cli.healthcheck` is the same as `flatfile-exporter healthcheck`, and starts faster.
"""

import argparse
import http.client
import socket
import ssl
import sys
from collections.abc import Sequence
from contextlib import closing
from urllib.parse import SplitResult, urlsplit

DEFAULT_ADDRESS = "127.0.0.1:10056"
PATH = "/-/healthy"
TIMEOUT = 3.0  # seconds without an answer

_ALIVE = {
    200: "healthy",
    401: "alive, and asks for a password",
    429: "alive, and limits the rate of requests",
}
_HANDSHAKE_RECORD = b"\x16"  # first byte of a TLS record of the handshake: RFC 8446, 5.1


class Unhealthy(Exception):
    """No answer, or not that of an exporter that is alive. The text says why."""


class _Closed(Unhealthy):
    """The server closed the connection without an answer, for example because it expects TLS."""


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m exporter.cli.healthcheck", description=__doc__, allow_abbrev=False)
    parser.add_argument("--url", default=DEFAULT_ADDRESS, help="where the exporter listens (default: %(default)s)")
    return healthcheck(parser.parse_args(arguments).url)


def healthcheck(url: str = DEFAULT_ADDRESS) -> int:
    """Print one line and return the exit status: 0 alive, 1 not alive, 2 for an invalid URL."""
    try:
        sys.stdout.write(f"flatfile-exporter is {check(url)}\n")
    except Unhealthy as error:
        sys.stderr.write(f"flatfile-exporter is not healthy: {error}\n")
        return 1
    except ValueError as error:
        sys.stderr.write(f"flatfile-exporter healthcheck: --url: {error}\n")
        return 2
    return 0


def check(url: str, timeout: float = TIMEOUT) -> str:
    """Return the state of the exporter at `url`, or at `HOST:PORT` by HTTP, else HTTPS.

    The path of the URL is kept; without one it is PATH. `timeout` is in seconds. Raises Unhealthy, and ValueError for an
    invalid URL.
    """
    if "://" in url:
        return _check(_split(url), timeout)
    try:
        return _check(_split(f"http://{url}"), timeout)
    except _Closed:
        return _check(_split(f"https://{url}"), timeout)


def _split(url: str) -> SplitResult:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or not url.isascii() or not url.isprintable():
        raise ValueError("not a URL: give http://HOST:PORT, https://HOST:PORT, or HOST:PORT for either")
    if " " in url or parts.username is not None:
        raise ValueError("the URL must not have spaces or a user: a health check needs no password")
    return parts


def _check(url: SplitResult, timeout: float) -> str:
    host, path = url.hostname or "", (url.path if url.path not in ("", "/") else PATH) + (url.query and f"?{url.query}")
    tls = _context(host) if url.scheme == "https" else None
    connection = (
        http.client.HTTPConnection(host, url.port, timeout=timeout)
        if tls is None
        else http.client.HTTPSConnection(host, url.port, timeout=timeout, context=tls)
    )
    try:
        with closing(connection):
            connection.request("GET", path, headers={"User-Agent": "healthcheck", "Connection": "close"})
            status = connection.getresponse().status
    except TimeoutError:
        raise Unhealthy("no answer in time") from None
    except ssl.SSLCertVerificationError as error:
        raise Unhealthy(f"the certificate is not valid ({error.verify_message})") from None
    except (ssl.SSLError, ConnectionError) as error:
        if tls is not None and _speaks_tls(host, url.port or 443, tls, timeout):
            return "alive, and asks for a client's certificate"
        if isinstance(error, ConnectionResetError):  # also what http.client raises where nothing was sent
            raise _Closed("the connection was closed without an answer") from None
        raise Unhealthy(error.strerror or str(error)) from None
    except http.client.HTTPException:
        raise Unhealthy("the answer is not HTTP") from None
    except OSError as error:
        raise Unhealthy(error.strerror or str(error)) from None
    if status not in _ALIVE:
        raise Unhealthy(f"the answer has status {status}")
    return _ALIVE[status]


def _context(host: str) -> ssl.SSLContext:
    context = ssl.create_default_context()
    if host in ("localhost", "::1") or host.startswith("127."):  # the certificate is for the name that others use
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def _speaks_tls(host: str, port: int, context: ssl.SSLContext, timeout: float) -> bool:
    """Tell whether the server answers the first message of a TLS handshake.

    One that then closes the connection wants a client's certificate. It need not say so, and asyncio's TLS does not.
    """
    hello = ssl.MemoryBIO()
    try:
        context.wrap_bio(ssl.MemoryBIO(), hello, server_hostname=host).do_handshake()
    except ssl.SSLWantReadError:
        pass
    try:
        with socket.create_connection((host, port), timeout) as connection:
            connection.sendall(hello.read())
            return connection.recv(1) == _HANDSHAKE_RECORD
    except OSError:
        return False


if __name__ == "__main__":
    sys.exit(main())

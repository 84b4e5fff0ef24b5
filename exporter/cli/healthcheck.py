"""Asks a running exporter whether it is alive, as a container's health check does: nothing but the standard library.

`python -m exporter.cli.healthcheck` is quicker than `flatfile-exporter healthcheck`, which says the same.
"""

import argparse
import re
import socket
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from urllib.parse import SplitResult, urlsplit

DEFAULT_ADDRESS = "127.0.0.1:10056"
PATH = "/-/healthy"
TIMEOUT = 3.0  # seconds, for all of it

_STATUS_LINE = re.compile(rb"HTTP/1\.[01] (\d{3})[ \r]")
_LONGEST_STATUS_LINE = 1024
_HANDSHAKE_RECORD = 0x16  # the first byte of a TLS record of the handshake: RFC 8446, 5.1
_ALIVE = {
    200: "healthy",
    401: "alive, and asks for a password",
    429: "alive, and limits how often it is asked",
}


class Unhealthy(Exception):
    """Nobody answers, or not as an exporter that is alive does; says why."""


class _Silent(Unhealthy):
    """The connection was closed without a byte, as where one side speaks TLS and the other does not."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Read the flags and check."""
    parser = argparse.ArgumentParser(prog="python -m exporter.cli.healthcheck", description=__doc__, allow_abbrev=False)
    parser.add_argument("--url", default=DEFAULT_ADDRESS, help="where the exporter listens (default: %(default)s)")
    return healthcheck(parser.parse_args(arguments).url)


def healthcheck(url: str = DEFAULT_ADDRESS) -> int:
    """Say in a line how the exporter is, and give the exit status: 0 alive, 1 not, 2 for a URL that is none."""
    try:
        sys.stdout.write(f"flatfile-exporter is {ask(url)}\n")
    except Unhealthy as error:
        sys.stderr.write(f"flatfile-exporter is not healthy: {error}\n")
        return 1
    except ValueError as error:
        sys.stderr.write(f"flatfile-exporter healthcheck: --url: {error}\n")
        return 2
    return 0


def ask(url: str, timeout: float = TIMEOUT) -> str:
    """Tell how the exporter at `url` is, or at a mere `HOST:PORT`: by HTTP, else HTTPS.

    A path in the URL stays; without one it is PATH. Within `timeout` seconds. Raises Unhealthy, and ValueError for a
    URL that cannot be asked.
    """
    until = time.monotonic() + timeout
    if "://" in url:
        return _ask(_split(url), until)
    try:
        return _ask(_split(f"http://{url}"), until)
    except _Silent:
        return _ask(_split(f"https://{url}"), until)


def _split(url: str) -> SplitResult:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or not url.isascii() or not url.isprintable():
        raise ValueError("it takes http://HOST:PORT, https://HOST:PORT, or HOST:PORT for either")
    if " " in url or parts.username is not None:
        raise ValueError("neither spaces nor a user belong in it: a health check needs no password")
    return parts


def _ask(url: SplitResult, until: float) -> str:
    assert url.hostname is not None
    path = (url.path if url.path not in ("", "/") else PATH) + (f"?{url.query}" if url.query else "")
    request = f"GET {path} HTTP/1.1\r\nHost: {url.netloc}\r\nUser-Agent: healthcheck\r\nConnection: close\r\n\r\n"
    try:
        port = url.port or (443 if url.scheme == "https" else 80)
        with closing(socket.create_connection((url.hostname, port), timeout=_left(until))) as connection:
            talk = _talk_tls if url.scheme == "https" else _talk
            return _verdict(talk(connection, request.encode(), url.hostname, until))
    except TimeoutError:
        raise Unhealthy("it does not answer in time") from None
    except ConnectionResetError:
        raise _Silent("it closes the connection without an answer") from None
    except OSError as error:
        raise Unhealthy(error.strerror or str(error)) from None


def _left(until: float) -> float:
    seconds = until - time.monotonic()
    if seconds <= 0:
        raise TimeoutError
    return seconds


def _received(connection: socket.socket, until: float) -> Iterator[bytes]:
    """What comes, until the other side has closed."""
    while True:
        connection.settimeout(_left(until))
        piece = connection.recv(4096)
        if not piece:
            return
        yield piece


def _talk(connection: socket.socket, request: bytes, _host: str, until: float) -> bytes:
    connection.sendall(request)
    answer = b""
    for piece in _received(connection, until):
        answer += piece
        if b"\n" in answer or len(answer) > _LONGEST_STATUS_LINE:
            break
    return answer


def _talk_tls(connection: socket.socket, request: bytes, host: str, until: float) -> bytes | None:
    """The answer; None from a server that shook hands but closed without an answer: it wants a client's certificate.

    (A server that does is not bound to say so in an alert, and asyncio's does not.)
    """
    import ssl  # only here: it takes longer to import than all the rest

    context = ssl.create_default_context()
    if _is_loopback(connection):  # nobody is in between, and the certificate is for the name that others know
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = context.wrap_bio(incoming, outgoing, server_hostname=host)
    received = _received(connection, until)
    answer, shook_hands, asked = b"", False, False
    while b"\n" not in answer and len(answer) <= _LONGEST_STATUS_LINE:
        try:
            if not asked:
                tls.do_handshake()
                tls.write(request)
                asked = True
            answer += tls.read(_LONGEST_STATUS_LINE)
        except ssl.SSLWantReadError:
            connection.sendall(outgoing.read())
            piece = next(received, b"")
            shook_hands = shook_hands or piece[:1] == bytes([_HANDSHAKE_RECORD])
            if not piece:
                break
            incoming.write(piece)
        except (ssl.SSLZeroReturnError, ssl.SSLEOFError):
            break
        except ssl.SSLCertVerificationError as error:
            raise Unhealthy(f"its certificate is not valid ({error.verify_message})") from None
        except ssl.SSLError as error:
            if error.reason and "ALERT" in error.reason and shook_hands:
                break
            raise Unhealthy(f"TLS fails ({(error.reason or 'unknown reason').lower().replace('_', ' ')})") from None
    return None if shook_hands and not answer else answer


def _is_loopback(connection: socket.socket) -> bool:
    address = str(connection.getpeername()[0])
    return address == "::1" or address.removeprefix("::ffff:").startswith("127.")


def _verdict(answer: bytes | None) -> str:
    if answer is None:
        return "alive, and asks for a client's certificate"
    if not answer:
        raise _Silent("it closes the connection without an answer")
    found = _STATUS_LINE.match(answer)
    if found is None:
        raise Unhealthy("its answer is no HTTP")
    status = int(found[1])
    if status not in _ALIVE:
        raise Unhealthy(f"it answers with status {status}")
    return _ALIVE[status]


if __name__ == "__main__":
    sys.exit(main())

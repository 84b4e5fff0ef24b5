"""Ports for programs that cannot be told to take any free one and say which."""

import contextlib
import random
import socket

FIRST, LAST = 12_000, 32_000
"""Below the ports that Linux gives to whoever asks for any: one of these could be taken before the program begins to listen."""
TRIES = 100
_RANDOM = random.SystemRandom()


def free_port() -> int:
    """Return a port of loopback that nobody listens on now."""
    for _ in range(TRIES):
        with (
            contextlib.suppress(OSError),
            socket.create_server(("127.0.0.1", _RANDOM.randrange(FIRST, LAST))) as listening,
        ):
            port: int = listening.getsockname()[1]
            return port
    raise OSError("no free port was found")

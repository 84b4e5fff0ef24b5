"""Accepts connections on a listening socket, also when the process has used up its file descriptors."""

import asyncio
import errno
import logging
import os
import resource
import socket
import ssl
import time
from collections.abc import Callable

from exporter.core.log_throttle import LogThrottle
from exporter.core.logs import fields

log = logging.getLogger(__name__)

RESERVED = 8
"""File descriptors kept for clients, so that connections to the API cannot keep Prometheus out."""
RETRY = 1.0  # seconds
MAX_BATCH = 64  # connections accepted before others have their turn

_EXHAUSTED = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)


class Listener:
    """Accepts connections until it is closed; `make` makes the protocol of each. uvicorn closes it like a server.

    asyncio's own server logs two thousand errors at once when there is no descriptor left.
    """

    def __init__(
        self,
        listening: socket.socket,
        make: Callable[[], asyncio.Protocol],
        tls: ssl.SSLContext | None,
        handshake_timeout: float,
    ) -> None:
        self._socket = listening
        self._make = make
        self._tls = tls
        self._handshake_timeout = None if tls is None else handshake_timeout
        self._loop = asyncio.get_running_loop()
        self._tasks: set[asyncio.Task[None]] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._throttle = LogThrottle(time.monotonic)
        self._reserve: list[int] = []
        self._fill_reserve()
        self._loop.add_reader(listening, self._accept)

    def close(self) -> None:
        self._loop.remove_reader(self._socket)
        if self._timer is not None:
            self._timer.cancel()
        self._release_reserve()
        for task in self._tasks:
            task.cancel()

    async def wait_closed(self) -> None:
        """Return at once: uvicorn itself waits for connections."""

    def _accept(self) -> None:
        for _ in range(MAX_BATCH):
            try:
                accepted, _ = self._socket.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as error:
                if error.errno not in _EXHAUSTED:
                    raise
                if not self._release_reserve():
                    self._loop.remove_reader(self._socket)
                    self._retry(error)
                    return
                self._retry(error)
                continue
            accepted.setblocking(False)
            task = self._loop.create_task(self._connect(accepted))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _connect(self, accepted: socket.socket) -> None:
        try:
            await self._loop.connect_accepted_socket(
                self._make, accepted, ssl=self._tls, ssl_handshake_timeout=self._handshake_timeout
            )
        except OSError as error:  # of TLS, too
            log.debug("connection not accepted", extra=fields(error=error))
            accepted.close()

    def _retry(self, error: OSError) -> None:
        """Log that descriptors are used up, and try again soon."""
        if self._throttle.should_log(error.errno) is not None:
            limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
            log.warning(
                "cannot accept connections at once: raise the limit of open files",
                extra=fields(error=error.strerror, limit=limit),
            )
        if self._timer is None:
            self._timer = self._loop.call_later(RETRY, self._resume)

    def _resume(self) -> None:
        self._timer = None
        self._fill_reserve()
        self._loop.add_reader(self._socket, self._accept)
        if len(self._reserve) < RESERVED:
            self._timer = self._loop.call_later(RETRY, self._resume)

    def _fill_reserve(self) -> None:
        try:
            while len(self._reserve) < RESERVED:
                self._reserve.append(os.dup(self._socket.fileno()))
        except OSError:
            return

    def _release_reserve(self) -> bool:
        """Free the reserved descriptors. Return whether there were any."""
        released = len(self._reserve)
        while self._reserve:
            os.close(self._reserve.pop())
        return released > 0

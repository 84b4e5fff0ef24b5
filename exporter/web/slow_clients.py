"""Limits for connections of clients that are slow, silent, many or do not speak HTTP."""

import asyncio
import logging
from dataclasses import dataclass
from typing import Any

import h11
from uvicorn.config import Config
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.server import ServerState

from exporter.core.logs import fields

log = logging.getLogger(__name__)
_uvicorn_log = logging.getLogger("exporter.uvicorn")
_uvicorn_log.setLevel(logging.ERROR)  # below that it warns of each client that does not speak HTTP


@dataclass(frozen=True, slots=True)
class ClientLimits:
    """How long a client may take (seconds), and how many may be connected.

    `head_timeout`: for the head of a request, from the connection or its first byte on. `response_timeout`: to read a
    response. `handshake_timeout`: for TLS. Beyond `max_connections` the one that has been idle longest is closed, first of
    all one that never sent a request.
    """

    head_timeout: float = 10.0
    response_timeout: float = 60.0
    handshake_timeout: float = 10.0
    max_connections: int = 512


class Connection(H11Protocol):
    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
        *,
        limits: ClientLimits,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self.logger = _uvicorn_log
        self._limits = limits
        self._idle_since = self.loop.time()
        self._requested = False
        self._head_timer: asyncio.TimerHandle | None = None
        self._response_timer: asyncio.TimerHandle | None = None

    @property
    def idle(self) -> bool:
        # uvicorn declares it as never None, and sets None
        cycle: Any = self.cycle
        return cycle is None or cycle.response_complete

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Wait for a request. Close another connection where there are too many."""
        super().connection_made(transport)
        self._wait_for_head()
        if len(self.connections) > self._limits.max_connections:
            self._make_room()

    def connection_lost(self, exc: Exception | None) -> None:
        self._end_wait_for_head()
        if self._response_timer is not None:
            self._response_timer.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Receive data, which must become the head of a request in time."""
        if self.idle:
            self._wait_for_head()
        super().data_received(data)
        if not self.idle:
            self._requested = True
            self._end_wait_for_head()

    def send_400_response(self, msg: str) -> None:
        """Answer what is not HTTP, or close the connection where a response has begun already."""
        log.debug("not an HTTP request", extra=fields(client=self.client[0] if self.client else None))
        if self.conn.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            super().send_400_response(msg)
            self._wait_for_reader()
        else:
            self.transport.abort()

    def on_response_complete(self) -> None:
        """Wait for the next request, or for the client to read the last bytes."""
        self._idle_since = self.loop.time()
        super().on_response_complete()
        if self.transport.is_closing():
            self._wait_for_reader()

    def pause_writing(self) -> None:
        """Wait for a client that does not read as fast as the response is sent."""
        super().pause_writing()
        self._wait_for_reader()

    def resume_writing(self) -> None:
        """Resume: the client has read nearly all."""
        super().resume_writing()
        if self._response_timer is not None and not self.transport.is_closing():
            self._response_timer.cancel()
            self._response_timer = None

    def timeout_keep_alive_handler(self) -> None:
        """Close a connection without a further request."""
        if self.transport.get_write_buffer_size():
            self.transport.abort()  # nor has the last response been read
        else:
            super().timeout_keep_alive_handler()

    def _wait_for_head(self) -> None:
        if self._head_timer is None:
            self._head_timer = self.loop.call_later(self._limits.head_timeout, self._abort)

    def _end_wait_for_head(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _wait_for_reader(self) -> None:
        if self._response_timer is None:
            self._response_timer = self.loop.call_later(self._limits.response_timeout, self._abort)

    def _abort(self) -> None:
        self.transport.abort()

    def _make_room(self) -> None:
        others = [each for each in self.connections if isinstance(each, Connection) and each.idle and each is not self]
        last = min(others, key=lambda each: (each._requested, each._idle_since), default=self)
        last._abort()

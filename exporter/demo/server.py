"""The simulated API on a socket: listening, connections, and use from a thread."""

import asyncio
import inspect
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Self

import h11

from exporter.demo.api import Api, Request
from exporter.demo.life import Life
from exporter.demo.switches import Switches
from exporter.demo.wire import Reply, Wire
from exporter.demo.world import World

BODY_LIMIT = 1 << 20  # bytes of a request


class DemoServer(Api):
    """Serves a world on loopback: `async with DemoServer(world) as api:`, or `with DemoServer(world).in_thread()`.

    `world` and `switches` may be changed at any time, from another thread by `call`. `port` 0: any free
    one, the same until the end.
    """

    def __init__(
        self,
        world: World,
        switches: Switches | None = None,
        *,
        life: Life | None = None,
        host: str = "127.0.0.1",
        port: int = 0,
        ssl_context: ssl.SSLContext | None = None,
    ) -> None:
        super().__init__(world, switches, life=life)
        self.host = host
        self.port = port
        self.connections_opened = 0
        self._ssl = ssl_context
        self._server: asyncio.Server | None = None
        self._placeholder: socket.socket | None = None
        self._connections: set[asyncio.Task[None]] = set()
        self._loop: asyncio.AbstractEventLoop | None = None

    @property
    def base_url(self) -> str:
        """Where the API is, prefix included."""
        return f"{self.root_url}{self.switches.prefix}"

    @property
    def root_url(self) -> str:
        """Scheme, host and port."""
        return f"{'https' if self._ssl else 'http'}://{self.host}:{self.port}"

    async def start(self) -> None:
        """Listen."""
        self._loop = asyncio.get_running_loop()
        await self.listen()

    async def stop(self) -> None:
        """Close everything, whatever is in progress."""
        await self.stop_listening()
        if self._placeholder is not None:
            self._placeholder.close()
            self._placeholder = None

    async def listen(self) -> None:
        """Accept connections (again), on the same port."""
        bound = self._bind()
        if self._placeholder is not None:
            self._placeholder.close()
            self._placeholder = None
        self._server = await asyncio.start_server(self._connected, sock=bound, ssl=self._ssl)

    async def stop_listening(self) -> None:
        """Refuse connections and drop those that are open. The port stays ours until `stop`."""
        if self._server is None:
            return
        self._server.close()
        self._placeholder = self._bind()
        for task in list(self._connections):
            task.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)
        await asyncio.sleep(0)  # what was aborted closes in the loop's next turn
        await self._server.wait_closed()
        self._server = None

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    @contextmanager
    def in_thread(self) -> Iterator[Self]:
        """Serve from a thread of its own, for callers without an event loop."""
        loop = asyncio.new_event_loop()
        thread = threading.Thread(target=loop.run_forever, name="demo-api", daemon=True)
        thread.start()
        try:
            asyncio.run_coroutine_threadsafe(self.start(), loop).result()
            try:
                yield self
            finally:
                asyncio.run_coroutine_threadsafe(self.stop(), loop).result()
        finally:
            loop.call_soon_threadsafe(loop.stop)
            thread.join()
            loop.close()

    def call(self, function: Callable[..., Any], *args: Any, **named: Any) -> Any:
        """From another thread: run a function (or coroutine function) between two requests, return its result."""

        async def run() -> Any:
            result = function(*args, **named)
            return await result if inspect.isawaitable(result) else result

        if self._loop is None:
            raise RuntimeError("the server has not been started")
        return asyncio.run_coroutine_threadsafe(run(), self._loop).result()

    def _bind(self) -> socket.socket:
        bound = socket.socket(socket.AF_INET6 if ":" in self.host else socket.AF_INET)
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind((self.host, self.port))
        self.port = bound.getsockname()[1]
        return bound

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is None:  # start_server runs this as a task
            raise RuntimeError("not in a task")
        self._connections.add(task)
        self.connections_opened += 1
        try:
            try:
                await self._serve(reader, writer)
            finally:
                writer.close()
            await writer.wait_closed()
        except asyncio.CancelledError:
            writer.transport.abort()  # the server stops; what is still to be sent may never be read
        except (ConnectionError, ssl.SSLError):
            pass  # the client went away
        finally:
            self._connections.discard(task)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        protocol = h11.Connection(h11.SERVER)
        wire = Wire(reader, writer)
        while True:
            try:
                request = await _read_request(protocol, reader)
            except h11.RemoteProtocolError:
                await wire.send(Reply(400, headers={"Content-Length": "0"}).head(close=True))
                return
            if request is None:
                return
            reply = await self.handle(request, wire)
            if reply is None:
                return
            await wire.send(
                protocol.send(h11.Response(status_code=reply.status, headers=list(reply.headers.items())))
                + protocol.send(h11.Data(b"" if request.method == "HEAD" else reply.body))
                + protocol.send(h11.EndOfMessage())
            )
            if protocol.our_state is not h11.DONE or protocol.their_state is not h11.DONE:
                return
            protocol.start_next_cycle()


async def _read_request(protocol: h11.Connection, reader: asyncio.StreamReader) -> Request | None:
    """The next request of the connection, or None when the client has closed it."""
    head: h11.Request | None = None
    body = b""
    while True:
        event = protocol.next_event()
        if event is h11.NEED_DATA:
            protocol.receive_data(await reader.read(65536))
        elif isinstance(event, h11.Request):
            head = event
        elif isinstance(event, h11.Data):
            body += event.data
            if len(body) > BODY_LIMIT:
                raise h11.RemoteProtocolError("body too long", error_status_hint=413)
        elif isinstance(event, h11.EndOfMessage) and head is not None:
            headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in head.headers}
            return Request.parse(head.method.decode("ascii"), head.target.decode("latin-1"), headers, body)
        else:
            return None

"""The simulated API on a socket."""

import asyncio
from typing import Any, Self

import h11
import msgspec

from exporter.demo.accounts import CLIENT_ID, SECRET
from exporter.demo.answers import ENDPOINTS, Ask, Refused, answer
from exporter.demo.api import Reply, Request, refusal
from exporter.demo.bearers import Bearers
from exporter.demo.life import Life
from exporter.demo.world import World

PREFIX = "/v1"
BODY_LIMIT = 1 << 20  # bytes of a request


class DemoServer:
    """Serves a world on any free port of loopback: `async with DemoServer(world) as api:`."""

    def __init__(self, world: World, *, life: Life | None = None) -> None:
        self.world = world
        self.bearers = Bearers({CLIENT_ID: SECRET})
        self._life = life
        self.host = "127.0.0.1"
        self.port = 0
        self._server: asyncio.Server | None = None
        self._connections: set[asyncio.Task[None]] = set()

    @property
    def base_url(self) -> str:
        return f"http://{self.host}:{self.port}{PREFIX}"

    async def listen(self) -> None:
        self._server = await asyncio.start_server(self._connected, self.host, self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop_listening(self) -> None:
        """Refuse connections and drop those that are open, whatever is in progress."""
        if self._server is None:
            return
        self._server.close()
        for task in list(self._connections):
            task.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)
        await asyncio.sleep(0)  # what was aborted closes in the loop's next turn
        await self._server.wait_closed()
        self._server = None

    async def __aenter__(self) -> Self:
        await self.listen()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop_listening()

    async def respond(
        self, request: Request, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> Reply | None:
        """Return the answer, ready to send; None when the connection is to be closed without one."""
        if request.path.startswith(f"{PREFIX}/"):
            request.path = request.path.removeprefix(PREFIX)
            reply = self.answer(request)
        else:
            reply = refusal(Refused(404, "Not found"))
        return reply.encoded(request.headers.get("accept-encoding", ""), self.world.clock())

    def answer(self, request: Request) -> Reply:
        """Return the answer to a request below the prefix."""
        now = self.world.clock()
        if self._life is not None:
            self._life.advance(now)
        try:
            return Reply(200, msgspec.json.encode(self.body(request, now)))
        except Refused as refused:
            return refusal(refused)

    def body(self, request: Request, now: float) -> Any:
        """Return the body of a 200. Raises Refused."""
        if request.path == "/auth" and request.method == "POST":
            return self._exchange(request, now)
        known = request.path in ENDPOINTS or request.endpoint == "/environments/{id}"
        if request.path == "/auth" or (known and request.method not in ("GET", "HEAD")):
            raise Refused(405, "Method not allowed")
        self.bearers.check(request.headers.get("authorization"), now)
        return self.read(request, now)

    def read(self, request: Request, now: float) -> dict[str, Any]:
        """Return the answer to a GET. Raises Refused."""
        return answer(Ask(self.world, request.path, request.query, now))

    def _exchange(self, request: Request, now: float) -> dict[str, Any]:
        try:
            body = msgspec.json.decode(request.body)
        except msgspec.DecodeError:
            raise Refused(400, "the body must be JSON") from None
        return self.bearers.exchange(body, now, self.world.account_id)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is None:  # start_server runs this as a task
            raise RuntimeError("not in a task")
        self._connections.add(task)
        try:
            try:
                await self._serve(reader, writer)
            finally:
                writer.close()
            await writer.wait_closed()
        except asyncio.CancelledError:
            writer.transport.abort()  # the server stops; what is still to be sent may never be read
        except OSError:
            pass  # the client went away
        finally:
            self._connections.discard(task)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        protocol = h11.Connection(h11.SERVER)
        while True:
            try:
                request = await _read_request(protocol, reader)
            except h11.RemoteProtocolError:
                writer.write(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
                return
            reply = None if request is None else await self.respond(request, reader, writer)
            if request is None or reply is None:
                return
            writer.write(
                protocol.send(h11.Response(status_code=reply.status, headers=list(reply.headers.items())))
                + protocol.send(h11.Data(b"" if request.method == "HEAD" else reply.body))
                + protocol.send(h11.EndOfMessage())
            )
            await writer.drain()
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

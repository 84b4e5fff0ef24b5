"""Plain clients to compare with: one request after another, and nothing kept from one run to the next.

`Plain` asks as Flatfile's own SDKs do by default: no page size, so pages are as small as the server makes them (10 or 20
rows), and `/guests` space by space. It uses httpx, as the official Python SDK does, with one connection that stays open.
`WithSdk` does the same through that SDK, whose models decode every field of every row.
"""

import time
import warnings
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

import httpx

EVENTS_WINDOW = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Work:
    """What was found, under the names of the exporter's metrics; requests, seconds and bytes on the wire by path.

    `left` are requests that were not made, because so many were enough: then `found` lacks what they would have told.
    """

    found: dict[str, float]
    requests: Counter[str]
    seconds: Mapping[str, float]
    wire_bytes: Counter[str]
    left: Counter[str]

    def whole(self, measured: Mapping[str, float]) -> float:
        """What was measured by path, and the same for each request that is left as for each one made of that path."""
        return sum(value * (1 + self.left[path] / self.requests[path]) for path, value in measured.items() if value)


@dataclass(frozen=True, slots=True)
class Rows:
    """One page: its rows, and how many pages there are where the answer says that."""

    rows: list[Any]
    pages: int | None


class Reader(Protocol):
    """Asks for one page of a list. `value` reads a field of a row."""

    http: httpx.Client

    def page(self, path: str, number: int, query: Mapping[str, str]) -> Rows: ...
    def value(self, row: Any, name: str) -> Any: ...


class Plain:
    """JSON into dicts."""

    def __init__(self, http: httpx.Client, token: str) -> None:
        self.http = http
        http.headers["Authorization"] = f"Bearer {token}"

    def page(self, path: str, number: int, query: Mapping[str, str]) -> Rows:
        paging = {} if path == "/guests" else {"pageNumber": str(number)}
        answer = self.http.get(path, params={**query, **paging})
        answer.raise_for_status()
        body = answer.json()
        return Rows(body["data"], body["pagination"]["pageCount"] if "pagination" in body else None)

    def value(self, row: Any, name: str) -> Any:
        return row[name]


class WithSdk:
    """Flatfile's own SDK; `page_size` for the lists where it has that parameter (`None`: the server's)."""

    def __init__(self, http: httpx.Client, token: str, page_size: int | None = None) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the SDK's own: it is built on an older pydantic
            from flatfile import Flatfile

        self.http = http
        sdk = Flatfile(base_url=str(http.base_url).rstrip("/"), token=token, httpx_client=http)

        def paged(number: int) -> dict[str, Any]:
            return {"page_number": number} | ({} if page_size is None else {"page_size": page_size})

        self._lists: dict[str, Callable[[int, Mapping[str, str]], Any]] = {
            "/environments": lambda number, _: sdk.environments.list(**paged(number)),
            "/spaces": lambda number, _: sdk.spaces.list(archived=True, **paged(number)),
            "/agents": lambda _, query: sdk.agents.list(environment_id=query["environmentId"]),
            "/users": lambda number, _: sdk.users.list(**paged(number)),
            "/guests": lambda _, query: sdk.guests.list(space_id=query["spaceId"]),
            "/events": lambda number, query: sdk.events.list(
                since=datetime.fromisoformat(query["since"]), include_acknowledged=True, **paged(number)
            ),
        }

    def page(self, path: str, number: int, query: Mapping[str, str]) -> Rows:
        answer = self._lists[path](number, query)
        if path == "/agents":  # of which the SDK can give the first page alone
            return Rows(answer.data, 1)
        pagination = getattr(answer, "pagination", None)
        return Rows(answer.data, None if pagination is None else pagination.page_count)

    def value(self, row: Any, name: str) -> Any:
        return getattr(row, {"filesCount": "files_count"}.get(name, name))


class SequentialClient:
    """Does once what a scrape with all intervals at 0s does. `most`: requests of each path after which it leaves the rest."""

    def __init__(
        self,
        base_url: str,
        client_id: str,
        secret: str,
        reader: Callable[[httpx.Client, str], Reader] = Plain,
        most: int | None = None,
    ) -> None:
        hooks = {"response": [self._count]}
        headers = {"X-Disable-Hooks": "true"}
        http = httpx.Client(base_url=base_url, headers=headers, trust_env=False, timeout=60, event_hooks=hooks)
        self._requests: Counter[str] = Counter()
        self._left: Counter[str] = Counter()
        self._bytes: Counter[str] = Counter()
        self._seconds: defaultdict[str, float] = defaultdict(float)
        self._most = most
        answer = http.post("/auth", json={"clientId": client_id, "secret": secret})
        answer.raise_for_status()
        self._base_path = http.base_url.path.rstrip("/")
        self._requests.clear()
        self._bytes.clear()
        self._reader = reader(http, answer.json()["accessToken"])

    def _count(self, answer: httpx.Response) -> None:
        answer.read()
        path = answer.request.url.path.removeprefix(getattr(self, "_base_path", ""))
        self._requests[path] += 1
        self._bytes[path] += answer.num_bytes_downloaded

    def run(self) -> Work:
        """Ask for everything. Archived spaces are asked for together with the others, in one list."""
        value = self._reader.value
        environments = self._list("/environments")
        spaces = self._list("/spaces", archived="true")
        agents = [row for env in environments for row in self._list("/agents", environmentId=value(env, "id"))]
        users = self._list("/users")
        guests: dict[str, set[str]] = {}
        asked = spaces[: self._most]
        for space in asked:
            for row in self._page("/guests", 1, {"spaceId": value(space, "id")}).rows:
                guests.setdefault(value(row, "id"), set()).add(value(space, "id"))
        since = datetime.now(UTC) - EVENTS_WINDOW
        self._list("/events", since=since.isoformat(), includeAcknowledged="true")
        return Work(
            {
                "flatfile_environments": len(environments),
                "flatfile_spaces": len(spaces),
                "flatfile_files": sum(value(space, "filesCount") for space in spaces),
                "flatfile_agents": len(agents),
                "flatfile_users": len(users),
                "flatfile_guests": len(guests),
                "flatfile_guest_memberships": sum(len(members) for members in guests.values()),
            },
            self._requests,
            dict(self._seconds),
            self._bytes,
            self._left,
        )

    def leave(self, path: str, requests: int) -> None:
        """So many more requests of this path would be needed."""
        self._left[path] += requests

    def _list(self, path: str, **query: str) -> list[Any]:
        """All rows, page by page: to the last page where the answer says which that is, else to an empty one."""
        rows: list[Any] = []
        number = 1
        while True:
            page = self._page(path, number, query)
            rows += page.rows
            if not page.rows or (page.pages is not None and number >= page.pages):
                return rows
            if number == self._most and page.pages is not None:
                self.leave(path, page.pages - number)
                return rows
            number += 1

    def _page(self, path: str, number: int, query: Mapping[str, str]) -> Rows:
        began = time.perf_counter()
        page = self._reader.page(path, number, query)
        self._seconds[path] += time.perf_counter() - began
        return page

    def close(self) -> None:
        """Close the connection."""
        self._reader.http.close()

"""The plain client to compare with: one request after another, and nothing kept from one run to the next.

It asks as Flatfile's own SDKs do by default: no page size, so pages are as small as the server makes them (10 or 20
rows), and `/guests` space by space. It uses httpx, as the official Python SDK does, with one connection that stays open.
"""

import time
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx

EVENTS_WINDOW = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Work:
    """What was found, under the names of the exporter's metrics; requests and seconds by path."""

    found: dict[str, float]
    requests: Counter[str]
    seconds: Mapping[str, float]


class SequentialClient:
    """Does once what a scrape with all intervals at 0s does."""

    def __init__(self, base_url: str, client_id: str, secret: str) -> None:
        self._http = httpx.Client(base_url=base_url, headers={"X-Disable-Hooks": "true"}, trust_env=False, timeout=60)
        self._requests: Counter[str] = Counter()
        self._seconds: defaultdict[str, float] = defaultdict(float)
        answer = self._http.post("/auth", json={"clientId": client_id, "secret": secret})
        answer.raise_for_status()
        self._http.headers["Authorization"] = f"Bearer {answer.json()['accessToken']}"

    def run(self) -> Work:
        """Ask for everything. Archived spaces are asked for together with the others, in one list."""
        environments = self._list("/environments")
        spaces = self._list("/spaces", archived="true")
        agents = [row for env in environments for row in self._list("/agents", environmentId=env["id"])]
        users = self._list("/users")
        guests: dict[str, set[str]] = {}
        for space in spaces:
            for row in self._get("/guests", spaceId=space["id"])["data"]:
                guests.setdefault(row["id"], set()).add(space["id"])
        since = datetime.now(UTC) - EVENTS_WINDOW
        self._list("/events", since=since.isoformat(), includeAcknowledged="true")
        return Work(
            {
                "flatfile_environments": len(environments),
                "flatfile_spaces": len(spaces),
                "flatfile_files": sum(space["filesCount"] for space in spaces),
                "flatfile_agents": len(agents),
                "flatfile_users": len(users),
                "flatfile_guests": len(guests),
                "flatfile_guest_memberships": sum(len(members) for members in guests.values()),
            },
            self._requests,
            self._seconds,
        )

    def _list(self, path: str, **query: str) -> list[dict[str, Any]]:
        """All rows, page by page: to the last page where the answer says which that is, else to an empty one."""
        rows: list[dict[str, Any]] = []
        number = 1
        while True:
            body = self._get(path, pageNumber=str(number), **query)
            rows += body["data"]
            pages = body["pagination"]["pageCount"] if "pagination" in body else None
            if not body["data"] or (pages is not None and number >= pages):
                return rows
            number += 1

    def _get(self, path: str, **query: str) -> Any:
        began = time.perf_counter()
        answer = self._http.get(path, params=query)
        answer.raise_for_status()
        body = answer.json()
        self._requests[path] += 1
        self._seconds[path] += time.perf_counter() - began
        return body

    def close(self) -> None:
        """Close the connection."""
        self._http.close()

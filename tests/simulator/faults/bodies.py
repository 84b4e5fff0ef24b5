"""Faults in the body of an answer that would be right."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from exporter.demo.rows import Row
from tests.simulator.faults.kinds import Deformed

TOKEN = "accessToken"


@dataclass(frozen=True)
class WrongTypes(Deformed):
    """Ids (or the token) as numbers, `data` as an object where it is a list and the other way round, or the body as a list."""

    what: Literal["ids", "data", "body"] = "ids"

    def of_list(self, body: Row, page: int, first: Callable[[], Row]) -> Any:
        if self.what == "body":
            return [body]
        if self.what == "data":
            return {**body, "data": {"rows": body["data"]}}
        return {**body, "data": [{**row, identity(row): i} for i, row in enumerate(body["data"])]}

    def of_object(self, body: Row) -> Any:
        if self.what == "body":
            return [body]
        if TOKEN in body:
            return {**body, TOKEN: [body[TOKEN]] if self.what == "data" else 1}
        return {**body, "data": [body["data"]] if self.what == "data" else {**body["data"], "id": 1}}


@dataclass(frozen=True)
class NoData(Deformed):
    """No `data` in the answer, or no token."""

    def of_list(self, body: Row, page: int, first: Callable[[], Row]) -> Row:
        return self.of_object(body)

    def of_object(self, body: Row) -> Row:
        return {k: v for k, v in body.items() if k not in ("data", TOKEN)}


@dataclass(frozen=True)
class NullRows(Deformed):
    """Each row is null; of an object, each field."""

    def of_list(self, body: Row, page: int, first: Callable[[], Row]) -> Row:
        return {**body, "data": [None for _ in body["data"]]}

    def of_object(self, body: Row) -> Row:
        return dict.fromkeys(body)


@dataclass(frozen=True)
class RowWithoutId(Deformed):
    """The first row, or the object, has no id."""

    def of_list(self, body: Row, page: int, first: Callable[[], Row]) -> Row:
        data = body["data"]
        return {**body, "data": [_nameless(data[0]), *data[1:]] if data else []}

    def of_object(self, body: Row) -> Row:
        return {**body, "data": _nameless(body["data"])} if "data" in body else body


@dataclass(frozen=True)
class DuplicateRows(Deformed):
    """Each row comes twice."""

    def of_list(self, body: Row, page: int, first: Callable[[], Row]) -> Row:
        return {**body, "data": [row for row in body["data"] for _ in range(2)]}


@dataclass(frozen=True)
class EndlessPages(Deformed):
    """The first page again and again, always with one more to come. `fresh`: with new ids each time."""

    fresh: bool = False

    def of_list(self, body: Row, page: int, first: Callable[[], Row]) -> Row:
        data = first()["data"]
        if self.fresh:
            data = [{**row, identity(row): f"{row[identity(row)]}{page}"} for row in data]
        if "pagination" not in body:
            return {"data": data}
        said = {"currentPage": page, "pageCount": page + 1, "totalCount": len(data) * (page + 1)}
        return {"pagination": said, "data": data}


@dataclass(frozen=True)
class WrongTotal(Deformed):
    """`totalCount` is off by so many; the rows and `pageCount` are right."""

    by: int

    def of_list(self, body: Row, page: int, first: Callable[[], Row]) -> Row:
        said = body.get("pagination")
        if said is None:
            return body
        return {**body, "pagination": {**said, "totalCount": max(0, said["totalCount"] + self.by)}}


@dataclass(frozen=True)
class NoTotal(Deformed):
    """`pagination` without `totalCount`."""

    def of_list(self, body: Row, page: int, first: Callable[[], Row]) -> Row:
        said = body.get("pagination")
        return body if said is None else {**body, "pagination": {k: v for k, v in said.items() if k != "totalCount"}}


def identity(row: Row) -> str:
    """The field that tells a row from others: a run of an agent has no id, and names its event."""
    return "id" if "id" in row else "eventId"


def _nameless(row: Row) -> Row:
    return {k: v for k, v in row.items() if k != identity(row)}

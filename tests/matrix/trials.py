"""What is tried, on which endpoints, and what must come of it: the table that the tests and docs/reliability.md stand on."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

from exporter.collectors import REGISTRY
from exporter.flatfile.endpoints import Endpoint
from exporter.flatfile.errors import Reason
from tests.simulator.faults import (
    Drip,
    DuplicateRows,
    EmptyBody,
    EndlessHeaders,
    EndlessPages,
    Fault,
    Hang,
    HugeBody,
    NoData,
    NotJson,
    NullRows,
    Redirect,
    Reset,
    RowWithoutId,
    Status,
    Truncated,
    WrongTotal,
    WrongTypes,
)
from tests.simulator.switches import Switches

COPED: Final = "ok"
"""The exporter gets all that it asked for, and counts no error."""
NOT_APPLICABLE: Final = "–"
Expected = Reason | Literal["ok", "–"]

AUTH, ACCOUNT, ENVIRONMENTS = "/auth", "/accounts/current", "/environments"
HOST = "the host"
"""Where connections themselves fail, so that no endpoint can be asked."""
COLLECTORS: Mapping[str, str | None] = {
    HOST: None,
    AUTH: None,
    ACCOUNT: "environments",
    ENVIRONMENTS: "environments",
    "/spaces": "spaces",
    "/agents": "agents",
    "/agents/executions": "executions",
    "/users": "users",
    "/guests": "guests",
    "/events": "events",
    "/jobs": "jobs",
}
"""The collector that asks each endpoint; None: all of them need it."""

ELSEWHERE = "127.0.0.2"
"""A redirect's target: another host, on which something listens in these tests."""
REFUSED_CREDENTIALS_WAIT = 10.0
"""Seconds before refused credentials are tried again: the first step of their back-off."""
HUGE = 300_000_000

# `per_second`: nothing waits for its turn. `max_pages`: no list of these tests has more.
PATIENT = "{timeout: 30s, per_second: 10000, retries: 2, max_pages: 5}"
HURRIED = "{timeout: 5s, per_second: 10000, retries: 1}"
MAX_RESPONSE_MIB = 4
NARROW = f"{{timeout: 30s, per_second: 10000, retries: 1, max_response_bytes: {MAX_RESPONSE_MIB}MiB}}"


@dataclass(frozen=True, kw_only=True)
class Trial:
    """One thing that goes wrong.

    `what`: for readers. `reason`: what the collector's error is counted as; `but`: where something else is expected.
    `lost`: what a token's exchange is counted as before the first success, where the address itself may be wrong.
    `wait`: seconds that the answer asks to be left alone, after which one scrape must be all well. `count`: how many
    requests are struck, None for all of them. `requests`: YAML. `heavy`: tried one at a time, to measure memory.
    `one_environment`: that is refused, and the rest answers.
    """

    id: str
    what: str
    fault: Fault | None
    reason: Expected
    but: Mapping[str, Expected] = field(default_factory=dict)
    lost: Expected | None = None
    count: int | None = None
    wait: float = 0.0
    requests: str = PATIENT
    heavy: bool = False
    one_environment: bool = False

    def expected(self, path: str, start: str = "steady") -> Expected:
        """What must come of it at this endpoint."""
        if self.lost is not None and path == AUTH and start == "before":
            return self.lost
        return self.but.get(path, self.reason)

    def waits(self, path: str) -> float:
        """Seconds from the end of the fault after which the next scrape must be all well."""
        return REFUSED_CREDENTIALS_WAIT if path == AUTH and self.expected(path) == "unauthorized" else self.wait

    def readings(self, path: str) -> Switches:
        """How the simulated API reads what is open, so that the fault can be there at all."""
        switches = Switches(guests_without_space="all")
        if isinstance(self.fault, WrongTotal):
            switches.events_pagination = True
            switches.unpaged = set()
        return switches


REFUSED: Mapping[str, Expected] = {AUTH: "unauthorized", ACCOUNT: NOT_APPLICABLE}  # of the account itself no failure
OF_LISTS: Mapping[str, Expected] = {AUTH: NOT_APPLICABLE, ACCOUNT: NOT_APPLICABLE}
OF_ENVIRONMENTS: Mapping[str, Expected] = {
    **OF_LISTS,
    ENVIRONMENTS: NOT_APPLICABLE,
    "/users": NOT_APPLICABLE,
}
# What does not say how many pages there are ends where nothing new comes; guests are not paged at all.
SAME_PAGE: Mapping[str, Expected] = {**OF_LISTS, "/events": COPED, "/guests": COPED}

TRIALS: tuple[Trial, ...] = (
    Trial(id="400", what="400", fault=Status(400), reason="bad_response", but=REFUSED),
    Trial(id="401-once", what="401, once", fault=Status(401), count=1, reason=COPED, but=REFUSED),
    Trial(id="401", what="401, persistent", fault=Status(401), reason="unauthorized"),
    Trial(id="403", what="403", fault=Status(403), reason="forbidden", but=REFUSED),
    Trial(
        id="403-one-environment",
        what="403 in one environment",
        fault=None,
        one_environment=True,
        reason="forbidden",
        but=OF_ENVIRONMENTS,
    ),
    Trial(id="404", what="404", fault=Status(404), reason="not_found", but=REFUSED),
    Trial(id="408", what="408", fault=Status(408), reason="timeout"),
    Trial(id="429-once", what="429, once, `Retry-After` of 1 s", fault=Status(429, 1), count=1, reason=COPED),
    Trial(id="429-seconds", what="429, `Retry-After` in seconds", fault=Status(429, 1), reason="rate_limited", wait=1),
    Trial(id="429-date", what="429, `Retry-After` as a date", fault=Status(429, "date"), reason="rate_limited", wait=2),
    Trial(id="429", what="429 without `Retry-After`", fault=Status(429), reason="rate_limited", wait=2),
    Trial(id="500", what="500", fault=Status(500), reason="server_error"),
    Trial(id="502-html", what="502, a web page", fault=Status(502, body="html"), reason="server_error"),
    Trial(id="503", what="503 with `Retry-After`", fault=Status(503, 1), reason="server_error", wait=1),
    Trial(id="redirect", what="A redirect to another host", fault=Redirect(), reason="bad_response", lost="not_found"),
    Trial(id="reset", what="A connection reset within the body", fault=Reset(), reason="connection"),
    Trial(id="truncated", what="A body shorter than declared", fault=Truncated(), reason="connection"),
    Trial(id="empty", what="An empty body", fault=EmptyBody(), reason="bad_response"),
    Trial(id="html", what="200 with a web page", fault=NotJson(), reason="bad_response", lost="not_found"),
    Trial(
        id="not-json",
        what="Bytes that are not JSON",
        fault=NotJson(b'{"data":[{\xff'),
        reason="bad_response",
        lost="not_found",
    ),
    Trial(id="types-ids", what="Ids (or the token) as numbers", fault=WrongTypes(), reason="bad_response"),
    Trial(
        id="types-data",
        what="An object for a list, a list for an object",
        fault=WrongTypes("data"),
        reason="bad_response",
    ),
    Trial(id="types-body", what="A list for the whole body", fault=WrongTypes("body"), reason="bad_response"),
    Trial(id="no-data", what="No `data` (or no token)", fault=NoData(), reason="bad_response"),
    Trial(id="null-rows", what="Null rows", fault=NullRows(), reason="bad_response"),
    Trial(
        id="no-id", what="A row without an id", fault=RowWithoutId(), reason="bad_response", but={AUTH: NOT_APPLICABLE}
    ),
    Trial(id="duplicates", what="Each row twice", fault=DuplicateRows(), reason=COPED, but=OF_LISTS),
    Trial(
        id="pages-again",
        what="The first page again and again",
        fault=EndlessPages(),
        reason="bad_response",
        but=SAME_PAGE,
    ),
    Trial(
        id="pages-fresh",
        what="Endless pages with new ids",
        fault=EndlessPages(fresh=True),
        reason="too_large",
        but={**OF_LISTS, "/guests": NOT_APPLICABLE},
    ),
    Trial(id="total-more", what="A total one too high", fault=WrongTotal(1), reason="bad_response", but=OF_LISTS),
    Trial(id="total-less", what="A total one too low", fault=WrongTotal(-1), reason=COPED, but=OF_LISTS),
    Trial(id="huge", what="A body of 300 MB", fault=HugeBody(HUGE), reason="too_large", requests=NARROW, heavy=True),
    Trial(
        id="bomb",
        what="A small compressed body of 300 MB",
        fault=HugeBody(HUGE, gzip=True),
        reason="too_large",
        requests=NARROW,
        heavy=True,
    ),
    Trial(id="headers", what="Endless headers", fault=EndlessHeaders(), reason="connection"),
    Trial(id="drip", what="A body sent byte by byte", fault=Drip(), reason="timeout", requests=HURRIED),
    Trial(id="hang", what="No answer at all", fault=Hang(), reason="timeout", requests=HURRIED),
)

HOST_TRIALS: tuple[Trial, ...] = (
    Trial(id="refused", what="Connections refused", fault=None, reason="connection"),
    Trial(id="no-name", what="An unresolvable host name", fault=None, reason="connection"),
    Trial(id="tls-authority", what="TLS: a certificate of another authority", fault=None, reason="connection"),
    Trial(id="tls-name", what="TLS: a certificate of another host", fault=None, reason="connection"),
    Trial(id="tls-expired", what="TLS: an expired certificate", fault=None, reason="connection"),
)


def collector_of(path: str) -> str | None:
    """The collector that asks the endpoint, None for all of them; AssertionError where the table does not say."""
    assert path in COLLECTORS, f"{path} is new: say in tests/matrix/trials.py which collector asks it"
    name = COLLECTORS[path]
    assert name is None or name in REGISTRY, f"{path}: there is no collector {name}"
    return name


def paths() -> list[str]:
    """The endpoints that this configuration asks: environments one by one are asked for with `environments.ids` alone."""
    return [endpoint.path for endpoint in Endpoint if endpoint is not Endpoint.ENVIRONMENT]


def asked(path: str, start: str) -> bool:
    """Whether a scrape asks this endpoint: the account itself is looked at once an hour."""
    return path != ACCOUNT or start == "before"

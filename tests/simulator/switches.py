"""How the simulated API reads whatever the real one leaves open, and how fast it is. Change it while it runs.

The defaults are the most literal reading of what is published. A mapping or set `by path` is keyed by the path's
template (`/spaces`) or `*` for all. Switches are readings of the API; what goes wrong with it is in `faults`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal, TypeVar

ABSENT: Final = object()  # in `Switches.fields`: leave the field out of the row
V = TypeVar("V")


def by_path(mapping: Mapping[str, V], path: str) -> V | None:
    """What the mapping says for the path, else for `*`, else None."""
    return mapping.get(path, mapping.get("*"))


@dataclass
class Switches:
    """Every open reading, one field each."""

    # POST /auth
    auth_wrapped: bool = False
    """The answer lies in `data`."""
    auth_needs_type: bool = False
    """400 unless the body says `"type": "apiCredentials"`."""
    auth_refusal: int = 400
    """Status for wrong credentials."""
    expires_in: Literal["string", "number", "junk", "absent"] = "string"
    expires: Literal["iso", "http", "junk", "absent"] = "iso"
    token_is_jwt: bool = True
    """The access token carries its end as a JWT claim; else it is a text without meaning."""
    token_life: float = 86400.0
    """Seconds for which a token is good, and what the answer says."""
    token_calls: int | None = None
    """After so many requests a token is refused with 401, whatever its age."""
    ready_tokens: set[str] = field(default_factory=set)
    """Bearers taken as they are (`pat_...`)."""

    # Where and how fast
    prefix: Literal["/v1", "/api/v1"] = "/v1"
    other_prefix: Literal["json", "html", "method", "moved", "forbidden"] = "json"
    """The prefix that is not served answers 404 in JSON, a page of HTML with 200 or 403, 405, or 301."""
    region: str = "us"
    """First segment of every id."""
    latency: dict[str, float] = field(default_factory=dict)
    """Seconds before an answer, by path."""
    date_ahead: dict[str, float] = field(default_factory=dict)
    """Seconds by which the header `Date` is ahead of the time of events and other objects, by path."""
    keep_alive: bool = True
    """Connections stay open after an answer."""
    rate: int | None = None
    """Requests taken in any one second; the rest get 429."""
    rate_retry_after: float | Literal["date"] | None = 1.0
    """`Retry-After` of those: seconds, an HTTP date one second on, or none."""

    # Who may see what
    forbidden: set[tuple[str, str]] = field(default_factory=set)
    """(path or `*`, environment id): 403."""
    vanished: set[str] = field(default_factory=set)
    """Environments that are listed but answer 404 when used: deleted between the two."""
    account_wide_refusal: dict[str, int] = field(default_factory=dict)
    """By path: status for a list asked for without `environmentId` or `spaceId`, where it may be without."""
    environment_ignored: set[str] = field(default_factory=set)
    """Paths where the parameter `environmentId` filters nothing."""

    # Paging
    default_size: dict[str, int] = field(default_factory=dict)
    """By path: rows of a page where no `pageSize` is given."""
    page_clamp: dict[str, int] = field(default_factory=dict)
    """By path: a larger `pageSize` is cut to this in silence."""
    page_limit: dict[str, int] = field(default_factory=dict)
    """By path: a larger `pageSize` is refused."""
    page_limit_status: int = 400
    paging_refused: set[str] = field(default_factory=set)
    """Paths that answer 400 to any paging parameter."""
    past_the_end: int | None = None
    """Status for a page past the end (but the first); `None`: 200 and no rows."""
    page_number_ignored: set[str] = field(default_factory=set)
    """Paths (or `*`) that answer their first page whatever the `pageNumber`."""
    unpaged: set[str] = field(default_factory=lambda: {"/guests"})
    """Paths that answer all rows at once and say nothing about pages."""
    first_page: Literal[0, 1] = 1
    pagination: Literal["right", "absent", "stale", "zero"] = "right"
    """`stale`: the total is one too small and the page count fits it; `zero`: `pageCount` 0."""
    events_pagination: bool = False
    """`/events` says how many pages there are, which no definition promises."""

    # Lists
    guests_without_space: Literal["refused", "all", "empty"] = "refused"
    """`/guests` without `spaceId`: 400, every guest of the account, or nothing."""
    guest_spaces: Literal["all", "asked", "empty"] = "all"
    """What a guest's `spaces` holds when asked for one space."""
    archived: Literal["also", "only", "ignored"] = "also"
    """What `archived=true` lists: archived spaces too, only those, or no change."""
    archived_hidden: bool = True
    """Archived spaces are left out where `archived` does not say otherwise."""
    space_sort_taken: bool = True
    """`/spaces` knows `sortField`; else 400."""
    sort_ignored: set[str] = field(default_factory=set)
    """Paths that take `sortField` and do not sort."""
    nulls_first: bool = False
    """Sorted from the greatest down, rows without a value come first."""
    system_agents_listed: bool = True
    """`/agents` without `isSystem` lists system agents too."""
    is_system_honoured: bool = True
    agent_id_honoured: bool = True
    """`/agents/executions` filters by `agentId`."""
    since: Literal["inclusive", "exclusive", "day", "ignored"] = "inclusive"
    """How `/events` reads `since`; `day`: from the beginning of its UTC day."""
    event_order: Literal["desc", "asc", "shuffled"] = "desc"
    """`shuffled`: no order, but the same one for the same query while nothing new happens."""
    job_order: Literal["honoured", "asc", "shuffled"] = "honoured"
    acknowledged_hidden: bool = True
    """`/events` leaves acknowledged events out unless `includeAcknowledged=true`."""

    # Rows
    fields: dict[str, dict[str, object]] = field(default_factory=dict)
    """By path: values that replace a field of every row (None: null; `ABSENT`: left out)."""
    fields_in_row: int | None = None
    """`fields` touches only the row of this index on each page."""
    plain_dates: bool = False
    """`lastActivityAt` as a plain date."""
    source_bytes: int = 200
    """Size of an agent's `source`."""

"""What an account holds, as plain records: the demo's own shapes (`rows.py` makes those on the wire).

Times are unix seconds. A `Moment` may also be a text, which goes out as it is (a plain date, or something that
is no time at all), or None, which goes out as null.
"""

from dataclasses import dataclass, field

Moment = float | str | None


@dataclass(slots=True)
class Environment:
    """One environment. Names need not be unique."""

    id: str
    name: str
    is_prod: bool
    guest_authentication: tuple[str, ...] = ("magic_link",)
    namespaces: tuple[str, ...] = ("default",)


@dataclass(slots=True)
class Space:
    """One space. `archived_at` and `expired_at` set mean archived and expired; both stay listed."""

    id: str
    environment_id: str
    name: str
    created_at: float
    updated_at: float
    last_activity_at: Moment
    workbooks: int | None = 1
    files: int | None = 0
    created_by: str | None = None
    namespace: str | None = None
    app_id: str | None = None
    archived_at: Moment = None
    expired_at: Moment = None


@dataclass(slots=True)
class Agent:
    """One deployed agent. `slug` None: an agent that has none."""

    id: str
    environment_id: str
    slug: str | None
    topics: tuple[str, ...]
    is_system: bool
    namespace: str | None
    created_at: float
    updated_at: float


@dataclass(slots=True)
class User:
    """One member of the team."""

    id: str
    email: str
    name: str
    created_at: float
    updated_at: float
    last_seen_at: Moment


@dataclass(slots=True)
class Guest:
    """One guest of an environment. `spaces`: space id -> when the guest was last there (None: never)."""

    id: str
    environment_id: str
    email: str
    name: str
    created_at: float
    updated_at: float
    spaces: dict[str, Moment] = field(default_factory=dict)


@dataclass(slots=True)
class Event:
    """One event. It is listed from `visible_at` on, which lies after `created_at` when the platform is late.

    `context` holds what the context carries beside the account, environment, space and actor. `topic_key`: the
    key that carries the topic on the wire (some texts call it `type`).
    """

    id: str
    topic: str
    domain: str
    environment_id: str
    space_id: str | None
    actor_id: str | None
    created_at: float
    visible_at: float
    context: dict[str, str]
    namespaces: tuple[str, ...] = ()
    acknowledged_at: float | None = None
    acknowledged_by: str | None = None
    deleted_at: Moment = None
    topic_key: str = "topic"


@dataclass(slots=True)
class Execution:
    """One run of an agent for an event, listed from `completed_at` on."""

    agent_id: str
    environment_id: str
    event_id: str
    space_id: str | None
    topic: str
    success: bool
    created_at: float
    completed_at: float
    memory_bytes: int = 50_000_000
    requests: int = 2


@dataclass(slots=True)
class Job:
    """One job, with its present status."""

    id: str
    environment_id: str
    space_id: str | None
    type: str
    operation: str
    source: str
    status: str
    created_by: str | None
    created_at: float
    updated_at: float
    started_at: float | None = None
    finished_at: float | None = None
    progress: int = 0
    mode: str = "background"

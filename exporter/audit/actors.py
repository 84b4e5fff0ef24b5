"""Who caused an event, as a line tells it: in full, by id alone, or as keyed hashes. Pure."""

import hashlib
import hmac
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from msgspec import UNSET, UnsetType

from exporter.flatfile.topics import ActorType

Mode = Literal["full", "id", "hash"]
MODES: tuple[Mode, ...] = ("full", "id", "hash")

HASHED: frozenset[ActorType] = frozenset({"user", "guest", "unknown"})
"""Actors that are people, or may be."""
LEAST_KEY = 16  # bytes


@dataclass(frozen=True, slots=True)
class Actor:
    """An actor: `name` and `email` are `None` where they are not known."""

    type: ActorType
    id: str | None
    name: str | None = None
    email: str | None = None


@dataclass(frozen=True, slots=True)
class Shown:
    """What a line says of an actor; `UNSET`: it has no such key."""

    id: str | None
    name: str | UnsetType | None
    email: str | UnsetType | None


Telling = Callable[[Actor], Shown]


def telling(mode: Mode, key: bytes) -> Telling:
    """Give what turns an actor into a line's words. `key` is for `hash` alone.

    A hash is of the id, the name or the address, each on its own: equal ones give equal hashes under one key. Addresses are
    compared without regard to case, so that a user who is a guest elsewhere is recognised.
    """
    if mode == "full":
        return lambda actor: Shown(actor.id, actor.name, actor.email)
    if mode == "id":
        return lambda actor: Shown(actor.id, UNSET, UNSET)

    def hashed(actor: Actor) -> Shown:
        if actor.type not in HASHED:
            return Shown(actor.id, actor.name, actor.email)
        email = actor.email.strip().casefold() if actor.email else actor.email
        return Shown(_hash(key, "id", actor.id), _hash(key, "name", actor.name), _hash(key, "email", email))

    return hashed


def _hash(key: bytes, what: str, text: str | None) -> str | None:
    if text is None:
        return None
    digest = hmac.new(key, f"{what}\0{text}".encode("utf-8", "surrogatepass"), hashlib.sha256).hexdigest()
    return f"hmac:{digest[:32]}"

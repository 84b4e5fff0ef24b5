"""Who caused an event, as a line shows it: in full, by id only, or as keyed hashes. Pure."""

import hashlib
import hmac
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

from msgspec import UNSET, UnsetType

from exporter.flatfile.topics import ActorType

Mode = Literal["full", "id", "hash"]
MODES: tuple[Mode, ...] = ("full", "id", "hash")

HASHED: frozenset[ActorType] = frozenset({"user", "guest", "unknown"})
"""Actors that are people, or may be."""
MIN_KEY_BYTES = 16


@dataclass(frozen=True, slots=True)
class Actor:
    """An actor: `name` and `email` are `None` if they are not known, `UNSET` if a line does not have the key."""

    type: ActorType
    id: str | None
    name: str | UnsetType | None = None
    email: str | UnsetType | None = None


Display = Callable[[Actor], Actor]


def display(mode: Mode, key: bytes) -> Display:
    """Return a function from an actor to what a line shows of it. `key` is for `hash` only.

    The id, the name and the address are hashed separately: equal ones have equal hashes under one key. Case is ignored in
    addresses, so a user who is a guest elsewhere is recognised.
    """

    def hashed(actor: Actor) -> Actor:
        if actor.type not in HASHED:
            return actor
        email = actor.email.strip().casefold() if actor.email else actor.email
        shown = {
            what: _hash(key, what, text) for what, text in (("id", actor.id), ("name", actor.name), ("email", email))
        }
        return Actor(actor.type, **shown)

    if mode == "hash":
        return hashed
    if mode == "id":
        return lambda actor: replace(actor, name=UNSET, email=UNSET)
    return lambda actor: actor


def _hash(key: bytes, what: str, text: str | UnsetType | None) -> str | None:
    if not isinstance(text, str):
        return None
    digest = hmac.new(key, f"{what}\0{text}".encode("utf-8", "surrogatepass"), hashlib.sha256).hexdigest()
    return f"hmac:{digest[:32]}"

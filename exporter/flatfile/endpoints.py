"""The fixed list of what the client can ask: nothing that is not here can be sent."""

from enum import Enum
from typing import Literal


class Endpoint(Enum):
    """A method and a path. No path holds an id, so its text is also the `endpoint` label of metrics and logs.

    The API has GETs that change state or reveal secrets; none of them is here, and there is no way to add one at run time.
    """

    AUTH = ("POST", "/auth")
    ACCOUNT = ("GET", "/accounts/current")
    ENVIRONMENTS = ("GET", "/environments")
    SPACES = ("GET", "/spaces")
    AGENTS = ("GET", "/agents")
    USERS = ("GET", "/users")
    GUESTS = ("GET", "/guests")
    EVENTS = ("GET", "/events")

    def __init__(self, method: Literal["GET", "POST"], path: str) -> None:
        self.method = method
        self.path = path

    def __str__(self) -> str:
        return self.path

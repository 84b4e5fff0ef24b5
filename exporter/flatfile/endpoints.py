"""The fixed list of requests: nothing that is not here can be sent."""

from enum import Enum


class Endpoint(Enum):
    """A method and a path. No path holds an id, so its text is also the `endpoint` label of metrics and logs.

    The API has GETs that change state or reveal secrets; none of them is here, and nothing can be added or changed at run
    time.
    """

    AUTH = ("POST", "/auth")
    ACCOUNT = ("GET", "/accounts/current")
    ENVIRONMENTS = ("GET", "/environments")
    SPACES = ("GET", "/spaces")
    AGENTS = ("GET", "/agents")
    EXECUTIONS = ("GET", "/agents/executions")
    USERS = ("GET", "/users")
    GUESTS = ("GET", "/guests")
    EVENTS = ("GET", "/events")
    JOBS = ("GET", "/jobs")

    @property
    def method(self) -> str:
        """`GET` or `POST`."""
        return self.value[0]

    @property
    def path(self) -> str:
        """What comes after the base address."""
        return self.value[1]

    def __str__(self) -> str:
        return self.path

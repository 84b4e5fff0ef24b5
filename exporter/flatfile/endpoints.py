"""The fixed list of requests: nothing that is not here can be sent."""

import re
from collections.abc import Mapping
from enum import Enum

_ENVIRONMENT_ID = re.compile(r"[a-z0-9]+_env_[A-Za-z0-9]+")


class Endpoint(Enum):
    """A method and a path's template. It holds no id, so its text is also the `endpoint` label of metrics and logs.

    The API has GETs that change state or reveal secrets; none of them is here, and nothing can be added or changed at run
    time.
    """

    AUTH = ("POST", "/auth")
    ACCOUNT = ("GET", "/accounts/current")
    ENVIRONMENTS = ("GET", "/environments")
    ENVIRONMENT = ("GET", "/environments/{id}")
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
        """What comes after the base address, with `{id}` for an id."""
        return self.value[1]

    def target(self, params: Mapping[str, str]) -> tuple[str, Mapping[str, str]]:
        """Return the path to ask for and the parameters of the query, the parameter `id` filled in where the path has one.

        Raises ValueError for what is not the id of an environment: other names below /environments reveal secrets.
        """
        if "{id}" not in self.path:
            return self.path, params
        query = dict(params)
        id_ = query.pop("id", "")
        if not _ENVIRONMENT_ID.fullmatch(id_):
            raise ValueError("not the id of an environment")
        return self.path.replace("{id}", id_), query

    def __str__(self) -> str:
        return self.path

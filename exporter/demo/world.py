"""One account as data: what it holds, and how that changes.

Each change also emits the event that the platform would emit (`announce=False`: history that nobody watched).
Nothing here knows HTTP.
"""

from collections.abc import Iterable

from exporter.demo.activity import Activity, Clock
from exporter.demo.markers import CUSTOMER_MAIL, PERSONAL, TEAM_MAIL
from exporter.demo.records import Agent, Environment, Guest, Moment, Space, User
from exporter.demo.timeline import Timeline


class World(Activity):
    """An account. `clock` gives unix seconds; `at` in each method is when the thing happens (default: now).

    The records are there to be read and changed (`world.spaces[id].files = 7`), but whatever has an index (who
    belongs to which environment or space, what is deployed, when something was created) changes by a method
    alone. An id that is given (`with_id`) is taken as it is; the others follow from the seed.
    """

    def __init__(self, clock: Clock, seed: int = 0, *, name: str = "Acme Imports", account_id: str = "us_acc_4kQ2m9Xz"):
        super().__init__(clock, seed)
        self.account_id = account_id
        self.name = name
        self.created_at = 1675238400.0  # 2023-02-01
        self.environments: dict[str, Environment] = {}
        self.spaces: dict[str, Space] = {}
        self.agents: dict[str, Agent] = {}
        self.guests: dict[str, Guest] = {}
        self.spaces_of: dict[str, dict[str, Space]] = {}
        self.guests_of: dict[str, dict[str, Guest]] = {}
        self.guests_in: dict[str, dict[str, Guest]] = {}

    # Environments

    def add_environment(
        self,
        name: str,
        *,
        is_prod: bool = False,
        with_id: str | None = None,
        at: float | None = None,
        announce: bool = True,
    ) -> Environment:
        made = Environment(with_id or self.ids.new("env"), name, is_prod)
        self.environments[made.id] = made
        self.spaces_of[made.id], self.agents_of[made.id], self.guests_of[made.id] = {}, {}, {}
        self.events_of[made.id], self.executions_of[made.id] = Timeline(), Timeline()
        self.jobs_of[made.id] = Timeline()
        if announce:
            self.emit("environment:created", made.id, actor_id=self._some_user(), at=at)
        return made

    def delete_environment(self, environment_id: str, *, at: float | None = None) -> None:
        """The environment and all it holds go. Its past events stay in the account's listing."""
        for space_id in list(self.spaces_of[environment_id]):
            self.delete_space(space_id, announce=False)
        for agent_id in list(self.agents_of[environment_id]):
            self.delete_agent(agent_id, announce=False)
        for job in self.jobs_of[environment_id]:
            del self.jobs[job.id]
        self.emit("environment:deleted", environment_id, actor_id=self._some_user(), at=at)
        del self.spaces_of[environment_id], self.agents_of[environment_id], self.guests_of[environment_id]
        del self.events_of[environment_id], self.executions_of[environment_id], self.jobs_of[environment_id]
        del self.environments[environment_id]

    # Spaces

    def add_space(
        self,
        environment_id: str,
        name: str,
        *,
        with_id: str | None = None,
        at: float | None = None,
        namespace: str | None = None,
        app_id: str | None = None,
        created_by: str | None = None,
        announce: bool = True,
    ) -> Space:
        when = self._when(at)
        by = created_by or self._some_user()
        made = Space(with_id or self.ids.new("sp"), environment_id, name, when, when, when, 1, 0, by, namespace, app_id)
        self.spaces[made.id] = self.spaces_of[environment_id][made.id] = made
        self.guests_in[made.id] = {}
        if announce:
            self.emit("space:created", environment_id, space_id=made.id, actor_id=by, at=when)
        return made

    def archive_space(self, space_id: str, *, at: float | None = None, announce: bool = True) -> None:
        self._mark(space_id, "space:archived", at, announce).archived_at = self._when(at)

    def unarchive_space(self, space_id: str, *, at: float | None = None, announce: bool = True) -> None:
        self._mark(space_id, "space:unarchived", at, announce).archived_at = None

    def expire_space(self, space_id: str, *, at: float | None = None, announce: bool = True) -> None:
        """Its data is removed by retention; the space stays listed."""
        self._mark(space_id, "space:expired", at, announce).expired_at = self._when(at)

    def touch_space(self, space_id: str, *, files: int = 0, at: float | None = None) -> None:
        """Somebody worked in it; `files` more were uploaded."""
        space = self.spaces[space_id]
        space.updated_at = space.last_activity_at = self._when(at)
        space.files = (space.files or 0) + files

    def delete_space(self, space_id: str, *, at: float | None = None, announce: bool = True) -> None:
        """The space goes, and with it the guests who were in no other."""
        space = self.spaces[space_id]
        for guest_id in list(self.guests_in[space_id]):
            self.remove_guest(guest_id, space_id, announce=False)
        if announce:
            self.emit("space:deleted", space.environment_id, space_id=space_id, actor_id=self._some_user(), at=at)
        del self.guests_in[space_id], self.spaces_of[space.environment_id][space_id], self.spaces[space_id]

    # Agents

    def deploy_agent(
        self,
        environment_id: str,
        slug: str | None,
        topics: Iterable[str] = ("commit:created", "job:ready"),
        *,
        with_id: str | None = None,
        is_system: bool = False,
        namespace: str | None = None,
        at: float | None = None,
        announce: bool = True,
    ) -> Agent:
        """Deploy; where the environment has an agent of that slug, that one is deployed anew."""
        when = self._when(at)
        agent = None if slug is None else self.find_agent(environment_id, slug)
        topic = "agent:created" if agent is None else "agent:updated"
        if agent is None:
            made_id = with_id or self.ids.new("ag")
            agent = Agent(made_id, environment_id, slug, tuple(topics), is_system, namespace, when, when)
            self.agents[agent.id] = self.agents_of[environment_id][agent.id] = agent
        else:
            agent.topics, agent.namespace, agent.updated_at = tuple(topics), namespace, when
        if announce:
            self._emit_agent(topic, agent, when)
        return agent

    def redeploy_agent(self, agent_id: str, *, at: float | None = None) -> None:
        agent = self.agents[agent_id]
        agent.updated_at = self._when(at)
        self._emit_agent("agent:updated", agent, agent.updated_at)

    def delete_agent(self, agent_id: str, *, at: float | None = None, announce: bool = True) -> None:
        agent = self.agents.pop(agent_id)
        del self.agents_of[agent.environment_id][agent_id]
        if announce:
            self._emit_agent("agent:deleted", agent, self._when(at))

    def find_agent(self, environment_id: str, slug: str) -> Agent | None:
        """The environment's agent of that slug, or None."""
        return next((a for a in self.agents_of[environment_id].values() if a.slug == slug), None)

    # Users and guests

    def add_user(
        self,
        name: str,
        *,
        with_id: str | None = None,
        email: str | None = None,
        at: float | None = None,
        seen: Moment = None,
    ) -> User:
        when = self._when(at)
        made_id = with_id or self.ids.new("usr")
        made = User(made_id, email or made_id[-8:].lower() + TEAM_MAIL, PERSONAL + name, when, when, seen)
        self.users[made.id] = made
        return made

    def remove_user(self, user_id: str) -> None:
        del self.users[user_id]

    def add_guest(
        self,
        space_id: str,
        name: str = "Guest",
        *,
        with_id: str | None = None,
        at: float | None = None,
        last_accessed: Moment = None,
        announce: bool = True,
    ) -> Guest:
        """A new guest, in this one space."""
        when = self._when(at)
        made_id = with_id or self.ids.new("g")
        environment_id = self.spaces[space_id].environment_id
        made = Guest(made_id, environment_id, made_id[-8:].lower() + CUSTOMER_MAIL, PERSONAL + name, when, when)
        self.guests[made_id] = self.guests_of[environment_id][made_id] = made
        self.admit_guest(made_id, space_id, at=when, last_accessed=last_accessed, announce=announce)
        return made

    def admit_guest(
        self,
        guest_id: str,
        space_id: str,
        *,
        at: float | None = None,
        last_accessed: Moment = None,
        announce: bool = True,
    ) -> None:
        """Let a guest into one more space of the same environment; ValueError for another environment's."""
        guest, space = self.guests[guest_id], self.spaces[space_id]
        if guest.environment_id != space.environment_id:
            raise ValueError("a guest belongs to one environment")
        guest.spaces[space_id] = last_accessed
        guest.updated_at = self._when(at)
        self.guests_in[space_id][guest_id] = guest
        if announce:
            self._emit_guest("space:guestAdded", guest, space_id, at)

    def visit(self, guest_id: str, space_id: str, *, at: float | None = None) -> None:
        guest = self.guests[guest_id]
        guest.spaces[space_id] = guest.updated_at = self._when(at)

    def remove_guest(self, guest_id: str, space_id: str, *, at: float | None = None, announce: bool = True) -> None:
        """Out of this space; a guest who is in no other is gone."""
        guest = self.guests[guest_id]
        del guest.spaces[space_id], self.guests_in[space_id][guest_id]
        guest.updated_at = self._when(at)
        if announce:
            self._emit_guest("space:guestRemoved", guest, space_id, at)
        if not guest.spaces:
            del self.guests[guest_id], self.guests_of[guest.environment_id][guest_id]

    def _mark(self, space_id: str, topic: str, at: float | None, announce: bool) -> Space:
        space = self.spaces[space_id]
        space.updated_at = self._when(at)
        if announce:
            self.emit(topic, space.environment_id, space_id=space_id, at=at)
        return space

    def _emit_agent(self, topic: str, agent: Agent, at: float) -> None:
        key = f"us_key_{agent.environment_id[-8:]}"
        self.emit(topic, agent.environment_id, actor_id=key, at=at, context={"agentId": agent.id})

    def _emit_guest(self, topic: str, guest: Guest, space_id: str, at: float | None) -> None:
        self.emit(topic, guest.environment_id, space_id=space_id, actor_id=self._some_user(), at=at)

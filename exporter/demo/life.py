"""Makes a world live: imports at the rhythm of a day, jobs, deployments, new people, an agent that goes missing.

Everything happens at a time of its own, drawn from the seed, so it does not matter how often `advance` is called:
the same seed gives the same hour.
"""

import math
import random
from collections.abc import Callable
from heapq import heappop, heappush
from itertools import count

from exporter.demo.records import Moment, Space
from exporter.demo.world import World

BACKFILL = 3600.0  # seconds of history at the start, and the most that a pause is made up for
KEPT = 2 * 3600.0  # seconds for which events and runs are kept
JOBS_KEPT = 25 * 3600.0
MISSING_FIRST, MISSING_EVERY = 60.0, 1200.0
MISSING_FOR = 480.0  # longer than the alert about it waits (5 minutes), scrapes and evaluations included
IDLE, AWAY = 30 * 86400.0, 86400.0  # spaces without activity, and users not seen, for so long stay as they are
CRON = 300.0
BUSY, QUIET = 15.0, 60.0  # mean seconds from one import to the next, in a production environment and in another
MAX_SPACES, MAX_GUESTS = 60, 120  # of an environment; beyond them somebody tidies up
Step = Callable[[float], object]


class Life:
    """Brings a world up to the present. When this is made, the last hour has happened already.

    `missing`: environment name and slug of the agent that is deleted a minute after the start, deployed again 8
    minutes later, and so on every 20 minutes; None: no agent goes missing.
    """

    def __init__(
        self, world: World, seed: int = 1, *, missing: tuple[str, str] | None = ("production", "validator")
    ) -> None:
        self.world = world
        self._rng = random.Random(seed)  # noqa: S311  a reproducible account is the point
        self._order = count()
        self._steps: list[tuple[float, int, Step]] = []
        start = world.clock()
        self._now = self._horizon = start - BACKFILL
        self._idle = {space.id for space in world.spaces.values() if _before(space.last_activity_at, start - IDLE)}
        self._away = {user.id for user in world.users.values() if _before(user.last_seen_at, start - AWAY)}
        for environment in world.environments.values():
            self._live_in(environment.id, BUSY if environment.is_prod else QUIET)
        self._repeat(self._redeploy, lambda at: self._rng.uniform(300, 900))
        self._repeat(self._people, lambda at: self._rng.uniform(60, 240))
        self._repeat(self._see_user, lambda at: self._rng.uniform(30, 120))
        if missing is not None:
            self._at(start + MISSING_FIRST, lambda at: self._go_missing(*missing, at))
        self.advance(start)

    @property
    def now(self) -> float:
        """Up to when things have happened (unix seconds)."""
        return self._now

    def advance(self, now: float) -> None:
        """Let happen whatever happens until `now`. Of a long pause only the last hour is made up for."""
        if now <= self._now:
            return
        self._horizon = now - BACKFILL
        while self._steps and self._steps[0][0] <= now:
            self._now, _, step = heappop(self._steps)
            step(self._now)
        self._now = now
        self.world.forget_before(now - KEPT, now - JOBS_KEPT)

    # When

    def _at(self, at: float, step: Step) -> None:
        heappush(self._steps, (at, next(self._order), step))

    def _repeat(self, step: Step, gap: Callable[[float], float]) -> None:
        """Do the step again and again, `gap(at)` seconds after the time before, skipping what a pause left out."""

        def again(at: float) -> None:
            step(at)
            self._at(max(at + gap(at), self._horizon), again)

        self._at(self._now + gap(self._now), again)

    def _live_in(self, environment_id: str, seconds: float) -> None:
        self._repeat(
            lambda at: self._import(environment_id, at),
            lambda at: self._rng.expovariate(rhythm(at) / seconds),
        )
        self._repeat(lambda at: self._cron(environment_id, at), lambda at: CRON - at % CRON)

    # What

    def _emit(
        self, topic: str, environment_id: str, at: float, space_id: str | None = None, actor: str | None = None
    ) -> None:
        """An event; now and then the platform lists it late."""
        late = self._rng.uniform(1, 20) if self._rng.random() < 0.02 else 0.0
        if environment_id in self.world.environments:
            self.world.emit(topic, environment_id, space_id=space_id, actor_id=actor, at=at, visible_at=at + late)

    def _cron(self, environment_id: str, at: float) -> None:
        self._emit("cron:5-minutes", environment_id, at)
        if at % 3600 == 0:
            self._emit("cron:hourly", environment_id, at)

    def _import(self, environment_id: str, at: float) -> None:
        """Somebody brings a file into a space: an extract job, the records, a commit, a job that submits them."""
        space = self._some_space(environment_id)
        if space is None:
            return
        people = list(self.world.guests_in[space.id])
        guest = self._rng.choice(people) if people else None
        actor = guest or self._some_user()
        if guest:
            self.world.visit(guest, space.id, at=at)
        self.world.touch_space(space.id, files=1, at=at)
        self._emit("file:created", environment_id, at, space.id, actor)
        done = self._job(space, "file", "extract", actor, at + self._rng.uniform(0.5, 2))
        for topic, after in (
            ("workbook:updated", 0.4),
            ("records:created", 1.0),
            ("sheet:counts-updated", 2.0),
            ("commit:created", 3.0),
            ("commit:completed", 6.0),
        ):
            by = None if topic == "sheet:counts-updated" else actor  # the platform counts by itself
            self._later(topic, space, by, done + after * self._rng.uniform(0.8, 1.3))
        if self._rng.random() < 0.5:
            by = self._some_agent(environment_id)
            self._later("records:updated", space, by, done + self._rng.uniform(4, 20))
        if self._rng.random() < 0.6:
            later = done + self._rng.uniform(8, 40)
            self._at(later, lambda when: self._job(space, "workbook", "submitAction", actor, when))

    def _later(self, topic: str, space: Space, actor: str | None, at: float) -> None:
        self._at(at, lambda when: self._emit(topic, space.environment_id, when, space.id, actor))

    def _job(self, space: Space, kind: str, operation: str, actor: str | None, at: float) -> float:
        """A job that begins at `at`; returns when it will end. A few fail, and a few take long."""
        waits = self._rng.uniform(0.1, 2)
        lasts = self._rng.uniform(600, 1800) if self._rng.random() < 0.02 else self._rng.uniform(1, 15)
        status = "failed" if self._rng.random() < 0.06 else "complete"

        def begin(when: float) -> None:
            world = self.world
            if space.environment_id not in world.environments:
                return
            job = world.add_job(space.environment_id, space.id, operation, kind=kind, created_by=actor, at=when).id
            self._at(when + waits, lambda then: world.start_job(job, at=then) if job in world.jobs else None)
            self._at(
                when + waits + lasts, lambda then: world.finish_job(job, status, at=then) if job in world.jobs else None
            )

        self._at(at, begin)
        return at + waits + lasts

    def _redeploy(self, at: float) -> None:
        agents = [a.id for a in self.world.agents.values() if not a.is_system]
        if agents:
            self.world.redeploy_agent(self._rng.choice(agents), at=at)

    def _people(self, at: float) -> None:
        """A guest comes, is let into one more space or goes; a space is made, archived or deleted."""
        if not self.world.environments:
            return
        environment_id = self._rng.choice(list(self.world.environments))
        space = self._some_space(environment_id)
        what = self._rng.random()
        if space is None or what < 0.2:
            self._space(environment_id, at)
        elif len(self.world.guests_of[environment_id]) > MAX_GUESTS or what < 0.4:
            self._guest_leaves(space, at)
        elif what < 0.6:
            self._guest_returns(space, at)
        else:
            self.world.add_guest(space.id, f"Guest {self._rng.randint(100, 999)}", at=at, last_accessed=at)

    def _space(self, environment_id: str, at: float) -> None:
        spaces = self.world.spaces_of[environment_id].values()
        live = [s for s in spaces if s.archived_at is None and s.expired_at is None]
        archived = [s for s in spaces if s.archived_at is not None]
        if len(spaces) > MAX_SPACES and archived:
            self.world.delete_space(archived[0].id, at=at)
        elif len(live) > MAX_SPACES // 2 or (len(live) > 5 and self._rng.random() < 0.3):
            self.world.archive_space(live[0].id, at=at)
        else:
            name = f"Project {self._rng.randint(1000, 9999)}"
            made = self.world.add_space(environment_id, name, at=at, namespace="nightly")
            self._later("workbook:created", made, made.created_by, at + 1)

    def _guest_leaves(self, space: Space, at: float) -> None:
        people = list(self.world.guests_in[space.id])
        if len(people) > 1:
            self.world.remove_guest(self._rng.choice(people), space.id, at=at)

    def _guest_returns(self, space: Space, at: float) -> None:
        others = [g for g in self.world.guests_of[space.environment_id] if g not in self.world.guests_in[space.id]]
        if others:
            self.world.admit_guest(self._rng.choice(others), space.id, at=at, last_accessed=at)

    def _see_user(self, at: float) -> None:
        here = [user for user in self.world.users.values() if user.id not in self._away]
        if here:
            user = self._rng.choice(here)
            user.last_seen_at = user.updated_at = at

    def _go_missing(self, environment: str, slug: str, at: float) -> None:
        """The agent is deleted, comes back later as a new one, and this is due again."""
        self._at(at + MISSING_EVERY, lambda when: self._go_missing(environment, slug, when))
        for item in self.world.environments.values():
            agent = self.world.find_agent(item.id, slug) if item.name == environment else None
            if agent is not None:
                self.world.delete_agent(agent.id, at=at)
                self._at(at + MISSING_FOR, self._return_of(agent.environment_id, slug, agent.topics))

    def _return_of(self, environment_id: str, slug: str, topics: tuple[str, ...]) -> Step:
        def deploy(at: float) -> None:
            if environment_id in self.world.environments:
                self.world.deploy_agent(environment_id, slug, topics, namespace="nightly", at=at)

        return deploy

    def _some_space(self, environment_id: str) -> Space | None:
        spaces = self.world.spaces_of.get(environment_id, {}).values()
        live = [s for s in spaces if s.archived_at is None and s.expired_at is None]
        busy = [s for s in live if s.id not in self._idle]
        return self._rng.choice(busy or live) if live else None

    def _some_user(self) -> str | None:
        return self._rng.choice(list(self.world.users)) if self.world.users else None

    def _some_agent(self, environment_id: str) -> str | None:
        agents = list(self.world.agents_of[environment_id])
        return self._rng.choice(agents) if agents else None


def rhythm(at: float) -> float:
    """How busy the hour is: 1 at 14:00 UTC, 0.3 twelve hours later."""
    return 0.65 + 0.35 * math.cos((at % 86400 / 3600 - 14) / 24 * 2 * math.pi)


def _before(moment: Moment, at: float) -> bool:
    return moment is None or (isinstance(moment, float) and moment < at)

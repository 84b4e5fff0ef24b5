"""What happens in an account: events, the runs of the agents that act on them, and jobs.

An event makes each agent whose topics name it run; a run acknowledges its event when it ends, which keeps it
out of a listing that does not ask for acknowledged ones. Nothing here reads a real clock.
"""

import random
from collections.abc import Callable

from exporter.demo.ids import Ids
from exporter.demo.records import Agent, Event, Execution, Job, User
from exporter.demo.timeline import Timeline

Clock = Callable[[], float]
# The domain is not the topic's prefix; a prefix without a domain of its own borrows another.
DOMAINS = {
    "agent": "space",
    "snapshot": "sheet",
    "commit": "workbook",
    "records": "sheet",
    "layer": "workbook",
}


class Activity:
    """The part of an account that grows. `clock` gives unix seconds; `at` is when a thing happens."""

    def __init__(self, clock: Clock, seed: int) -> None:
        self.clock = clock
        self.rng = random.Random(seed)  # noqa: S311  a reproducible account is the point
        self.ids = Ids(self.rng)
        self.users: dict[str, User] = {}
        self.agents_of: dict[str, dict[str, Agent]] = {}
        self.jobs: dict[str, Job] = {}
        self.jobs_of: dict[str, Timeline[Job]] = {}
        self.events: Timeline[Event] = Timeline()
        self.events_of: dict[str, Timeline[Event]] = {}
        self.executions_of: dict[str, Timeline[Execution]] = {}

    def add_job(
        self,
        environment_id: str,
        space_id: str | None = None,
        operation: str = "submitAction",
        *,
        with_id: str | None = None,
        kind: str = "workbook",
        status: str = "ready",
        created_by: str | None = None,
        at: float | None = None,
        announce: bool = True,
    ) -> Job:
        when = self._when(at)
        by = created_by or self._some_user()
        made_id = with_id or self.ids.new("jb")
        source = self.ids.new("wb")
        made = Job(made_id, environment_id, space_id, kind, operation, source, status, by, when, when)
        self.jobs[made.id] = made
        self.jobs_of[environment_id].add(made)
        if announce:
            self._emit_job("job:created", made, by, when)
            if status == "ready":
                self._emit_job("job:ready", made, by, when)
        return made

    def start_job(self, job_id: str, *, at: float | None = None) -> None:
        job = self.jobs[job_id]
        job.status, job.progress = "executing", 10
        job.started_at = job.updated_at = self._when(at)
        self._emit_job("job:updated", job, job.id, job.updated_at)

    def finish_job(
        self, job_id: str, status: str = "complete", *, at: float | None = None, announce: bool = True
    ) -> None:
        """End a job as `complete`, `failed` or `canceled`."""
        job = self.jobs[job_id]
        job.status = status
        job.finished_at = job.updated_at = self._when(at)
        job.started_at = job.started_at or job.updated_at
        job.progress = 100 if status == "complete" else job.progress
        topic = {"complete": "job:completed", "failed": "job:failed"}.get(status)
        if announce and topic:
            self._emit_job(topic, job, job.id, job.updated_at)

    def emit(
        self,
        topic: str,
        environment_id: str,
        *,
        space_id: str | None = None,
        actor_id: str | None = None,
        at: float | None = None,
        visible_at: float | None = None,
        domain: str | None = None,
        context: dict[str, str] | None = None,
        with_id: str | None = None,
        runs: bool = True,
    ) -> Event:
        """An event created `at` and listed from `visible_at` (default: at once). `runs`: agents act on it."""
        when = self._when(at)
        prefix = topic.partition(":")[0]
        event = Event(
            with_id or self.ids.new("evt"),
            topic,
            domain or DOMAINS.get(prefix, prefix),
            environment_id,
            space_id,
            actor_id,
            when,
            when if visible_at is None else visible_at,
            context or {},
        )
        self.events.add(event)
        self.events_of[environment_id].add(event)
        if runs:
            for agent in self.agents_of[environment_id].values():
                if topic in agent.topics:
                    self.run_agent(agent.id, event)
        return event

    def run_agent(
        self,
        agent_id: str,
        event: Event,
        *,
        success: bool | None = None,
        lag: float | None = None,
        duration: float | None = None,
    ) -> Execution:
        """The agent acts on the event `lag` seconds after it, then acknowledges it; what is not given is drawn."""
        if lag is None:
            lag = min(30.0, self.rng.expovariate(4.0))
        if duration is None:
            duration = min(120.0, self.rng.lognormvariate(0.1, 0.8))
        if success is None:
            success = self.rng.random() < 0.97
        start = event.created_at + lag
        run = Execution(
            agent_id,
            event.environment_id,
            event.id,
            event.space_id,
            event.topic,
            success,
            start,
            start + duration,
        )
        self.executions_of[event.environment_id].add(run)
        event.acknowledged_at, event.acknowledged_by = run.completed_at, agent_id
        return run

    def forget_before(self, start: float, jobs_start: float) -> None:
        """Drop events and executions created before `start`, and jobs created before `jobs_start`."""
        self.events.drop_before(start)
        for environment_id, events in self.events_of.items():
            events.drop_before(start)
            self.executions_of[environment_id].drop_before(start)
            for job in self.jobs_of[environment_id].drop_before(jobs_start):
                del self.jobs[job.id]

    def _when(self, at: float | None) -> float:
        return self.clock() if at is None else at

    def _some_user(self) -> str | None:
        return next(iter(self.users), None)

    def _emit_job(self, topic: str, job: Job, actor_id: str | None, at: float) -> None:
        self.emit(
            topic,
            job.environment_id,
            space_id=job.space_id,
            actor_id=actor_id,
            at=at,
            context={"jobId": job.id},
        )

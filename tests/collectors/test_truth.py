"""Whatever changes and whatever fails: each value shown was true at some moment within its age, or it is not shown.

An account changes at random between scrapes, while requests fail in random ways; a clock moved by hand makes hours of that.
After it, when nothing fails any more, every value is there again and is that of the moment.
"""

import asyncio
from collections import Counter
from collections.abc import Iterator
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from exporter.collectors.jobs import ENDS, SETTLED, STATUSES
from exporter.demo.world import World
from tests.collectors.exported import Exported, OfTheWholeAccount, Scraped, Time
from tests.examples import examples
from tests.simulator.faults import (
    Disconnect,
    DuplicateRows,
    EmptyBody,
    Fault,
    NoData,
    NotJson,
    NullRows,
    RowWithoutId,
    Status,
    Truncated,
    WrongTotal,
    WrongTypes,
)
from tests.simulator.switches import Switches

DAY = 86400.0
MAX_AGE = 900.0
EXPECTED = """\
spaces: {full_resync: 5m}
expected_agents:
  - {environment: env-0, agents: [importer, "v*"], min: 2}
  - {environment: env-9, agents: [importer]}"""
WINDOWS = (("1d", DAY), ("7d", 7 * DAY), ("30d", 30 * DAY))
Key = tuple[str, ...]
Truth = dict[Key, float]

PATHS = ["/environments", "/accounts/current", "/spaces", "/agents", "/users", "/guests", "/events", "*"]
PATHS += ["/agents/executions", "/jobs"]
FAULTS: list[Fault] = [
    *(Status(status) for status in (400, 401, 403, 404, 422, 500, 503)),
    *(NotJson(), EmptyBody(), NoData(), NullRows(), RowWithoutId(), DuplicateRows(), WrongTypes(), Truncated()),
    *(Disconnect(), WrongTotal(5), WrongTotal(-1)),
]


def identified(page: Scraped) -> Iterator[tuple[Key, float]]:
    """The samples of the account by name, environment's id and the labels behind its name, which may change."""
    for name, samples in page.data().items():
        for labels, value in samples.items():
            of_environment = name not in ACCOUNT_WIDE
            yield (name, labels[0], *labels[2:]) if of_environment else (name, *labels), value


ACCOUNT_WIDE = {
    *("flatfile_up", "flatfile_account_info", "flatfile_environments", "flatfile_users", "flatfile_users_active"),
}


class Laboratory:
    """A world, what was true in it and when, and the exporter that is to tell of it."""

    def __init__(self, data: st.DataObject) -> None:
        self.draw = data.draw
        self.time = Time()
        self.started = self.time()
        self.world = World(self.time)
        self.history: list[tuple[float, Truth]] = []
        self.events_read: list[float] = [float("-inf")] * 2
        self.doubtful: set[str] = set()  # environments that were hidden at some time
        self.deleted: set[str] = set()
        for number in range(self.draw(st.integers(1, 3), "environments")):
            self.add_environment(number)

    def add_environment(self, number: int) -> None:
        environment = self.world.add_environment(f"env-{number}", is_prod=number == 0, announce=False).id
        for _ in range(self.draw(st.integers(0, 3), "spaces")):
            self.world.add_space(environment, "a space", at=self.time() - 40 * DAY, announce=False)
        self.world.emit("job:failed", environment, at=self.started - 100)  # from before the start: in the rate alone

    def one_of(self, ids: dict[str, object]) -> str:
        return self.draw(st.sampled_from(list(ids)))

    def change(self) -> None:
        """Something happens in the account."""
        world, now = self.world, self.time()
        possible = ["add_user"]
        if len(world.environments) < 4:
            possible.append("add_environment")
        if world.environments:
            possible += ["add_space", "deploy", "emit", "emit_late", "emit_many", "add_job"]
        if len(world.environments) > 1:
            possible.append("delete_environment")
        if world.spaces:
            possible += ["archive", "expire", "unarchive", "touch", "delete_space", "add_guest", "add_guest"]
        if world.agents:
            possible += ["delete_agent", "delete_agent", "redeploy", "run", "run"]
        open_jobs = {job.id: job for job in world.jobs.values() if job.status not in ENDS}
        if open_jobs:
            possible += ["start_job", "finish_job"]
        if world.guests:
            possible += ["remove_guest", "admit_guest"]
        if world.users:
            possible.append("remove_user")
        what = self.draw(st.sampled_from(possible), "change")
        if what == "add_user":
            world.add_user("Somebody", seen=now - self.draw(st.integers(0, 40)) * DAY)
        elif what == "remove_user":
            world.remove_user(self.one_of(world.users))
        elif what == "add_environment":
            self.add_environment(self.draw(st.integers(0, 9)))
        elif what == "delete_environment":
            gone = self.one_of(world.environments)
            self.deleted.add(gone)
            world.delete_environment(gone)
        elif what == "deploy":
            slug = self.draw(st.sampled_from(["importer", "validator", None]))
            world.deploy_agent(self.one_of(world.environments), slug, (), is_system=slug is None)
        elif what in ("delete_agent", "redeploy"):
            agent = self.one_of(world.agents)
            (world.delete_agent if what == "delete_agent" else world.redeploy_agent)(agent)
        elif what == "run":
            self.run(self.one_of(world.agents))
        elif what == "add_job":
            world.add_job(self.one_of(world.environments), status="created", announce=False)
        elif what == "start_job":
            world.start_job(self.one_of(open_jobs))
        elif what == "finish_job":
            status = self.draw(st.sampled_from(["complete", "failed", "canceled"]))
            world.finish_job(self.one_of(open_jobs), status, announce=False)
        elif what.startswith("emit"):
            environment, topic = self.one_of(world.environments), self.draw(st.sampled_from(["job:failed", "tea:made"]))
            for _ in range(12 if what == "emit_many" else 1):
                late = self.draw(st.integers(0, 45)) if what == "emit_late" else 0
                world.emit(topic, environment, visible_at=now + late)
        elif what == "add_space":
            world.add_space(self.one_of(world.environments), "new")
        else:
            self.change_space(what)

    def run(self, agent: str) -> None:
        """The agent acts on an event of just now, and ends at once or later."""
        event = self.world.emit("tea:made", self.world.agents[agent].environment_id, runs=False)
        took = self.draw(st.sampled_from([0.0, 5.0, 100.0, 1000.0]))
        self.world.run_agent(agent, event, success=self.draw(st.booleans()), lag=0.0, duration=took)

    def change_space(self, what: str) -> None:
        world, now = self.world, self.time()
        if what in ("remove_guest", "admit_guest"):
            guest = world.guests[self.one_of(world.guests)]
            if what == "remove_guest":
                world.remove_guest(guest.id, self.one_of(guest.spaces))
            else:
                space = self.one_of(world.spaces_of[guest.environment_id])
                world.admit_guest(guest.id, space, last_accessed=now - self.draw(st.integers(0, 40)) * DAY)
            return
        space = self.one_of(world.spaces)
        if what == "add_guest":
            world.add_guest(space, last_accessed=now - self.draw(st.integers(0, 40)) * DAY)
        elif what == "archive":
            world.archive_space(space)
        elif what == "unarchive":
            world.unarchive_space(space)
        elif what == "expire":
            world.expire_space(space)
        elif what == "touch":
            world.touch_space(space, files=2)
        elif what == "delete_space":
            world.delete_space(space)

    def note(self) -> None:
        """What is true at this moment."""
        self.history.append((self.time(), dict(self.truth())))

    def truth(self) -> Iterator[tuple[Key, float]]:
        world, now = self.world, self.time()
        yield ("flatfile_account_info", world.account_id, world.name), 1
        production = sum(environment.is_prod for environment in world.environments.values())
        yield ("flatfile_environments", "true"), production
        yield ("flatfile_environments", "false"), len(world.environments) - production
        yield ("flatfile_users",), len(world.users)
        for name, seconds in WINDOWS:
            yield ("flatfile_users_active", name), sum(u.last_seen_at > now - seconds for u in world.users.values())  # type: ignore[operator]
        for environment in world.environments:
            for key, value in self.of_environment(environment, now):
                yield (key[0], environment, *key[1:]), value
        for environment in (*world.environments, *self.deleted):  # what happened there has happened
            for key, value in self.of_events(environment, now):
                yield (key[0], environment, *key[1:]), value
        for pattern in ("importer",) if all(e.name != "env-9" for e in world.environments.values()) else ():
            yield ("flatfile_agent_missing", "", pattern), 1
        if all(e.name != "env-0" for e in world.environments.values()):
            yield ("flatfile_agents_expected_min", ""), 2
            yield ("flatfile_agent_missing", "", "importer"), 1
            yield ("flatfile_agent_missing", "", "v*"), 1

    def of_environment(self, environment: str, now: float) -> Iterator[tuple[Key, float]]:
        world = self.world
        record = world.environments[environment]
        yield ("flatfile_environment_info", "true" if record.is_prod else "false"), 1
        for method in record.guest_authentication:
            yield ("flatfile_environment_guest_authentication", method), 1
        yield from self.of_spaces(environment, now)
        guests = world.guests_of[environment].values()
        yield ("flatfile_guests",), len(guests)
        yield ("flatfile_guest_memberships",), sum(len(guest.spaces) for guest in guests)
        for name, seconds in WINDOWS:
            seen = sum(any(at is not None and at > now - seconds for at in g.spaces.values()) for g in guests)  # type: ignore[operator]
            yield ("flatfile_guests_active", name), seen
        agents = world.agents_of[environment].values()
        for system in (True, False):
            count = sum(agent.is_system is system for agent in agents)
            yield ("flatfile_agents", "true" if system else "false"), count
        for agent in agents:
            named = (agent.id, agent.slug or agent.id)
            yield ("flatfile_agent_info", *named, "", "true" if agent.is_system else "false"), 1
            yield ("flatfile_agent_created_timestamp_seconds", *named), agent.created_at
            yield ("flatfile_agent_updated_timestamp_seconds", *named), agent.updated_at
        yield from self.of_runs(environment, now)
        yield from self.of_jobs(environment, now)
        slugs = {agent.slug for agent in agents}
        if record.name == "env-0":
            yield ("flatfile_agents_expected_min",), 2
            yield ("flatfile_agent_missing", "importer"), float("importer" not in slugs)
            yield ("flatfile_agent_missing", "v*"), float("validator" not in slugs)
        if record.name == "env-9":
            yield ("flatfile_agent_missing", "importer"), float("importer" not in slugs)

    def of_spaces(self, environment: str, now: float) -> Iterator[tuple[Key, float]]:
        spaces = self.world.spaces_of[environment].values()
        active = [space for space in spaces if space.archived_at is None and space.expired_at is None]
        archived = sum(space.archived_at is not None for space in spaces)
        yield ("flatfile_spaces", "active"), len(active)
        yield ("flatfile_spaces", "archived"), archived
        yield ("flatfile_spaces", "expired"), len(spaces) - archived - len(active)
        for name, days in (("30d", 30), ("90d", 90)):
            idle = sum(float(space.last_activity_at or 0) <= now - days * DAY for space in active)
            yield ("flatfile_spaces_inactive", name), idle
        yield ("flatfile_files",), sum(space.files or 0 for space in spaces)
        yield ("flatfile_workbooks",), sum(space.workbooks or 0 for space in spaces)
        if spaces:
            created = max(space.created_at for space in spaces)
            yield ("flatfile_environment_last_space_created_timestamp_seconds",), created
            used = max(float(space.last_activity_at or 0) for space in spaces)
            yield ("flatfile_environment_last_activity_timestamp_seconds",), used

    def of_runs(self, environment: str, now: float) -> Iterator[tuple[Key, float]]:
        ended = [r for r in self.world.executions_of[environment] if self.started <= r.completed_at <= now]
        for agent in self.world.agents_of[environment].values():
            named = (agent.id, agent.slug or agent.id)
            own = [run for run in ended if run.agent_id == agent.id]
            good = sum(run.success for run in own)
            yield ("flatfile_agent_executions_total", *named, "success"), good
            yield ("flatfile_agent_executions_total", *named, "failure"), len(own) - good
            if own:
                yield ("flatfile_agent_execution_duration_seconds", *named), len(own)

    def of_jobs(self, environment: str, now: float) -> Iterator[tuple[Key, float]]:
        jobs = [job for job in self.world.jobs_of[environment] if job.created_at > now - DAY]
        counts = Counter(job.status for job in jobs)
        for status in STATUSES:
            yield ("flatfile_jobs", status), counts[status]
        open_ = [job for job in jobs if job.status not in SETTLED]
        for status in {job.status for job in open_}:
            oldest = min(job.created_at for job in open_ if job.status == status)
            yield ("flatfile_job_oldest_open_timestamp_seconds", status), oldest
        ended = [job for job in jobs if job.status in ENDS and (job.finished_at or 0) >= self.started]
        for kind in {job.type for job in jobs}:
            of_kind = [job for job in ended if job.type == kind]
            for status in ENDS:
                yield ("flatfile_jobs_finished_total", kind, status), sum(job.status == status for job in of_kind)

    def of_events(self, environment: str, now: float) -> Iterator[tuple[Key, float]]:
        visible = [
            event for event in self.world.events if event.environment_id == environment and event.visible_at <= now
        ]
        counted = [event for event in visible if event.created_at >= self.started]
        for topic, number in Counter(event.topic for event in counted).items():
            yield ("flatfile_events_total", topic), number
        for topic, number in Counter(e.topic for e in visible if e.created_at > now - 300).items():
            yield ("flatfile_events_per_second", topic), number / 300
        actors = Counter("user" if event.actor_id and "_usr_" in event.actor_id else "key" for event in counted)
        yield ("flatfile_events_by_actor_total", "user"), actors["user"]
        if visible:
            yield ("flatfile_event_last_timestamp_seconds",), max(event.created_at for event in visible)

    def check(self, page: Scraped) -> None:
        """Each value was true at some moment within its age."""
        now = self.time()
        for key, value in identified(page):
            name = key[0]
            if name == "flatfile_up" or (name == "flatfile_events_by_actor_total" and key[-1] != "user"):
                continue
            if name == "flatfile_agent_queue_lag_seconds" or key[2:4] == ("", "unknown"):
                continue  # which events were seen in time, and whose agents were gone, is another matter
            if name.startswith(("flatfile_job_wait", "flatfile_job_duration")):
                continue  # of the jobs that give both times: tests/collectors/test_jobs.py
            age = MAX_AGE
            since = now - age
            if name == "flatfile_account_info":
                since -= 3600
            if name.startswith("flatfile_guest"):
                # by space, guests are as new as what events tell, the list of spaces one interval older
                since = self.events_read[-2] - age - 60
            if name.startswith(("flatfile_event", "flatfile_guest")) and key[1] in self.doubtful:
                continue
            otherwise = 0.0 if name in ("flatfile_events_total", "flatfile_events_per_second") else None
            within = [truth for at, truth in self.history if at >= since]
            before = [truth for at, truth in self.history if at < since][-1:]  # still true when the time began
            true = {truth.get(key, otherwise) for truth in (*before, *within)}
            if name.startswith("flatfile_agent_execution"):  # of an agent that was there when agents were listed
                true.update([truth[key] for at, truth in self.history if at >= since - age and key in truth][-1:])
            assert value in true, f"{key} is {value}, was {true}"

    def check_all_is_well(self, page: Scraped) -> None:
        """All that is true now is shown, and nothing else."""
        shown: dict[Key, float] = {}
        for key, value in identified(page):
            shown[key] = value
        missing = {
            key: value
            for key, value in self.history[-1][1].items()
            if shown.get(key) != value
            and key[1:2] not in [(gone,) for gone in self.deleted]
            and not (key[0].startswith(("flatfile_event", "flatfile_guest")) and key[1] in self.doubtful)
            and not (
                key[0] == "flatfile_event_last_timestamp_seconds" and value < self.started
            )  # may not have been read
        }
        assert not missing, {key: (value, shown.get(key)) for key, value in missing.items()}
        assert all(value == 1 for value in page["exporter_collector_success"].values()), page.errors()
        assert page["up"] == {(): 1}

    def break_something(self, exported: Exported) -> None:
        api = exported.api
        what = self.draw(st.sampled_from(["fault", "fault", "whole", "hide", "mend", "mend"]), "break")
        if what == "mend":
            api.faults.clear()
            api.switches.forbidden.clear()
        elif what == "hide":
            if self.world.environments:
                hidden = self.one_of(self.world.environments)
                self.doubtful.add(hidden)
                api.switches.forbidden.add((self.draw(st.sampled_from(["*", "/spaces", "/events", "/guests"])), hidden))
        else:
            path, fault = self.draw(st.sampled_from(PATHS)), self.draw(st.sampled_from(FAULTS))
            if what == "whole":
                api.faults.rules.append(OfTheWholeAccount(path, fault))
            else:
                environment = None
                if self.world.environments and self.draw(st.booleans()):
                    environment = self.one_of(self.world.environments)
                count = self.draw(st.sampled_from([None, 1, 2, 5]))
                api.faults.add(path, fault, environment=environment, count=count)


CLAMPS: list[dict[str, int]] = [{}, {"*": 2}, {"/spaces": 1}]
SEEN_LIVE: list[dict[str, Any]] = [
    *({"page_clamp": clamp} for clamp in CLAMPS),
    *({"page_clamp": clamp, "past_the_end": status} for clamp in CLAMPS for status in (400, 404)),
    *({"prefix": "/api/v1", "other_prefix": other} for other in ("json", "html", "method", "moved", "forbidden")),
    *({"page_limit": {"*": 500}, "page_limit_status": status} for status in (400, 422)),
    {"paging_refused": {"/users", "/agents"}},
    {"unpaged": set()},
    *({"account_wide_refusal": refused} for refused in ({"/guests": 401}, {"/events": 500}, {"/spaces": 403})),
]
"""Readings of the API that other clients met, one at a time."""


@st.composite
def readings(draw: st.DrawFn) -> Switches:
    return Switches(
        guests_without_space=draw(st.sampled_from(["refused", "all", "empty"])),
        guest_spaces=draw(st.sampled_from(["all", "asked"])),
        archived=draw(st.sampled_from(["also", "only"])),
        event_order=draw(st.sampled_from(["desc", "asc"])),
        since=draw(st.sampled_from(["inclusive", "exclusive"])),
        system_agents_listed=draw(st.booleans()),
        **draw(st.sampled_from(SEEN_LIVE)),
    )


async def live(data: st.DataObject) -> None:
    lab = Laboratory(data)
    switches = data.draw(readings(), "readings")
    async with Exported(lab.world, lab.time, EXPECTED, switches=switches) as exported:
        for _ in range(data.draw(st.integers(2, 12), "scrapes")):
            lab.note()
            lab.time.pass_(data.draw(st.sampled_from([1, 10, 15, 40, 61, 200, 301, 700, 1000]), "seconds"))
            for _ in range(data.draw(st.integers(0, 3), "changes")):
                lab.note()
                lab.change()
            lab.note()
            if data.draw(st.booleans(), "breaks"):
                lab.break_something(exported)
            page = await exported.scrape()
            if page.ok("events"):
                lab.events_read.append(lab.time())
            lab.check(page)
        exported.api.faults.clear()
        exported.api.switches.forbidden.clear()
        for _ in range(4):  # past the longest back-off, and time for guests to learn what events told
            lab.note()
            page = await exported.later(3601 if _ == 0 else 310)
            if page.ok("events"):
                lab.events_read.append(lab.time())
            lab.note()
            lab.check(page)
        lab.check_all_is_well(page)


@examples(15)
@given(st.data())
def test_what_is_shown_was_true_within_its_age(data: st.DataObject) -> None:
    asyncio.run(live(data))

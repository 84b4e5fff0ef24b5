"""Events: each counted once, from the start on, by environment, topic and actor."""

from collections import Counter

import pytest

from exporter.demo.world import World
from exporter.flatfile.topics import ACTOR_TYPES, KNOWN_TOPICS
from tests.collectors.exported import Exported, OfTheWholeAccount, Scraped, Time
from tests.simulator.faults import EndlessPages, Status
from tests.simulator.switches import Switches
from tests.simulator.worlds import fixed_world

PROD, SECOND, ODD = "us_env_9f2kQw1d", "us_env_2ndProd0", "us_env_7hT3bLx0"


def two(time: Time) -> tuple[World, str, str]:
    world = World(time)
    return world, world.add_environment("one", announce=False).id, world.add_environment("two", announce=False).id


def totals(page: Scraped, environment: str) -> dict[str, float]:
    """The topics that were counted at all."""
    return {topic: value for (topic,), value in page.of("events_total", environment).items() if value}


def happened(world: World, environment: str, since: float) -> dict[str, float]:
    """The world's own record, of events that are visible now."""
    now = world.clock()
    events = [event for event in world.events_of[environment].since(since) if event.visible_at <= now]
    return dict(Counter(event.topic for event in events))


async def test_known_topics_and_all_actors_start_at_0_in_every_environment(time: Time) -> None:
    world, one, other = two(time)
    async with Exported(world, time) as exported:
        page = await exported.scrape()
        for environment in (one, other):
            assert page.of("events_total", environment) == {(topic,): 0 for topic in KNOWN_TOPICS}
            assert page.of("events_by_actor_total", environment) == {(actor,): 0 for actor in ACTOR_TYPES}
            assert page.of("events_per_second", environment) == {}
            assert page.one("event_last_timestamp_seconds", environment) is None
    assert len(KNOWN_TOPICS) == 82


async def test_nothing_from_before_the_start_is_counted_but_the_rate_is_right_at_once(time: Time) -> None:
    world, one, other = two(time)
    start = time()
    for ago in (299, 200, 100, 3):
        world.emit("job:failed", one, at=start - ago)
    world.emit("job:failed", one, at=start - 300)
    world.emit("file:created", one, at=start - 5000)
    async with Exported(world, time) as exported:
        page = await exported.scrape()
        assert totals(page, one) == {}
        assert page.of("events_per_second", one) == {("job:failed",): 4 / 300}
        assert page.of("events_per_second", other) == {("job:failed",): 0}
        assert page.one("event_last_timestamp_seconds", one) == start - 3
        world.emit("job:failed", one, at=start + 10)
        page = await exported.later(15)
        assert totals(page, one) == {"job:failed": 1}
        assert page.of("events_per_second", one) == {("job:failed",): 4 / 300}
        page = await exported.later(400)
        assert page.of("events_per_second", one) == {("job:failed",): 0}
        assert page.one("event_last_timestamp_seconds", one) == start + 10


async def test_what_happens_between_the_start_and_the_first_scrape_is_counted(time: Time) -> None:
    world, one, _ = two(time)
    async with Exported(world, time) as exported:
        time.pass_(3600)
        world.emit("job:failed", one, at=time() - 3500)
        world.emit("job:failed", one, at=time() - 10)
        assert totals(await exported.scrape(), one) == {"job:failed": 2}


async def test_a_restart_counts_from_0_and_nothing_twice(time: Time) -> None:
    world, one, _ = two(time)
    async with Exported(world, time) as exported:
        world.emit("job:failed", one, at=time() + 1)
        assert totals(await exported.later(15), one) == {"job:failed": 1}
        await exported.account.aclose()
        exported.account = exported.restarted()
        world.emit("job:failed", one, at=time() + 1)
        page = await exported.later(15)
        assert totals(page, one) == {"job:failed": 1}
        assert page.of("events_per_second", one) == {("job:failed",): 2 / 300}


@pytest.mark.parametrize("order", ["desc", "asc", "shuffled"])
@pytest.mark.parametrize("since", ["inclusive", "exclusive", "day", "ignored"])
@pytest.mark.parametrize("account_wide", [True, False])
async def test_totals_are_the_world_s_own_record(time: Time, order: str, since: str, account_wide: bool) -> None:
    switches = Switches(event_order=order, since=since, page_clamp={"/events": 20})  # type: ignore[arg-type]
    world, one, other = two(time)
    for ago in range(1, 50):
        world.emit("file:created", one, at=time() - 20 * ago)
    start = time() + 1
    async with Exported(world, time, switches=switches) as exported:
        if not account_wide:
            exported.api.faults.rules.append(OfTheWholeAccount("/events", Status(403)))
        await exported.scrape()
        for step in range(12):
            for number in range(step % 5 * 3):
                topic = ("job:failed", "records:created", "teapot:boiled")[number % 3]
                environment = one if number % 4 else other
                late = 0 if number % 5 else 45.0  # visible up to 45 s later, and several in one millisecond
                at = time() + 1 + number // 2
                world.emit(topic, environment, at=at, visible_at=at + late, actor_id="us_usr_Kq81mZ4t")
            page = await exported.later(15)
            for environment in (one, other):
                assert totals(page, environment) == happened(world, environment, start)
                actors = page.of("events_by_actor_total", environment)
                assert sum(actors.values()) == actors["user",] == sum(totals(page, environment).values())
        assert page.ok("events") == 1


async def test_acknowledged_events_count_too(time: Time) -> None:
    world, one, _ = two(time)
    world.deploy_agent(one, "importer", ("file:created",), announce=False)
    async with Exported(world, time) as exported:
        await exported.scrape()
        event = world.emit("file:created", one, at=time() + 1)
        page = await exported.later(60)
        assert event.acknowledged_at is not None
        assert event.acknowledged_at < time()
        assert totals(page, one) == {"file:created": 1}


@pytest.mark.parametrize(
    ("actor", "kind"),
    [
        ("us_usr_Kq81mZ4t", "user"),
        ("us_g_Mb3nV4cx", "guest"),
        ("us_ag_Hn3cQ0ye", "agent"),
        ("us_key_Xc1vB2nm", "api_key"),
        ("us_acc_4kQ2m9Xz", "system"),
        ("us_jb_Rt9yU8io", "system"),
        (None, "system"),
        ("us_zz_Wh0Kn0ws", "unknown"),
        ("eu2_g_Mb3nV4cx", "guest"),
        ("somebody", "unknown"),
    ],
)
async def test_actors_are_told_by_the_kind_in_their_id(time: Time, actor: str | None, kind: str) -> None:
    world, one, _ = two(time)
    async with Exported(world, time) as exported:
        await exported.scrape()
        world.emit("job:failed", one, at=time() + 1, actor_id=actor)
        page = await exported.later(2)
        assert {k: v for (k,), v in page.of("events_by_actor_total", one).items() if v} == {kind: 1}


async def test_unknown_topics_count_under_their_own_name_up_to_a_number_then_together(time: Time) -> None:
    world, one, other = two(time)
    settings = "events: {max_topics: 85}"  # three more than are known
    async with Exported(world, time, settings) as exported:
        await exported.scrape()
        for number in range(5):
            world.emit(f"new:topic-{number}", one, at=time() + number)
        world.emit("new:topic-4", other, at=time() + 9)
        world.emit("job:failed", one, at=time() + 9)
        page = await exported.later(15)
        assert totals(page, one) == {"new:topic-0": 1, "new:topic-1": 1, "new:topic-2": 1, "other": 2, "job:failed": 1}
        assert totals(page, other) == {"other": 1}
        # what was seen anywhere is there everywhere, so that a missing series never means none
        assert page.of("events_total", one).keys() == page.of("events_total", other).keys()
        assert page.of("events_per_second", one).keys() == page.of("events_per_second", other).keys()
        assert page.of("events_per_second", one)["other",] == 2 / 300


async def test_globs_choose_topics(time: Time) -> None:
    world, one, _ = two(time)
    async with Exported(
        world, time, 'events: {include: ["job:*", "*:created", "tea*"], exclude: ["file:*"]}'
    ) as exported:
        page = await exported.scrape()
        known = {topic for (topic,) in page.of("events_total", one)}
        assert {"job:failed", "space:created"} <= known
        assert not {"file:created", "cron:hourly", "space:updated"} & known
        for topic in ("job:failed", "file:created", "cron:hourly", "teapot:boiled"):
            world.emit(topic, one, at=time() + 1)
        world.emit("cron:hourly", one, at=time() + 5)
        page = await exported.later(15)
        assert totals(page, one) == {"job:failed": 1, "teapot:boiled": 1}
        assert sum(page.of("events_by_actor_total", one).values()) == 2
        assert page.one("event_last_timestamp_seconds", one) == time() - 14


async def test_an_event_that_comes_late_is_counted_once_by_its_own_time(time: Time) -> None:
    world, one, _ = two(time)
    async with Exported(world, time) as exported:
        await exported.scrape()
        late = world.emit("job:failed", one, at=time() + 1, visible_at=time() + 50)
        world.emit("file:created", one, at=time() + 30)
        page = await exported.later(45)
        assert totals(page, one) == {"file:created": 1}
        page = await exported.later(15)
        assert totals(page, one) == {"file:created": 1, "job:failed": 1}
        assert totals(await exported.later(15), one) == {"file:created": 1, "job:failed": 1}
        page = await exported.later(late.created_at + 300 - time())
        assert page.of("events_per_second", one) == {("job:failed",): 0, ("file:created",): 1 / 300}


async def test_an_outage_loses_no_event(time: Time) -> None:
    world, one, _ = two(time)
    async with Exported(world, time) as exported:
        await exported.scrape()
        before = (await exported.shown())["events_total"]
        rule = exported.api.faults.add("/events", Status(500))
        for _ in range(10):
            world.emit("job:failed", one, at=time() + 1)
            page = await exported.later(60)
            assert page["events_total"] == before
            assert page.ok("events") == 0
        exported.api.faults.remove(rule)
        assert totals(await exported.later(301), one) == {"job:failed": 10}


async def test_events_without_end_are_too_many_and_count_for_nothing(time: Time) -> None:
    world, one, _ = two(time)
    async with Exported(world, time, more="requests: {per_second: 10000, retries: 1, max_pages: 5}") as exported:
        await exported.scrape()
        world.emit("job:failed", one, at=time() + 1)
        rule = exported.api.faults.add("/events", EndlessPages(fresh=True))
        page = await exported.later(15)
        assert page.errors() == {("events", "too_large"): 1}
        assert totals(page, one) == {}
        exported.api.faults.remove(rule)
        assert totals(await exported.later(15), one) == {"job:failed": 1}


async def test_one_environment_s_failure_is_made_good_later(time: Time) -> None:
    world, one, other = two(time)
    async with Exported(world, time) as exported:
        exported.api.faults.rules.append(OfTheWholeAccount("/events", Status(400)))
        await exported.scrape()
        rule = exported.api.faults.add("/events", Status(500), environment=one)
        world.emit("job:failed", one, at=time() + 1)
        world.emit("job:failed", other, at=time() + 1)
        page = await exported.later(15)
        assert (totals(page, one), totals(page, other)) == ({}, {"job:failed": 1})
        assert page.errors() == {("events", "server_error"): 1}
        exported.api.faults.remove(rule)
        page = await exported.later(600)
        assert (totals(page, one), totals(page, other)) == ({"job:failed": 1}, {"job:failed": 1})


@pytest.mark.parametrize("from_the_start", [True, False])
async def test_a_hidden_environment_is_not_said_to_be_quiet(time: Time, from_the_start: bool) -> None:
    world, one, other = two(time)
    async with Exported(world, time) as exported:
        if not from_the_start:
            await exported.scrape()
        exported.api.switches.forbidden.add(("/events", one))
        for _ in range(82):
            world.emit("job:failed", other, at=time() + 1)
            page = await exported.later(15)
        assert page.of("events_total", one) == {}
        assert page.of("events_per_second", one) == {}
        assert totals(page, other) == {"job:failed": 82}
        assert page.errors()["events", "forbidden"] > 0
        if from_the_start:
            world.emit("job:failed", one, at=time() + 1)
            exported.api.switches.forbidden.clear()
            assert totals(await exported.later(15), one) == {"job:failed": 1}


async def test_the_account_s_list_back_after_hours_by_environment_counts_nothing_twice(time: Time) -> None:
    world, one, other = two(time)
    start = time()
    async with Exported(world, time) as exported:
        exported.api.faults.rules.append(OfTheWholeAccount("/events", Status(400)))
        for _ in range(14):
            world.emit("job:failed", one, at=time() + 1)
            world.emit("job:failed", other, at=time() + 1)
            page = await exported.later(301)
        exported.api.faults.clear()
        for _ in range(15):
            world.emit("job:failed", one, at=time() + 1)
            world.emit("job:failed", other, at=time() + 1)
            page = await exported.later(301)
        assert exported.asked("/events")[-1].get("environmentId") is None, "by the account's list again"
        assert totals(page, one) == happened(world, one, start)
        assert totals(page, other) == happened(world, other, start)


async def test_a_quiet_environment_is_asked_by_itself_now_and_then(time: Time) -> None:
    world, one, _ = two(time)
    async with Exported(world, time) as exported:
        for _ in range(40):
            world.emit("cron:5-minutes", one, at=time() + 1)
            await exported.later(15)
        assert len(exported.asked("/events", pageNumber="1")) == 40 + 2  # at the start and after five minutes
        assert not exported.asked("/events", environmentId=one)


async def test_a_list_of_the_account_that_leaves_events_out_is_not_believed(time: Time) -> None:
    """Where the account's list lacks what an environment's own has, each environment is asked by itself."""
    world, one, other = two(time)
    async with Exported(world, time) as exported:
        hidden = WithoutOne(exported.world)
        exported.api.world = hidden  # type: ignore[assignment]
        hidden.hide(one)
        for _ in range(3):
            world.emit("job:failed", one, at=time() + 1)
            world.emit("job:failed", other, at=time() + 1)
            page = await exported.later(15)
        assert (totals(page, one), totals(page, other)) == ({"job:failed": 3}, {"job:failed": 3})
        assert page.ok("events") == 1


class WithoutOne:
    """A world whose account-wide events lack those of one environment."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._hidden = ""

    def hide(self, environment: str) -> None:
        self._hidden = environment

    def __getattr__(self, name: str) -> object:
        return getattr(self._world, name)

    @property
    def events(self) -> "WithoutOne":
        return self

    def since(self, start: float) -> list[object]:
        return [event for event in self._world.events.since(start) if event.environment_id != self._hidden]


async def test_a_new_environment_starts_with_all_that_happened_in_it(time: Time) -> None:
    for fault in (None, Status(403)):
        world, _, _ = two(time)
        async with Exported(world, time) as exported:
            if fault:
                exported.api.faults.rules.append(OfTheWholeAccount("/events", fault))
            await exported.scrape()
            time.pass_(1)
            new = world.add_environment("new").id
            world.emit("job:failed", new)
            await exported.later(15)  # the environments are not due yet
            world.emit("job:failed", new)
            page = await exported.later(61)
            assert totals(page, new) == {"environment:created": 1, "job:failed": 2}
            assert len(page.of("events_total", new)) == 82


async def test_a_deleted_environment_is_gone_and_what_is_kept_of_it_too(time: Time) -> None:
    world, one, other = two(time)
    async with Exported(world, time) as exported:
        await exported.scrape()
        time.pass_(1)
        world.emit("job:failed", one)
        await exported.scrape()
        world.delete_environment(one)
        page = await exported.later(61)
        assert {labels[0] for labels in page["events_total"]} == {other}
        assert page.ok("events") == 1


async def test_an_environment_that_comes_back_under_its_id_goes_on(time: Time) -> None:
    world, one, _ = two(time)
    async with Exported(world, time) as exported:
        await exported.scrape()
        world.emit("job:failed", one, at=time() + 1)
        assert totals(await exported.later(15), one) == {"job:failed": 1}
        world.delete_environment(one)
        await exported.later(61)
        await exported.later(61)
        world.add_environment("one", with_id=one, announce=False)
        world.emit("file:created", one, at=time() + 1)
        assert totals(await exported.later(61), one) == {"job:failed": 1, "environment:deleted": 1, "file:created": 1}


async def test_an_event_ahead_of_the_clock_is_counted_and_is_in_the_rate_when_its_time_has_come(time: Time) -> None:
    world, one, _ = two(time)
    async with Exported(world, time) as exported:
        await exported.scrape()
        world.emit("job:failed", one, at=time() + 30, visible_at=time())
        page = await exported.later(15)
        assert totals(page, one) == {"job:failed": 1}
        assert page.of("events_per_second", one) == {("job:failed",): 0}
        page = await exported.later(15)
        assert totals(page, one) == {"job:failed": 1}
        assert page.of("events_per_second", one) == {("job:failed",): 1 / 300}


async def test_passed_over_environments_count_nowhere(time: Time) -> None:
    world, one, other = two(time)
    async with Exported(world, time, "environments: {exclude: [one]}") as exported:
        await exported.scrape()
        for number in range(5):
            world.emit(f"only-there:{number}", one, at=time() + 1)
        page = await exported.later(15)
        assert {labels[0] for labels in page["events_total"]} == {other}
        assert all("only-there" not in labels[2] for labels in page["events_total"])


async def test_an_event_without_a_time_is_reported_and_the_others_count(time: Time) -> None:
    world, one, _ = two(time)
    switches = Switches(fields={"/events": {"createdAt": "lately"}}, fields_in_row=0)
    async with Exported(world, time, switches=switches) as exported:
        await exported.scrape()
        for number in range(3):
            world.emit("job:failed", one, at=time() + 1 + number)
        page = await exported.later(15)
        assert totals(page, one) == {"job:failed": 2}
        assert page.errors() == {("events", "bad_response"): 1}


async def test_a_topic_may_come_as_type(time: Time) -> None:
    world, one, _ = two(time)
    async with Exported(world, time) as exported:
        await exported.scrape()
        world.emit("job:failed", one, at=time() + 1).topic_key = "type"
        assert totals(await exported.later(15), one) == {"job:failed": 1}


async def test_the_fixed_account_s_events(time: Time) -> None:
    async with Exported(fixed_world(time), time) as exported:
        page = await exported.scrape()
        rates = {topic for (topic,), value in page.of("events_per_second", PROD).items() if value}
        assert "file:created" not in rates  # ten minutes ago
        assert {"job:ready", "teapot:boiled", "commit:created", "agent:updated"} <= rates
        assert page.one("event_last_timestamp_seconds", PROD) == time() - 50
        assert page.one("event_last_timestamp_seconds", ODD) == time() - 240
        assert page.one("event_last_timestamp_seconds", SECOND) is None

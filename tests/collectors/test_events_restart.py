"""Events over a restart with storage: the counters go on, or say that they begin anew."""

import contextlib
import logging
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from exporter.demo.markers import MARKERS
from exporter.demo.world import World
from exporter.store.directory import Directory
from tests.collectors.exported import Exported, OfTheWholeAccount, Time
from tests.collectors.test_events import happened, totals, two
from tests.simulator.faults import Status
from tests.simulator.worlds import fixed_world

EVENTS = ("events",)


@pytest.fixture
def storage(tmp_path: Path) -> Iterator[Directory]:
    with Directory(tmp_path / "states") as opened:
        yield opened


async def restart(exported: Exported, storage: Directory | None, settings: str | None = None) -> None:
    """End the account, and start it anew with what it kept."""
    await exported.account.aclose()
    path = storage and storage.file("acme")
    exported.account = exported.restarted(path, settings)


@contextlib.asynccontextmanager
async def stored(world: World, time: Time, storage: Directory, settings: str = "") -> AsyncIterator[Exported]:
    async with Exported(world, time, settings) as exported:
        await restart(exported, storage)
        yield exported


def said(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]


@pytest.mark.parametrize("account_wide", [True, False])
async def test_counting_goes_on_where_it_was(time: Time, storage: Directory, account_wide: bool) -> None:
    world, one, other = two(time)
    start = time()
    async with stored(world, time, storage) as exported:
        if not account_wide:
            exported.api.faults.rules.append(OfTheWholeAccount("/events", Status(403)))
        await exported.scrape(EVENTS)
        for number in range(6):
            world.emit("job:failed", one, at=time() + 1, actor_id="us_usr_Kq81mZ4t")
            world.emit("tea:made", one, at=time() + 1, visible_at=time() + 40)
            before = await exported.later(15, EVENTS)
            world.emit("job:failed", other, at=time() + 1)  # while nobody runs
            time.pass_(30 * number)
            await restart(exported, storage)
            page = await exported.scrape(EVENTS)
            for environment in (one, other):
                assert totals(page, environment) == happened(world, environment, start)
                assert sum(page.of("events_by_actor_total", environment).values()) == sum(
                    totals(page, environment).values()
                )
                recent = sum(happened(world, environment, time() - 299.999).values())
                assert sum(page.of("events_per_second", environment).values()) == pytest.approx(recent / 300)
            assert page["events_total"].keys() >= before["events_total"].keys()
            assert page.of("events_by_actor_total", one)["user",] == number + 1


async def test_what_was_known_is_shown_until_it_is_too_old(time: Time, storage: Directory) -> None:
    world, one, _ = two(time)
    async with stored(world, time, storage) as exported:
        await exported.scrape(EVENTS)
        world.emit("job:failed", one, at=time() + 1)
        await exported.later(15, EVENTS)
        rule = exported.api.faults.add("/events", Status(500))
        await restart(exported, storage)
        page = await exported.scrape(EVENTS)
        assert totals(page, one) == {"job:failed": 1}
        assert page.ok("events") == 0
        page = await exported.later(901, EVENTS)
        assert page["events_total"] == page["events_per_second"] == page["event_last_timestamp_seconds"] == {}
        exported.api.faults.remove(rule)
        assert totals(await exported.later(600, EVENTS), one) == {"job:failed": 1}


async def test_what_was_interrupted_for_too_long_begins_anew_and_says_so_once(
    time: Time, storage: Directory, caplog: pytest.LogCaptureFixture
) -> None:
    world, one, _ = two(time)
    async with stored(world, time, storage, "events: {max_catch_up: 10m}") as exported:
        await exported.scrape(EVENTS)
        world.emit("job:failed", one, at=time() + 1)
        assert totals(await exported.later(15, EVENTS), one) == {"job:failed": 1}
        world.emit("job:failed", one, at=time() + 1)
        time.pass_(601)
        world.emit("job:failed", one, at=time() - 5)
        await restart(exported, storage)
        page = await exported.scrape(EVENTS)
        assert totals(page, one) == {}
        assert page.of("events_per_second", one) == {("job:failed",): 1 / 300}
        assert said(caplog) == ["event counts restart at 0"]
        assert caplog.records[-1].__dict__["fields"] == {
            "account": "acme",
            "collector": "events",
            "reason": "events were read last 601 s ago, and events.max_catch_up is 600 s",
        }
        world.emit("job:failed", one, at=time() + 1)
        await exported.later(15, EVENTS)
        await restart(exported, storage)
        assert totals(await exported.later(15, EVENTS), one) == {"job:failed": 1}
        assert len(said(caplog)) == 1


async def test_an_account_where_nothing_happens_is_not_behind(
    time: Time, storage: Directory, caplog: pytest.LogCaptureFixture
) -> None:
    world, one, _ = two(time)
    async with stored(world, time, storage, "events: {max_catch_up: 10m}") as exported:
        await exported.scrape(EVENTS)
        world.emit("job:failed", one, at=time() + 1)
        for _ in range(100):
            await exported.later(15, EVENTS)
        await restart(exported, storage)
        assert totals(await exported.later(500, EVENTS), one) == {"job:failed": 1}
        assert said(caplog) == []


async def test_another_account_under_the_same_name_inherits_nothing(
    time: Time, storage: Directory, caplog: pytest.LogCaptureFixture
) -> None:
    world, one, _ = two(time)
    async with stored(world, time, storage) as exported:
        await exported.scrape(EVENTS)
        world.emit("job:failed", one, at=time() + 1)
        await exported.later(15, EVENTS)
    strangers = World(time, seed=7)
    theirs = strangers.add_environment("one", announce=False).id
    async with stored(strangers, time, storage) as exported:
        strangers.emit("job:failed", theirs, at=time() - 3)
        assert totals(await exported.later(1, EVENTS), theirs) == {}
        assert "another account" in caplog.records[-1].__dict__["fields"]["reason"]


async def test_another_configuration_keeps_the_counts(time: Time, storage: Directory) -> None:
    world, one, other = two(time)
    async with stored(world, time, storage, "environments: {exclude: [two]}") as exported:
        await exported.scrape(EVENTS)
        world.emit("job:failed", one, at=time() + 1)
        world.emit("job:failed", other, at=time() + 1)
        assert totals(await exported.later(15, EVENTS), one) == {"job:failed": 1}
        await restart(exported, storage, "events: {window: 10m, overlap: 5m, max_topics: 1}")
        page = await exported.scrape(EVENTS)
        assert totals(page, one) == {"job:failed": 1}
        assert totals(page, other) == {}, "what was passed over is not counted afterwards"
        assert page.of("events_per_second", one) == page.of("events_per_second", other) == {("job:failed",): 1 / 600}
        world.emit("job:failed", other, at=time() + 1)
        assert totals(await exported.later(15, EVENTS), other) == {"job:failed": 1}


async def test_other_topics_begin_anew(time: Time, storage: Directory, caplog: pytest.LogCaptureFixture) -> None:
    world, one, _ = two(time)
    async with stored(world, time, storage) as exported:
        await exported.scrape(EVENTS)
        world.emit("job:failed", one, at=time() + 1)
        await exported.later(15, EVENTS)
        await restart(exported, storage, 'events: {exclude: ["file:*"]}')
        assert totals(await exported.scrape(EVENTS), one) == {}
        assert "events.include or events.exclude" in caplog.records[-1].__dict__["fields"]["reason"]


async def test_a_corrupt_state_begins_anew(
    time: Time, storage: Directory, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    world, one, _ = two(time)
    async with stored(world, time, storage) as exported:
        await exported.scrape(EVENTS)
        world.emit("job:failed", one, at=time() + 1)
        await exported.later(15, EVENTS)
        await exported.account.aclose()
        storage.close()
        path = tmp_path / "states" / "acme.sqlite"
        content = path.read_bytes()
        path.write_bytes(content[:4096] + bytes(len(content) - 4096))
        with Directory(tmp_path / "states") as again:
            await restart(exported, again)
            page = await exported.scrape(EVENTS)
        assert totals(page, one) == {}
        assert page.ok("events") == 1
        assert said(caplog) == ["the state file cannot be used: starting without earlier state"]
        assert len([*path.parent.glob("acme.sqlite.unusable-*Z")]) == 1


async def test_nothing_secret_or_personal_is_kept(time: Time, storage: Directory, tmp_path: Path) -> None:
    world = fixed_world(time)
    async with stored(world, time, storage) as exported:
        for environment in list(world.environments):
            for actor in [*world.users, *world.guests]:
                world.emit("job:failed", environment, at=time() - 1, actor_id=actor)
        await exported.later(15, EVENTS)
        await exported.account.aclose()
    storage.close()
    text = "".join(path.read_bytes().decode("latin-1") for path in (tmp_path / "states").iterdir())
    assert "job:failed" in text
    people = {*world.users, *world.guests}
    assert not [word for word in (*MARKERS, *people, "pat_test") if word in text]

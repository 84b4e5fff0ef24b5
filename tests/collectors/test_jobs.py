"""Jobs by status and the oldest open one, whatever the order and the length of the list."""

import asyncio
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.collectors import _job, jobs
from exporter.demo.timeline import Timeline
from exporter.demo.world import World
from exporter.exposition.families import HistogramValue
from exporter.flatfile import models
from exporter.flatfile.errors import TooLarge
from exporter.flatfile.times import iso
from tests.collectors.exported import ONE_BY_ONE, Asking, Exported, Scraped, Time
from tests.examples import examples
from tests.simulator.faults import Status
from tests.simulator.switches import ABSENT, Switches
from tests.simulator.worlds import FIXED_NOW

HOUR, DAY = 3600.0, 86400.0
PATH = "/jobs"


class Site:
    """One environment."""

    def __init__(self, time: Time) -> None:
        self.time = time
        self.world = World(time)
        self.environment = self.world.add_environment("one", announce=False).id

    def job(self, status: str, ago: float = 60.0, kind: str = "workbook") -> str:
        made = self.world.add_job(self.environment, kind=kind, at=self.time() - ago, status=status, announce=False)
        return made.id

    def close(self, job: str, status: str = "complete") -> None:
        self.world.finish_job(job, status, announce=False)

    def jobs(self, page: Scraped) -> dict[str, float]:
        """Jobs by status, where there are any."""
        return {status: number for (status,), number in page.of("jobs", self.environment).items() if number}

    def oldest_open(self, page: Scraped, environment: str = "") -> float | None:
        """When the oldest job was created that is open, whatever its status."""
        oldest = page.of("job_oldest_open_timestamp_seconds", environment or self.environment)
        return min(oldest.values(), default=None)


@pytest.fixture
def site(time: Time) -> Site:
    return Site(time)


async def test_jobs_of_the_window_are_counted_by_status_and_every_known_status_is_there(site: Site, time: Time) -> None:
    for status, ago in (("ready", 1), ("failed", DAY - 1), ("failed", 5), ("complete", DAY + 1), ("canceled", 0)):
        site.job(status, ago)
    async with Exported(site.world, time) as exported:
        page = await exported.scrape()
        assert page.of("jobs", site.environment) == {
            **dict.fromkeys([(status,) for status in jobs.STATUSES], 0),
            ("ready",): 1,
            ("failed",): 2,
            ("canceled",): 1,
        }
        page = await exported.later(60)
        assert site.jobs(page) == {"ready": 1, "failed": 1, "canceled": 1}


async def test_the_window_is_configured(site: Site, time: Time) -> None:
    site.job("failed", 2 * HOUR)
    site.job("failed", HOUR / 2)
    async with Exported(site.world, time, "jobs: {window: 1h}") as exported:
        assert site.jobs(await exported.scrape()) == {"failed": 1}


async def test_a_job_changes_its_status(site: Site, time: Time) -> None:
    job = site.job("ready")
    async with Exported(site.world, time) as exported:
        page = await exported.scrape()
        assert site.jobs(page) == {"ready": 1}
        assert site.oldest_open(page) == time() - 60
        site.world.start_job(job)
        assert site.jobs(await exported.later(60)) == {"executing": 1}
        site.close(job, "failed")
        page = await exported.later(60)
        assert site.jobs(page) == {"failed": 1}
        assert site.oldest_open(page) is None


@pytest.mark.parametrize(
    ("told", "shown", "is_open"),
    [
        ("cancelled", "canceled", False),
        ("hibernating", "hibernating", True),
        ("waiting", "waiting", True),
        (None, "unknown", False),
        ("", "unknown", False),
        (ABSENT, "unknown", False),
    ],
)
async def test_a_status_that_is_spelled_otherwise_new_or_missing(
    site: Site, time: Time, told: object, shown: str, is_open: bool
) -> None:
    site.job("ready")
    async with Exported(site.world, time, switches=Switches(fields={PATH: {"status": told}})) as exported:
        page = await exported.scrape()
        assert site.jobs(page) == {shown: 1}
        assert (site.oldest_open(page) is not None) == is_open
        exported.api.switches.fields.clear()
        page = await exported.later(60)
        assert page.of("jobs", site.environment)[shown,] == 0  # was known once, so it is none and not unknown


async def test_statuses_that_nobody_knows_are_bounded(site: Site, time: Time) -> None:
    async with Exported(site.world, time) as exported:
        for number in range(30):
            site.job(f"new-{number:02}", 60 - number)
            page = await exported.later(60)
        assert site.jobs(page) == {**{f"new-{number:02}": 1 for number in range(20)}, "other": 10}
        site.job("new-03")
        site.job("failed")
        page = await exported.later(60)
        assert (site.jobs(page)["new-03"], site.jobs(page)["failed"]) == (2, 1)


async def test_an_open_job_is_followed_beyond_the_window_for_a_week(site: Site, time: Time) -> None:
    younger, older = site.job("executing", 23 * HOUR), site.job("waiting", 23.5 * HOUR)
    async with Exported(site.world, time) as exported:
        for wait in (0, 2 * DAY):
            page = await exported.later(wait)
            assert site.oldest_open(page) == FIXED_NOW - 23.5 * HOUR
        assert site.jobs(page) == {}
        site.close(older)
        page = await exported.later(60)
        assert site.oldest_open(page) == FIXED_NOW - 23 * HOUR
        page = await exported.later(7 * DAY)
        assert site.oldest_open(page) is None
        assert site.world.jobs[younger].status == "executing"


async def test_a_steady_account_costs_one_request_for_each_environment(site: Site, time: Time) -> None:
    for number in range(1200):
        site.job("complete", 10 + number)
    site.job("executing", 5)
    async with Exported(site.world, time) as exported:
        assert site.jobs(await exported.scrape()) == {"complete": 1200, "executing": 1}
        exported.api.clear()
        for _ in range(20):
            site.job("complete", 1)
            page = await exported.later(60)
        assert len(exported.asked(PATH)) == 20
        assert site.jobs(page) == {"complete": 1220, "executing": 1}


async def test_a_job_that_hangs_under_many_newer_ones_does_not_cost_all_pages_each_time(site: Site, time: Time) -> None:
    stuck = site.job("executing", 3000)
    for number in range(2000):
        site.job("complete", 10 + number)
    async with Exported(site.world, time) as exported:
        page = await exported.scrape()
        assert site.oldest_open(page) == FIXED_NOW - 3000
        exported.api.clear()
        for _ in range(20):
            await exported.later(60)
        deep = exported.asked(PATH, pageSize="500")
        assert 5 * 3 <= len(deep) <= 5 * 4  # pages, within 5 minutes each
        assert len(exported.asked(PATH)) <= len(deep) + 3 * 17
        site.close(stuck)
        for _ in range(5):
            page = await exported.later(60)
        assert site.oldest_open(page) is None
        exported.api.clear()
        for _ in range(20):
            await exported.later(60)
        assert len(exported.asked(PATH)) == 20


async def test_an_open_job_under_some_newer_ones_is_followed_each_time(site: Site, time: Time) -> None:
    job = site.job("ready", 3000)
    for number in range(250):
        site.job("complete", 10 + number)
    async with Exported(site.world, time) as exported:
        await exported.scrape()
        site.close(job, "failed")
        page = await exported.later(60)
        assert site.jobs(page) == {"complete": 250, "failed": 1}


async def test_many_new_jobs_at_once_are_all_read(site: Site, time: Time) -> None:
    for number in range(50):
        site.job("complete", 100 + number)
    async with Exported(site.world, time) as exported:
        await exported.scrape()
        time.pass_(60)
        for number in range(730):
            site.job("complete", number / 20)
        assert site.jobs(await exported.scrape()) == {"complete": 780}


@pytest.mark.parametrize("order", ["asc", "shuffled"])
async def test_a_long_list_in_another_order_is_read_as_a_whole_but_not_each_time(
    site: Site, time: Time, order: str
) -> None:
    for number in range(700):
        site.job("complete", 10 + number)
    switches = Switches(job_order="asc" if order == "asc" else "shuffled")
    async with Exported(site.world, time, switches=switches) as exported:
        assert site.jobs(await exported.scrape()) == {"complete": 700}
        exported.api.clear()
        site.job("failed", 1)
        for _ in range(10):
            page = await exported.later(60)
        assert site.jobs(page) == {"complete": 700, "failed": 1}
        assert len(exported.asked(PATH)) == 2 * 2  # pages, each five minutes
        assert page.ok("jobs") == 1


async def test_an_api_that_does_not_know_the_order_is_asked_without(site: Site, time: Time) -> None:
    site.job("failed")
    async with Exported(site.world, time, more=ONE_BY_ONE) as exported:
        exported.api.faults.rules.append(Asking(exported.api, PATH, Status(400), "sortDirection=desc"))
        assert site.jobs(await exported.scrape()) == {"failed": 1}
        await exported.later(60)
        assert len(exported.asked(PATH, sortDirection="desc")) == 1


@pytest.mark.parametrize("named", [True, False])
async def test_jobs_of_other_environments_are_left_out(site: Site, time: Time, named: bool) -> None:
    """Whether the server ignores the environment asked for, or does not name it in its rows."""
    other = site.world.add_environment("two", announce=False).id
    for number in range(250):
        site.world.add_job(other, at=time() - number, announce=False)
    site.job("failed", 300)
    switches = Switches(environment_ignored={PATH}) if named else Switches(fields={PATH: {"environmentId": ABSENT}})
    async with Exported(site.world, time, switches=switches) as exported:
        assert site.jobs(await exported.scrape()) == {"failed": 1}
        time.pass_(60)
        site.job("complete", 30)
        for number in range(150):
            site.world.add_job(other, at=time() - number / 10, announce=False)
        page = await exported.scrape()
        assert site.jobs(page) == {"failed": 1, "complete": 1}
        assert page.of("jobs", other)[("ready",)] == 400


async def test_a_job_that_is_deleted_is_not_counted_any_more(site: Site, time: Time) -> None:
    site.job("executing", 600)
    site.job("failed", 60)
    async with Exported(site.world, time) as exported:
        await exported.scrape()
        site.world.jobs_of[site.environment].drop_before(time() - 300)
        await exported.later(60)
        page = await exported.later(60)
        assert site.jobs(page) == {"failed": 1}
        assert site.oldest_open(page) is None


async def test_a_job_without_a_time_is_an_error_and_not_counted(site: Site, time: Time) -> None:
    site.job("failed", 60)
    site.job("failed", 50)
    switches = Switches(fields={PATH: {"createdAt": "soon"}}, fields_in_row=0)
    async with Exported(site.world, time, switches=switches) as exported:
        page = await exported.scrape()
        assert site.jobs(page) == {"failed": 1}
        assert page.errors() == {("jobs", "bad_response"): 1}


async def test_a_failed_environment_keeps_its_jobs_for_their_age_and_touches_no_other(site: Site, time: Time) -> None:
    other = site.world.add_environment("two", announce=False).id
    site.job("failed")
    async with Exported(site.world, time) as exported:
        await exported.scrape()
        rule = exported.api.faults.add(PATH, Status(403), environment=site.environment)
        page = await exported.later(60)
        assert (site.jobs(page), page.ok("jobs")) == ({"failed": 1}, 0)
        page = await exported.later(901)
        assert page.of("jobs", site.environment) == {}
        assert page.of("jobs", other)[("failed",)] == 0
        exported.api.faults.remove(rule)
        assert site.jobs(await exported.later(60)) == {"failed": 1}


def test_more_jobs_in_no_order_than_can_be_read_are_an_error(time: Time) -> None:
    reading = _job.Reading("one", time() - DAY, time(), time() - DAY, {})
    page = [models.Job(id=str(number), created_at=iso(time() - number % 7)) for number in range(1000)]
    for _ in range(_job.MAX_ROWS // 1000 - 1):
        assert not reading.add(page, ())
    with pytest.raises(TooLarge):
        reading.add(page, ())


def test_an_old_open_job_below_more_jobs_than_can_be_read_is_given_up(time: Time) -> None:
    reading = _job.Reading("one", time() - 5, time(), time() - DAY, {"old": time() - DAY})
    pages = _job.MAX_ROWS // 1000
    for page in range(pages):
        rows = [models.Job(id=f"{page} {n}", created_at=iso(time() - page - n / 1000)) for n in range(1000)]
        assert reading.add(rows, ()) == (page == pages - 1)
    assert reading.cut


# Jobs that finished


def finished(page: Scraped, environment: str) -> dict[tuple[str, ...], float]:
    """The finished jobs by type and status, where there are any."""
    return {by: number for by, number in page.of("jobs_finished_total", environment).items() if number}


async def test_jobs_that_finish_are_counted_once_by_type_and_status(site: Site, time: Time) -> None:
    open_ = {kind: site.job("executing", 600, kind) for kind in ("workbook", "file", "custom")}
    site.close(site.job("ready", 700, "sheet"))  # before counting began
    time.pass_(1)
    async with Exported(site.world, time) as exported:
        page = await exported.scrape()
        assert page.of("jobs_finished_total", site.environment) == {
            (type_, status): 0 for type_ in ("workbook", "file", "other", "sheet") for status in jobs.ENDS
        }
        for kind, status in (("workbook", "complete"), ("file", "failed"), ("custom", "cancelled")):
            site.close(open_[kind], status)
        site.close(site.job("ready", 30, "workbook"))
        for _ in range(3):
            page = await exported.later(60)
            counted = {("workbook", "complete"): 2, ("file", "failed"): 1, ("other", "canceled"): 1}
            assert finished(page, site.environment) == counted


async def test_waits_and_durations_of_finished_jobs_are_histograms(site: Site, time: Time) -> None:
    jobs_ = [site.job("ready", 10, "file") for _ in range(3)]
    async with Exported(site.world, time) as exported:
        page = await exported.scrape()
        for name in ("job_wait_seconds", "job_duration_seconds"):
            assert page.of(name, site.environment) == {("file",): 0}
        for job, (wait, took) in zip(jobs_, ((0.5, 2.0), (20.0, 100.0), (40.0, 8000.0)), strict=True):
            created = site.world.jobs[job].created_at
            site.world.start_job(job, at=created + wait)
            site.world.finish_job(job, at=created + wait + took, announce=False)
        await exported.later(9000)
        page = await exported.later(60)
        for name, counts, total in (
            ("job_wait_seconds", [1, 1, 1, 3, 3, 3, 3, 3], 60.5),
            ("job_duration_seconds", [0, 1, 1, 1, 2, 2, 2, 3], 8102.0),
        ):
            ((_, value),) = page.families[f"flatfile_{name}"].samples
            assert isinstance(value, HistogramValue)
            assert [bound for bound, _ in value.buckets] == [1, 5, 15, 60, 300, 1800, 7200, float("inf")]
            assert [count for _, count in value.buckets] == counts
            assert value.sum == pytest.approx(total)


async def test_a_job_without_times_is_counted_and_not_observed(site: Site, time: Time) -> None:
    job = site.job("executing")
    switches = Switches(fields={PATH: {"startedAt": None, "finishedAt": ABSENT}})
    async with Exported(site.world, time, switches=switches) as exported:
        await exported.scrape()
        site.close(job)
        page = await exported.later(60)
        assert finished(page, site.environment) == {("workbook", "complete"): 1}
        assert page.of("job_duration_seconds", site.environment) == {("workbook",): 0}


async def test_a_job_that_finishes_below_many_newer_ones_is_counted_once_it_is_read(site: Site, time: Time) -> None:
    deep = site.job("executing", 3000)
    for number in range(1000):
        site.job("complete", 10 + number)
    async with Exported(site.world, time) as exported:
        await exported.scrape()
        before = finished(await exported.later(60), site.environment)
        site.close(deep, "failed")
        for _ in range(8):
            page = await exported.later(60)
        assert finished(page, site.environment) == {**before, ("workbook", "failed"): 1}


@pytest.mark.parametrize("told", [True, False])
async def test_an_open_job_that_finishes_after_the_window_is_counted_once(site: Site, time: Time, told: bool) -> None:
    """Whether the server says when it finished, or not."""
    job = site.job("executing", HOUR / 2)
    switches = Switches() if told else Switches(fields={PATH: {"finishedAt": None}})
    async with Exported(site.world, time, "jobs: {window: 1h}", switches=switches) as exported:
        await exported.scrape()
        time.pass_(DAY)
        site.close(job)
        for wait in (60, 60, HOUR, HOUR, DAY):
            page = await exported.later(wait)
            assert finished(page, site.environment) == {("workbook", "complete"): 1}


async def test_a_job_that_one_list_lacks_stays_and_is_counted_once(site: Site, time: Time) -> None:
    async with Exported(site.world, time) as exported:
        await exported.scrape()
        site.close(site.job("ready", -30))
        await exported.later(60)
        jobs_of, site.world.jobs_of[site.environment] = site.world.jobs_of[site.environment], Timeline()
        assert site.jobs(await exported.later(60)) == {"complete": 1}
        site.world.jobs_of[site.environment] = jobs_of
        for _ in range(2):
            page = await exported.later(60)
            assert (site.jobs(page), finished(page, site.environment)) == (
                {"complete": 1},
                {("workbook", "complete"): 1},
            )


async def test_a_job_is_counted_however_late_its_status_is_told(site: Site, time: Time) -> None:
    async with Exported(site.world, time, switches=Switches(fields={PATH: {"status": None}})) as exported:
        await exported.scrape()
        site.close(site.job("ready", -10), "failed")
        for _ in range(3):
            page = await exported.later(60)
            assert finished(page, site.environment) == {}
        exported.api.switches.fields.clear()
        for _ in range(2):
            page = await exported.later(60)
            assert finished(page, site.environment) == {("workbook", "failed"): 1}


async def test_a_job_that_is_opened_again_is_counted_once(site: Site, time: Time) -> None:
    job = site.job("executing")
    async with Exported(site.world, time) as exported:
        await exported.scrape()
        for status in ("failed", "executing", "complete"):
            time.pass_(60)
            site.close(job, status)
            page = await exported.scrape()
        assert finished(page, site.environment) == {("workbook", "failed"): 1}


async def test_with_storage_each_job_is_counted_once_over_restarts(site: Site, time: Time, tmp_path: Path) -> None:
    site.close(site.job("ready", 60))  # before counting began
    time.pass_(1)
    async with Exported(site.world, time) as exported:
        for number in (0, 2, 4):
            await exported.account.aclose()
            exported.account = exported.restarted(tmp_path / "acme.sqlite")
            page = await exported.scrape()
            assert sum(finished(page, site.environment).values()) == number
            job = site.job("executing", 10)
            page = await exported.later(60)
            site.close(job)
            time.pass_(500)
            site.close(site.job("ready", 5), "failed")


async def follow_finished(data: st.DataObject) -> None:
    """Jobs are made and finish, whatever the order of the list and however often it is read."""
    time, draw = Time(), data.draw
    site = Site(time)
    order = draw(st.sampled_from(["honoured", "asc", "shuffled"]), "order")
    switches = Switches(job_order=order, page_clamp=draw(st.sampled_from([{}, {PATH: 3}, {PATH: 11}]), "clamp"))
    jobs_ = [site.job("ready", number * 60) for number in range(draw(st.integers(0, 30), "old"))]
    truth: Counter[tuple[str, str]] = Counter()
    async with Exported(site.world, time, "jobs: {window: 2h}", switches=switches) as exported:
        await exported.scrape()
        for _ in range(draw(st.integers(1, 8), "scrapes")):
            time.pass_(draw(st.sampled_from([60, 301, HOUR, 3 * HOUR])))
            jobs_ += [site.job("ready", number) for number in range(draw(st.integers(0, 15), "new"))]
            for job in [each for each in jobs_ if draw(st.integers(0, 2)) == 0]:
                status = draw(st.sampled_from(jobs.ENDS))
                site.close(job, status)
                jobs_.remove(job)
                truth["workbook", status] += 1
            await exported.scrape()
        for wait in (301, 301, HOUR + 1):
            page = await exported.later(wait)
    assert finished(page, site.environment) == truth
    assert page.ok("jobs") == 1


@examples(10)
@given(st.data())
def test_each_finished_job_is_counted_once_whatever_the_order(data: st.DataObject) -> None:
    asyncio.run(follow_finished(data))


async def follow(data: st.DataObject) -> None:
    time = Time()
    site = Site(time)
    draw = data.draw
    other = site.world.add_environment("two", announce=False).id
    switches = Switches(
        page_clamp=draw(st.sampled_from([{}, {PATH: 1}, {PATH: 3}, {PATH: 11}]), "clamp"),
        pagination=draw(st.sampled_from(["right", "absent", "zero"]), "pagination"),
        job_order=draw(st.sampled_from(["honoured", "asc", "shuffled"]), "order"),
        environment_ignored=draw(st.sampled_from([set(), {PATH}]), "environment"),
    )
    statuses = st.sampled_from(jobs.STATUSES)

    def add(most: float) -> None:
        at = time() - draw(st.integers(0, 100)) / 100 * most
        where = draw(st.sampled_from([site.environment, site.environment, other]))
        site.world.add_job(where, at=at, status=draw(statuses), announce=False)

    for _ in range(draw(st.integers(0, 40), "old")):
        add(DAY + HOUR)
    async with Exported(site.world, time, switches=switches) as exported:
        await exported.scrape()
        for _ in range(draw(st.integers(1, 6), "scrapes")):
            passed = draw(st.sampled_from([1, 60, 301, HOUR]))
            time.pass_(passed)
            for _ in range(draw(st.integers(0, 20), "jobs")):
                add(min(passed, 30))
            for job in site.world.jobs.values():
                if draw(st.integers(0, 3)) == 0:
                    job.status = draw(statuses)
            await exported.scrape()
        for _ in range(3):
            page = await exported.later(HOUR + 1)
    for environment in (site.environment, other):
        counted = [job for job in site.world.jobs_of[environment] if job.created_at >= time() - DAY]
        shown = {status: int(number) for (status,), number in page.of("jobs", environment).items() if number}
        assert shown == Counter(job.status for job in counted)
        open_ = [job.created_at for job in counted if job.status not in jobs.SETTLED]
        oldest = site.oldest_open(page, environment)
        assert not open_ or (oldest is not None and oldest <= round(min(open_), 3))
    assert page.ok("jobs") == 1


@examples(10)
@given(st.data())
def test_jobs_are_right_whatever_the_api_makes_of_pages_and_orders(data: st.DataObject) -> None:
    asyncio.run(follow(data))

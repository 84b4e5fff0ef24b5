"""What fires in written histories, at which minute, and what does not; on each promtool at hand."""

from pathlib import Path

import pytest

from .histories import History, SideBySide, Values, counter, steps, write
from .promtools import PROMTOOLS, each_promtool, run

pytestmark = pytest.mark.timeout(900)  # days of minutes on a busy machine

P = 'account="acme", environment_id="p", environment_name="Shop"'
D = 'account="acme", environment_id="d", environment_name="Test"'
EVENTS = "flatfile-recording-events"
"""The rules that are costly and have nothing to say in these histories (`e2e/test_silence.py` is about them)."""
DOWN, MISSING = "FlatfileExporterDown critical", "FlatfileAgentMissing critical"
RUNS = ', agent_id="i", agent="importer", result='


def missing(history: History, values: Values | float, *agents: str, of: str = P, instance: str = "a:1") -> History:
    for agent in agents:
        history.put("flatfile_agent_missing", f'{of}, agent="{agent}"', values, instance)
    return history


def runs(history: History, of: str, good: Values, bad: Values) -> History:
    history.put("flatfile_agent_executions_total", f'{of}{RUNS}"success"', good)
    return history.put("flatfile_agent_executions_total", f'{of}{RUNS}"failure"', bad)


def jobs(history: History, of: str, good: Values, bad: Values) -> History:
    history.put("flatfile_jobs_finished_total", f'{of}, type="file", status="complete"', good)
    return history.put("flatfile_jobs_finished_total", f'{of}, type="file", status="failed"', bad)


def agents() -> list[History]:
    gone = steps((10, 0), (30, 1), (40, 0))
    all_gone = History("all three production agents go", 80, {MISSING: [(15, 55)] * 3}).exporter("acme")
    missing(all_gone, gone, "importer", "validator", "mapper")
    all_gone.put("flatfile_agents", f'{P}, system="false"', steps((10, 3), (30, 0), (40, 3)))
    all_gone.put("flatfile_agents_expected_min", P, 3)

    lost = History("all agents go, and none was expected", 80, {"FlatfileProductionLostAllAgents critical": [(15, 55)]})
    lost.exporter("acme").put("flatfile_agents", f'{P}, system="false"', steps((10, 3), (30, 0), (40, 3)))
    lost.put("flatfile_agents", f'{D}, system="false"', steps((10, 3), (30, 0), (40, 3)))

    few = History("fewer than the minimum", 80, {"FlatfileAgentsBelowMinimum critical": [(15, 55)]}).exporter("acme")
    few.put("flatfile_agents", f'{P}, system="false"', steps((10, 3), (30, 2), (40, 3)))
    few.put("flatfile_agents_expected_min", P, 3)

    elsewhere = History("one goes that is not in production", 80, {"FlatfileAgentMissing warning": [(15, 40)]})
    missing(elsewhere.exporter("acme"), gone, "importer", of=D)

    near = History("missing for four minutes", 50, {})
    missing(near.exporter("acme"), steps((10, 0), (4, 1), (36, 0)), "importer")

    # 7 minutes gone and 2 there, for an hour
    flaps = History("a deployment that flaps", 120, {MISSING: [(15, 90)]}).exporter("acme")
    missing(flaps, steps((10, 0), *[(7, 1.0), (2, 0.0)] * 7, (2, 1), (45, 0)), "importer")

    restart = History("Prometheus restarts, 7 minutes", 70, {MISSING: [(15, 70)]}).exporter("acme")
    missing(restart, steps((10, 0), (60, 1)), "importer").gap(30, 37)

    stops = History("the exporter stops while one is missing", 180, {MISSING: [(15, 155)], DOWN: [(43, 142)]})
    missing(stops.exporter("acme"), steps((10, 0), (130, 1), (40, 0)), "importer").down(30, 120)

    withheld = History(
        "Flatfile fails while one is missing",
        180,
        {MISSING: [(15, 155)], "FlatfileAccountUnreachable warning": [(45, 130)]},
    )
    missing(withheld.exporter("acme"), steps((10, 0), (130, 1), (40, 0)), "importer")
    withheld.put("flatfile_up", 'account="acme"', steps((30, 1), (90, 0), (60, 1)))
    for what in ("flatfile_agent", "flatfile_environment", "flatfile_jobs"):
        withheld.end(what, 45, 120)

    unknown = History("nothing begins while the exporter is down", 150, {DOWN: [(43, 137)]})
    missing(unknown.exporter("acme"), 0, "importer").down(30, 115)

    deleted = History(
        "its environment is deleted", 80, {MISSING: [(15, 53)], "FlatfileEnvironmentGone critical": [(50, 80)]}
    )
    missing(deleted.exporter("acme"), steps((10, 0), (70, 1)), "importer").end('environment_id="p"', 30)

    removed = History("its account is removed", 130, {MISSING: [(15, 105)], "FlatfileAccountGone warning": [(43, 130)]})
    missing(removed.exporter("acme", "globex"), steps((10, 0), (120, 1)), "importer").end('account="acme"', 30)

    unexpected = History("it is not expected any more", 80, {MISSING: [(15, 53)]})
    missing(unexpected.exporter("acme"), steps((10, 0), (70, 1)), "importer").end("flatfile_agent_missing", 30)

    pair = History("of a pair, one says it is missing", 60, {})
    pair.exporter("acme").exporter("acme", instance="b:1")
    missing(missing(pair, 1, "importer"), 0, "importer", instance="b:1")

    ghost = History(
        "an expected environment that there is not", 60, {"FlatfileExpectedEnvironmentMissing warning": [(30, 60)]}
    )
    ghost.exporter("acme").put(
        "flatfile_agent_missing",
        'account="acme", environment_name="Ghost", agent="importer"',
        steps((20, None), (40, 1)),
    )

    failing = History(
        "9 of 9 runs an hour in production fail for 7 hours; 60 of 60 elsewhere",
        880,
        {"FlatfileAgentRunsFailing critical": [(442, 869)], "FlatfileAgentRunsFailing warning": [(408, 850)]},
    ).exporter("acme")
    runs(failing, P, counter((400, 9), (420, 0), (60, 9)), counter((400, 0), (420, 9), (60, 0)))
    runs(failing, D, counter((400, 60), (420, 0), (60, 60)), counter((400, 0), (420, 60), (60, 0)))

    lag = History("events wait for their agents", 150, {"FlatfileAgentQueueLag warning": [(50, 116)]}).exporter("acme")
    for le, share in (("15", 0.5), ("300", 1.0), ("+Inf", 1.0)):
        lag.put(
            "flatfile_agent_queue_lag_seconds_bucket", f'{P}, le="{le}"', counter((30, 0), (60, 120 * share), (60, 0))
        )
    lag.put("flatfile_agent_queue_lag_seconds_count", P, counter((30, 0), (60, 120), (60, 0)))
    return [
        all_gone, lost, few, elsewhere, near, flaps, restart, stops, withheld, unknown, deleted, removed, unexpected, pair,
        ghost, failing.every(2), lag,
    ]  # fmt: skip


def imports() -> list[History]:
    failing = History("100 jobs an hour fail for 7 hours", 880, {"FlatfileJobsFailing critical": [(408, 865)]})
    jobs(
        failing.exporter("acme"),
        P,
        counter((400, 100), (420, 0), (60, 100)),
        counter((400, 0), (420, 100), (60, 0)),
    )
    few = History("one job an hour fails from minute 420 on", 700, {"FlatfileJobsFailing critical": [(602, 700)]})
    jobs(few.exporter("acme"), P, counter((420, 1), (280, 0)), counter((420, 0), (280, 1)))
    some = History("2 of 100 fail", 420, {})
    jobs(some.exporter("acme"), P, counter((420, 98)), counter((420, 2)))
    stops = History(
        "the exporter stops while jobs fail", 250, {"FlatfileJobsFailing critical": [(68, 250)], DOWN: [(133, 232)]}
    )
    jobs(stops.exporter("acme"), P, counter((60, 100), (190, 0)), counter((60, 0), (190, 100))).down(120, 210)
    stuck = History("a job executes for 5 hours; another waits", 120, {"FlatfileJobOpenTooLong warning": [(31, 88)]})
    stuck.exporter("acme")
    four_hours_before = 20 * 60 - 4 * 3600
    stuck.put(
        "flatfile_job_oldest_open_timestamp_seconds",
        f'{P}, status="executing"',
        steps((20, None), (60, four_hours_before), (40, None)),
    )
    stuck.end('status="executing"}', 80).put("flatfile_jobs", f'{P}, status="executing"', 1)
    stuck.put("flatfile_job_oldest_open_timestamp_seconds", f'{P}, status="waiting"', four_hours_before)
    return [failing.every(2), few.every(2), some.every(2), stops, stuck]


def exporter() -> list[History]:
    down = History("the target is down", 100, {DOWN: [(43, 87)]}).exporter("acme").down(30, 65)
    short = History("the target is down for five minutes", 90, {}).exporter("acme").down(30, 35)
    absent = History("the target is gone", 70, {DOWN: [(43, 70)]}).exporter("acme").end("", 30)
    one = History("one of a pair is down", 90, {"FlatfileExporterDown warning": [(43, 73)]})
    one.exporter("acme").exporter("acme", instance="b:1").down(30, 65)
    both = History("both of a pair are down", 70, {DOWN: [(43, 70)] * 2})
    both.exporter("acme").exporter("acme", instance="b:1").down(30, 70).down(30, 70, "b:1")
    flaps = History("7 minutes down and 2 up, for an hour", 140, {DOWN: [(45, 112)]}).exporter("acme")
    for begin in range(30, 93, 9):
        flaps.down(begin, begin + 7)
    moved = History("the pod moves", 70, {}).exporter("acme").exporter("acme", instance="b:1")
    moved.end('instance="a:1"', 30).end('instance="b:1"', 0, 31)
    gone = History("an account goes while others stay", 80, {"FlatfileAccountGone warning": [(43, 80)]})
    gone.exporter("acme", "globex").end('account="acme"', 30)
    nothing = History("the configured environments match nothing", 60, {"FlatfileNoEnvironments warning": [(10, 60)]})
    nothing.exporter("acme")
    for production in ("true", "false"):
        nothing.put("flatfile_environments", f'account="acme", production="{production}"', 0)
        nothing.end(f'environment_id="{"p" if production == "true" else "d"}"', 0)
    flapping = History("Flatfile answers one time in three", 110, {"FlatfileAccountUnreachable warning": [(40, 84)]})
    flapping.exporter("acme").put("flatfile_up", 'account="acme"', steps((20, 1), *[(2, 0.0), (1, 1.0)] * 20, (30, 1)))
    refused = History(
        "the credentials are refused", 180, {"FlatfileCredentialsRefused critical": [(40, 155)], DOWN: [(83, 137)]}
    )
    refused.exporter("acme").put("flatfile_up", 'account="acme"', steps((30, 1), (110, 0), (40, 1)))
    refused.put(
        "flatfile_exporter_collector_errors_total",
        'account="acme", collector="environments", reason="unauthorized"',
        counter((30, 0), (110, 12), (40, 0)),
    ).down(70, 115)
    failing = History(
        "/spaces fails in all environments", 90, {"FlatfileCollectorFailing warning": [(38, 71)]}
    ).exporter("acme")
    failing.put(
        "flatfile_exporter_collector_success", 'account="acme", collector="spaces"', steps((20, 1), (50, 0), (20, 1))
    )
    failing.put(
        "flatfile_exporter_collector_last_success_timestamp_seconds",
        'account="acme", collector="spaces"',
        [*(60.0 * m for m in range(20)), *[60.0 * 19] * 50, *(60.0 * m for m in range(70, 90))],
    )
    explained = History(
        "the exporter stops while Flatfile is down",
        150,
        {"FlatfileAccountUnreachable warning": [(35, 110)], DOWN: [(73, 112)]},
    ).exporter("acme")
    explained.put("flatfile_up", 'account="acme"', steps((20, 1), (80, 0), (50, 1)))
    for collector in ("environments", "spaces", "agents"):
        last: Values = [*(60.0 * m for m in range(20)), *[60.0 * 19] * 80, *(60.0 * m for m in range(100, 150))]
        of = f'account="acme", collector="{collector}"'
        explained.put("flatfile_exporter_collector_last_success_timestamp_seconds", of, last)
    explained.down(60, 90)
    off = History("a collector is switched off", 80, {}).exporter("acme").end('collector="spaces"', 20)
    storage = History("the disk is full", 80, {"FlatfileStorageFailing warning": [(35, 60)]})
    storage.exporter("acme").put(
        "flatfile_exporter_storage_success", 'account="acme"', steps((30, 1), (30, 0), (20, 1))
    )
    reload = History("a bad configuration", 120, {"FlatfileReloadFailed warning": [(35, 120)], DOWN: [(63, 107)]})
    reload.exporter("acme").put("flatfile_exporter_config_last_reload_successful", "", steps((30, 1), (90, 0))).down(
        50, 85
    )
    return [
        down, short, absent, one, both, flaps, moved, gone, nothing, flapping, refused, failing, explained, off, storage, reload,
    ]  # fmt: skip


HISTORIES = agents() + imports() + exporter()


def is_of_its_account(history: History) -> bool:
    """Whether nothing in it is about targets, so that it can be told beside others."""
    gaps = any(None in values for name, values in history.series.items() if name.startswith("up{"))
    return DOWN not in history.fires and not gaps and not any("b:1" in name for name in history.series)


ALONE = [history for history in HISTORIES if not is_of_its_account(history)]
BY_ACCOUNT = [history for history in HISTORIES if is_of_its_account(history)]
INTERVALS = sorted({history.interval for history in BY_ACCOUNT})


@each_promtool
@pytest.mark.parametrize("history", ALONE, ids=lambda history: history.name)
def test_what_fires_and_when(promtool: Path, history: History, tmp_path: Path) -> None:
    path = tmp_path / "history.yaml"
    write([history], path, without=[EVENTS], every=history.interval)
    run(promtool, "test", "rules", path)


@each_promtool
@pytest.mark.parametrize("interval", INTERVALS)
def test_what_fires_in_accounts_side_by_side(promtool: Path, interval: int, tmp_path: Path) -> None:
    path = tmp_path / "history.yaml"
    of_interval = SideBySide([history for history in BY_ACCOUNT if history.interval == interval])
    # the long histories are about runs and jobs
    without = [EVENTS] if interval == 1 else [EVENTS, "flatfile-exporter"]
    write([of_interval], path, without=without, every=interval)
    run(promtool, "test", "rules", path)


@pytest.mark.skipif(not PROMTOOLS, reason="no promtool: apt-get install prometheus")
def test_a_pair_whose_targets_have_labels_of_their_own_fires_the_same(tmp_path: Path) -> None:
    """Also where the pair is scraped, and the rules are evaluated, half as often."""
    path = tmp_path / "history.yaml"
    pairs = SideBySide([history.doubled().every(2) for history in BY_ACCOUNT if history.interval == 1])
    write([pairs], path, without=[EVENTS], every=2)
    run(next(iter(PROMTOOLS.values())), "test", "rules", path)

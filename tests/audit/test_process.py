"""The command as a user runs it: a process of its own against the simulated API."""

import contextlib
import csv
import json
import os
import pty
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from exporter.demo.accounts import SECRET
from tests.e2e.forking import Forked
from tests.e2e.process import Exporter, clean_environment, eventually, exporter, run, start
from tests.serving import account_lines, configuration
from tests.simulator.server import SimulatedServer
from tests.simulator.worlds import sized_world

FAST = "requests: {timeout: 20s, per_second: 10000, retries: 1}\nevents: {overlap: 5s}\n"


@pytest.fixture
def api() -> Iterator[SimulatedServer]:
    world = sized_world(time.time, environments=2, spaces=6, guests=8, users=5, agents=2, events=300)
    with SimulatedServer(world).in_thread() as running:
        yield running


@pytest.fixture
def config(api: SimulatedServer, tmp_path: Path) -> str:
    """The flag that names a configuration of the account."""
    return configured(tmp_path, account_lines("acme", api.base_url))


def configured(directory: Path, *accounts: str) -> str:
    path = directory / "config.yaml"
    path.write_text(configuration(*accounts, more=FAST), encoding="utf-8")
    path.chmod(0o600)
    return f"--config.file={path}"


def happened(api: SimulatedServer) -> list[str]:
    """The ids of all events in the order of their time."""
    return [event.id for event in sorted(api.world.events, key=lambda event: (round(event.created_at, 3), event.id))]


def ids(text: str) -> list[str]:
    return [json.loads(line)["event_id"] for line in text.splitlines()]


def emit(api: SimulatedServer, number: int = 1) -> None:
    environments = [*api.world.environments]
    for i in range(number):
        api.call(api.world.emit, "file:created", environments[i % 2])


def test_it_writes_what_happened_and_ends(api: SimulatedServer, config: str) -> None:
    done = run("audit", config)
    assert (done.returncode, ids(done.stdout)) == (0, happened(api)), done.stderr
    assert done.stderr.count("\n") == 1
    assert 'msg="audit finished" events=300' in done.stderr


def test_csv_has_a_header_and_the_same_events(api: SimulatedServer, config: str) -> None:
    rows = [*csv.DictReader(run("audit", config, "--format=csv").stdout.splitlines())]
    assert [row["event_id"] for row in rows] == happened(api)
    assert [*rows[0]][-2:] == ["actor_name", "actor_email"]


def test_the_window_and_the_globs_are_those_of_the_flags(config: str) -> None:
    some = run("audit", config, "--since=50m", "--until=30m", "--environment=environment-1", "--topic=records:*")
    assert len(ids(some.stdout)) == pytest.approx(50, abs=2)


def test_an_output_file_is_appended_to(api: SimulatedServer, config: str, tmp_path: Path) -> None:
    out = tmp_path / "audit.jsonl"
    for _ in range(2):
        assert run("audit", config, f"--output={out}").returncode == 0
    assert ids(out.read_text(encoding="utf-8")) == [*happened(api), *happened(api)]


def test_with_a_state_each_run_writes_what_is_new(api: SimulatedServer, config: str, tmp_path: Path) -> None:
    out = tmp_path / "audit.jsonl"
    for _ in range(3):
        assert run("audit", config, f"--output={out}", f"--state={tmp_path / 'state'}").returncode == 0
        emit(api, 3)
    assert ids(out.read_text(encoding="utf-8")) == happened(api)[:-3]


def test_hashes_need_a_key_and_hide_everybody(config: str) -> None:
    refused = run("audit", config, "--actors=hash")
    assert refused.returncode == 2
    assert "--actors=hash needs a key" in refused.stderr
    done = run("audit", config, "--actors=hash", env={"FLATFILE_AUDIT_KEY": "0123456789abcdef"})
    assert done.returncode == 0
    assert not [mark for mark in ("PERSONAL-", "@customer.test", "us_usr_", "us_g_") if mark in done.stdout]


@contextlib.contextmanager
def following(config: str, tmp_path: Path, state: Path | None = None) -> Iterator[Exporter]:
    where = (f"--output={tmp_path / 'audit.jsonl'}", f"--state={state or tmp_path / 'state'}")
    with exporter("audit", config, "--follow", "--interval=50ms", *where) as process:
        yield process


def test_following_survives_kill_9_and_tells_each_event_once(api: SimulatedServer, config: str, tmp_path: Path) -> None:
    out = tmp_path / "audit.jsonl"
    size = 0
    for _ in range(4):
        with following(config, tmp_path) as process:
            emit(api, 40)
            eventually(lambda: out.exists() and out.stat().st_size > size, "lines are written")  # noqa: B023
            emit(api, 40)
            size = out.stat().st_size
            process.signal(signal.SIGKILL)
            assert process.ended() == -signal.SIGKILL
    with following(config, tmp_path) as process:
        eventually(lambda: sorted(read(out)) == sorted(happened(api)), "each event is there, once")
        emit(api)
        eventually(lambda: read(out)[-1:] == happened(api)[-1:], "it goes on")
        process.signal(signal.SIGTERM)
        assert process.ended() == 0
    assert sorted(read(out)) == sorted(happened(api))


def read(path: Path) -> list[str]:
    """The ids of whole lines."""
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    return ids(text[: text.rfind("\n") + 1])


def test_a_rotated_output_goes_on_in_a_new_file(api: SimulatedServer, config: str, tmp_path: Path) -> None:
    out, old = tmp_path / "audit.jsonl", tmp_path / "audit.jsonl.1"
    with following(config, tmp_path) as process:
        eventually(lambda: len(read(out)) == 300, "the first events")
        out.rename(old)
        emit(api, 2)
        eventually(lambda: len(read(old)) == 302, "it goes on in the renamed file")
        process.signal(signal.SIGHUP)
        process.wait_for("the output was reopened")
        emit(api, 3)
        eventually(lambda: len(read(out)) == 3, "and after SIGHUP in the new one")
        process.signal(signal.SIGKILL)
        process.ended()
    out.rename(tmp_path / "audit.jsonl.0")  # rotated while it does not run
    emit(api, 4)
    with following(config, tmp_path) as process:
        eventually(lambda: len(read(out)) == 4, "nothing is told twice")
        process.signal(signal.SIGINT)
        assert process.ended() == 0
    assert [*read(old), *read(tmp_path / "audit.jsonl.0"), *read(out)] == happened(api)


def test_two_processes_do_not_write_one_file(api: SimulatedServer, config: str, tmp_path: Path) -> None:
    with following(config, tmp_path):
        eventually(lambda: len(read(tmp_path / "audit.jsonl")) == 300, "it writes")
        second = run("audit", config, f"--output={tmp_path / 'audit.jsonl'}")
    assert second.returncode == 1
    assert "is in use by another process" in second.stderr


def test_following_goes_on_after_a_failure(api: SimulatedServer, config: str, tmp_path: Path) -> None:
    with following(config, tmp_path) as process:
        eventually(lambda: len(read(tmp_path / "audit.jsonl")) == 300, "it writes")
        environment = next(iter(api.world.environments))
        api.call(api.switches.forbidden.add, ("*", environment))
        process.wait_for("events of an environment could not be read")
        emit(api, 2)
        api.call(api.switches.forbidden.clear)
        process.wait_for("can be read again")
        eventually(lambda: len(read(tmp_path / "audit.jsonl")) == 302, "what was missed is caught up with")


def test_a_closed_reader_ends_it_quietly(config: str) -> None:
    command = f"{sys.executable} -m exporter audit {config} | head -n 1"
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", command], env=clean_environment(), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0
    assert len(ids(done.stdout)) == 1
    assert "rror" not in done.stderr


def test_a_slow_reader_gets_everything(tmp_path: Path) -> None:
    """More than a pipe holds; tests/audit/test_account.py shows that nothing is made ahead of the reader."""
    world = sized_world(time.time, environments=2, spaces=6, guests=8, users=5, agents=2, events=3_000)
    with (
        SimulatedServer(world).in_thread() as api,
        piped(configured(tmp_path, account_lines("acme", api.base_url))) as (process, pipe),
    ):
        first = os.read(pipe, 1)
        text = first + rest(pipe)
        assert process.wait() == 0
    assert ids(text.decode()) == happened(api)


@contextlib.contextmanager
def piped(config: str, *more: str) -> Iterator[tuple[subprocess.Popen[bytes] | Forked, int]]:
    """A process, and the end of the pipe to read what it prints."""
    read, write = os.pipe()
    with os.fdopen(write, "wb") as end:
        process = start(["audit", config, *more], end.fileno())
    try:
        yield process, read
    finally:
        process.kill()
        process.wait()
        os.close(read)


def rest(pipe: int) -> bytes:
    """All that comes through a pipe until its other end is closed."""
    return b"".join(iter(lambda: os.read(pipe, 65536), b""))


def test_told_to_end_it_ends_after_a_whole_line(tmp_path: Path) -> None:
    world = sized_world(time.time, environments=2, spaces=6, guests=8, users=5, agents=2, events=5_000)
    with (
        SimulatedServer(world).in_thread() as api,
        piped(configured(tmp_path, account_lines("acme", api.base_url))) as (process, pipe),
    ):
        first = os.read(pipe, 1)
        process.send_signal(signal.SIGTERM)
        text = first + rest(pipe)
        assert process.wait() == 0
    assert text.endswith(b"\n")
    assert 0 < len(ids(text.decode())) < 5_000


def test_a_terminal_sees_progress(config: str, tmp_path: Path) -> None:
    ours, theirs = pty.openpty()
    try:
        status = start(["audit", config, f"--output={tmp_path / 'out'}"], stderr=theirs).wait()
        shown = os.read(ours, 65536).decode()
    finally:
        os.close(ours)
        os.close(theirs)
    assert status == 0
    assert "events read" in shown
    assert shown.rpartition("\x1b[K")[2].startswith("time=")


def test_one_refused_environment_is_said_and_the_rest_is_written(api: SimulatedServer, config: str) -> None:
    first, second = api.world.environments
    api.switches.forbidden.add(("*", first))
    done = run("audit", config)
    assert done.returncode == 1
    assert {json.loads(line)["environment_id"] for line in done.stdout.splitlines()} == {second}
    assert f"environment_id={first}" in done.stderr
    assert "reason=forbidden" in done.stderr


def test_wrong_credentials_are_said(api: SimulatedServer, tmp_path: Path) -> None:
    done = run("audit", configured(tmp_path, account_lines("acme", api.base_url, "wrong")))
    assert done.returncode == 1
    assert done.stdout == ""
    assert "reason=unauthorized" in done.stderr
    assert "client_secret" not in done.stderr


def test_several_accounts_and_one_of_them(api: SimulatedServer, tmp_path: Path) -> None:
    lines = (account_lines("good", api.base_url), account_lines("bad", api.base_url, "wrong"))
    config = configured(tmp_path, *lines)
    both = run("audit", config)
    assert both.returncode == 1
    assert {json.loads(line)["account"] for line in both.stdout.splitlines()} == {"good"}
    assert run("audit", config, "--account=good").returncode == 0
    unknown = run("audit", config, "--account=ugly")
    assert unknown.returncode == 1
    assert "unknown account 'ugly'; the configuration has good, bad" in unknown.stderr


def test_an_output_that_cannot_be_written_is_said(config: str, tmp_path: Path) -> None:
    done = run("audit", config, f"--output={tmp_path / 'nowhere' / 'out'}")
    assert done.returncode == 1
    assert "No such file or directory" in done.stderr
    assert "Traceback" not in done.stderr


def test_no_secret_is_in_the_log_or_the_lines(config: str) -> None:
    done = run("audit", config, "--log.level=debug")
    assert done.returncode == 0
    assert SECRET not in done.stdout + done.stderr
    assert "SECRET-" not in done.stdout + done.stderr
    assert "PERSONAL-" not in done.stderr

"""Faults around the command, each with the real process: a second process, a removed output, a full disk, a full pipe."""

import contextlib
import fcntl
import json
import signal
import struct
import subprocess
import termios
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.audit.test_process import (
    api,
    config,
    configured,
    emit,
    following,
    happened,
    ids,
    piped,
    read,
    rest,
)
from tests.collectors.exported import Time
from tests.e2e.process import eventually, run
from tests.serving import account_lines
from tests.simulator.server import SimulatedServer
from tests.simulator.switches import Switches
from tests.simulator.worlds import sized_world

__all__ = ["api", "config"]


@pytest.mark.parametrize("change", ["another output", "the output was renamed"])
def test_a_state_is_used_by_one_process(api: SimulatedServer, config: str, tmp_path: Path, change: str) -> None:
    out = tmp_path / "audit.jsonl"
    with following(config, tmp_path) as process:
        eventually(lambda: len(read(out)) == 300, "it writes")
        if change == "the output was renamed":
            out.rename(tmp_path / "audit.jsonl.1")
        other = out if change == "the output was renamed" else tmp_path / "other.jsonl"
        second = run("audit", config, f"--output={other}", f"--state={tmp_path / 'state'}")
        assert second.returncode == 1
        assert f"{tmp_path / 'state'} is in use by another process" in second.stderr
        assert not other.exists()
        process.signal(signal.SIGTERM)
        assert process.ended() == 0


def test_an_output_that_is_removed_is_made_again(api: SimulatedServer, config: str, tmp_path: Path) -> None:
    out = tmp_path / "audit.jsonl"
    with following(config, tmp_path) as process:
        eventually(lambda: len(read(out)) == 300, "it writes")
        out.unlink()
        emit(api, 15)
        process.wait_for("the output was removed")
        eventually(lambda: read(out)[-15:] == happened(api)[-15:], "what happened since is in the new file")
        process.signal(signal.SIGKILL)
        process.ended()
    emit(api, 2)
    assert run("audit", config, f"--output={out}", f"--state={tmp_path / 'state'}").returncode == 0
    written = read(out)
    assert written[-17:] == happened(api)[-17:]
    assert len(set(written)) == len(written)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 1 MiB."""
    place = tmp_path / "small"
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", place], check=False, capture_output=True
    )
    if mounted.returncode:
        pytest.skip("a small file system cannot be mounted here")
    try:
        yield place
    finally:
        subprocess.run(["umount", place], check=True)


def fill(disk: Path) -> Path:
    filler = disk / "filler"
    with contextlib.suppress(OSError), filler.open("wb", buffering=0) as file:
        while True:
            file.write(bytes(4096))
    return filler


def test_a_rotation_while_the_disk_of_the_state_is_full_doubles_nothing(
    api: SimulatedServer, config: str, tmp_path: Path, small_disk: Path
) -> None:
    out, old = tmp_path / "audit.jsonl", tmp_path / "audit.jsonl.1"
    with following(config, tmp_path, small_disk / "state") as process:
        eventually(lambda: len(read(out)) == 300, "it writes")
        filler = fill(small_disk)
        emit(api, 2000)
        process.wait_for("events could not be written")
        out.rename(old)
        process.signal(signal.SIGHUP)
        process.wait_for("the output could not be")
        emit(api, 10)
        process.wait_for("events could not be written")
        process.signal(signal.SIGKILL)
        process.ended()
    filler.unlink()
    assert run("audit", config, f"--output={out}", f"--state={small_disk / 'state'}").returncode == 0
    written = [*read(old), *(read(out) if out.exists() else [])]
    assert sorted(written) == sorted(happened(api))
    assert written[300:] == happened(api)[300:]


def test_a_rotation_while_the_disk_of_the_state_is_full_is_made_up_for(
    api: SimulatedServer, config: str, tmp_path: Path, small_disk: Path
) -> None:
    out, old = tmp_path / "audit.jsonl", tmp_path / "audit.jsonl.1"
    with following(config, tmp_path, small_disk / "state") as process:
        eventually(lambda: len(read(out)) == 300, "it writes")
        filler = fill(small_disk)
        emit(api, 2000)
        process.wait_for("events could not be written")
        out.rename(old)
        process.signal(signal.SIGHUP)
        process.wait_for("the output could not be")
        filler.unlink()
        emit(api, 10)
        eventually(lambda: sorted([*read(old), *read(out)]) == sorted(happened(api)), "all is there, once")
        assert read(out), "the rotation was made up for"
        process.signal(signal.SIGTERM)
        assert process.ended() == 0


def waiting(file: int) -> int:
    """Bytes in a pipe."""
    return int(struct.unpack("i", fcntl.ioctl(file, termios.FIONREAD, bytes(4)))[0])


def test_told_to_end_while_nobody_reads_it_ends_after_a_whole_line(tmp_path: Path) -> None:
    world = sized_world(Time(), environments=2, spaces=6, guests=8, users=5, agents=2, events=5_000)
    with (
        SimulatedServer(world).in_thread() as api,
        piped(configured(tmp_path, account_lines("acme", api.base_url)), "--since=2025-11-01") as (process, pipe),
    ):
        eventually(lambda: waiting(pipe) > 50_000, "the pipe is full")
        process.send_signal(signal.SIGTERM)
        assert process.wait() == 0
        text = rest(pipe)
    assert text.endswith(b"\n")
    assert 0 < len(ids(text.decode())) < 5_000


def test_a_list_that_is_cut_off_is_not_taken_for_whole(tmp_path: Path) -> None:
    """The server ignores `pageNumber` and gives 100 rows of 334."""
    world = sized_world(Time(), environments=2, spaces=6, guests=8, users=5, agents=2, events=334)
    switches = Switches(page_number_ignored={"/events"}, page_clamp={"/events": 100})
    with SimulatedServer(world, switches).in_thread() as api:
        done = run("audit", configured(tmp_path, account_lines("acme", api.base_url)), "--since=2025-11-01")
    assert (done.returncode, done.stdout) == (1, "")
    assert "endpoint=/events reason=bad_response" in done.stderr


def test_globs_that_match_nothing_are_said(config: str) -> None:
    done = run("audit", config, "--environment=prd", "--environment=environment-1", "--topic=fil:*")
    assert done.returncode == 0
    assert 'msg="--environment matches no environment of the account"' in done.stderr
    assert "pattern=prd" in done.stderr
    assert "pattern=environment-1" not in done.stderr
    assert 'msg="--topic matches no topic that is known to this version"' in done.stderr


def test_the_app_of_an_event_is_told(api: SimulatedServer, config: str) -> None:
    environment = next(iter(api.world.environments))
    made = api.call(lambda: api.world.emit("space:created", environment, context={"appId": "us_app_Qq1"}))
    rows = [json.loads(line) for line in run("audit", config).stdout.splitlines()]
    assert [row["app_id"] for row in rows if row["event_id"] == made.id] == ["us_app_Qq1"]
    assert {row["app_id"] for row in rows} == {None, "us_app_Qq1"}

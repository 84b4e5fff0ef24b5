"""The state file: read back as it was saved, used by one process, and refused if it is not ours."""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from exporter.audit.models import Event
from exporter.audit.state import AuditError, Found, Positions, State

OVERLAP = 60.0


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state"


@pytest.fixture
def state(path: Path) -> Iterator[State]:
    with closing(State(path)) as opened:
        opened.begin({"acme": OVERLAP}, 1.5)
        yield opened


def found(number: int, at: float, environment: str = "us_env_1") -> Found:
    return Found(environment, at, Event(id=f"us_evt_{number}"))


def waiting(state: State) -> list[str]:
    return [event.row.id for event in state.waiting("acme", 100)]


def test_it_is_read_back_and_private(path: Path) -> None:
    with closing(State(path)) as first:
        first.begin({"acme": OVERLAP}, 1.5)
        first.save("acme", [found(1, 2.0)], ["us_env_1"], 2.0, "here")
    assert path.stat().st_mode & 0o777 == 0o600
    assert [file.name for file in path.parent.iterdir()] == ["state"]
    with closing(State(path)) as second:
        second.begin({"acme": OVERLAP, "new": OVERLAP}, 7.0)
        assert second.positions("acme") == Positions(1.5, OVERLAP, {"us_env_1": 2.0}, {"us_env_1": 1.5})
        assert second.positions("new") == Positions(7.0, OVERLAP, {}, {})
        assert second.output_end == "here"
        second.add("acme", [found(1, 2.0), found(2, 3.0)])
        assert waiting(second) == ["us_evt_2"]


def test_events_wait_in_the_order_of_time_each_once(state: State) -> None:
    state.add("acme", [found(3, 5.0), found(2, 5.0, ""), found(1, 9.0)])
    state.add("acme", [found(2, 5.0), found(3, 5.0, "")])
    assert [(event.row.id, event.environment_id) for event in state.waiting("acme", 2)] == [
        ("us_evt_2", "us_env_1"),
        ("us_evt_3", "us_env_1"),
    ]


def test_ids_are_kept_as_long_as_a_reading_may_bring_them_again(state: State) -> None:
    state.save("acme", [found(1, 100.0), found(2, 100.0, ""), found(3, 150.0)], ["", "us_env_1"], 150.0, None)
    state.save("acme", (), ["us_env_2"], 100.0, None)
    state.save("acme", (), ["", "us_env_1"], 200.0, None)
    state.add("acme", [found(1, 100.0), found(2, 100.0, ""), found(3, 150.0)])
    assert waiting(state) == ["us_evt_1"], "us_evt_2 may be of us_env_2, which will be asked for it again"


def test_a_position_never_goes_back(state: State) -> None:
    state.save("acme", (), ["us_env_1"], 200.0, None)
    state.save("acme", (), ["us_env_1"], 100.0, None)
    assert state.positions("acme").read_to == {"us_env_1": 200.0}


def test_a_longer_overlap_repeats_nothing(state: State) -> None:
    state.save("acme", [found(1, 100.0), found(2, 190.0)], ["us_env_1"], 200.0, None)
    state.begin({"acme": 10 * OVERLAP}, 1.5)
    assert state.positions("acme").since("us_env_1") == 200.0 - OVERLAP
    state.save("acme", [found(3, 300.0)], ["us_env_1"], 300.0, None)
    assert state.positions("acme").since("us_env_1") == 200.0 - OVERLAP
    state.begin({"acme": 1.0}, 1.5)
    assert state.positions("acme").since("us_env_1") == 299.0


def test_a_second_one_is_refused_until_the_first_is_closed(path: Path) -> None:
    with closing(State(path)), pytest.raises(AuditError, match="is in use by another process"):
        State(path)
    State(path).close()


@pytest.mark.parametrize("text", ["{}", '{"accounts": {"acme": {}}}', "\0\0\0", "x" * 10_000])
def test_what_is_no_state_is_refused_and_left_alone(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")
    with pytest.raises(AuditError, match="is not the state of an audit log"):
        State(path)
    assert path.read_text(encoding="utf-8") == text


def test_another_database_is_refused_and_left_alone(path: Path) -> None:
    with closing(sqlite3.connect(path)) as other:
        other.executescript("CREATE TABLE account (name); PRAGMA user_version = 1")
    before = path.read_bytes()
    with pytest.raises(AuditError, match="is not the state of an audit log"):
        State(path)
    assert path.read_bytes() == before


def test_a_state_of_another_version_is_refused(path: Path) -> None:
    State(path).close()
    with closing(sqlite3.connect(path)) as other:
        other.execute("PRAGMA user_version = 2")
    with pytest.raises(AuditError, match="was written by another version"):
        State(path)


def test_a_damaged_state_is_refused(path: Path) -> None:
    with closing(State(path)) as state:
        state.begin({"acme": OVERLAP}, 0.0)
        state.save("acme", [found(number, 1.0) for number in range(500)], ["us_env_1"], 1.0, None)
    data = bytearray(path.read_bytes())
    data[8192:12288] = b"\xff" * 4096
    path.write_bytes(data)
    with pytest.raises(AuditError, match=r"is corrupt|is not the state"):
        State(path)
    assert path.read_bytes() == data


@pytest.mark.parametrize("name", ["state", "state-journal"])
def test_what_is_not_a_file_is_refused(path: Path, name: str) -> None:
    os.mkfifo(path.with_name(name))
    with pytest.raises(AuditError, match="is not a regular file"):
        State(path)


def test_where_there_is_no_directory_it_is_said(tmp_path: Path) -> None:
    with pytest.raises(AuditError, match=r"cannot open .*: No such file or directory"):
        State(tmp_path / "nowhere" / "state")

"""The state file: read back as it was written, and refused where it is not ours."""

from pathlib import Path

import pytest

from exporter.audit.cursor import Place
from exporter.audit.disk import Disk
from exporter.audit.state import AuditError, Position, State, StateFile

STATE = State(
    {"acme": Place(1.5, {"": 2.0, "us_env_1": 2.0}, {"us_env_1": {"us_evt_1": 1.75}})},
    Position("/var/log/audit.jsonl", 1, 2, 3, "ab"),
)


@pytest.fixture
def file(tmp_path: Path) -> StateFile:
    return StateFile(tmp_path / "state.json", Disk())


def test_it_is_read_back_and_private(file: StateFile) -> None:
    assert file.load() is None
    file.save(STATE)
    assert file.load() == STATE
    assert file.path.stat().st_mode & 0o777 == 0o600
    assert [path.name for path in file.path.parent.iterdir()] == ["state.json"]


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"accounts": {"acme": {}}}', "\0\0\0"])
def test_what_is_no_state_is_refused_and_left_alone(file: StateFile, text: str) -> None:
    file.path.write_text(text, encoding="utf-8")
    with pytest.raises(AuditError, match="is no state of an audit log"):
        file.load()
    assert file.path.read_text(encoding="utf-8") == text


def test_a_state_of_another_version_is_refused(file: StateFile) -> None:
    file.save(State({}, version=2))
    with pytest.raises(AuditError, match=r"another version \(2\)"):
        file.load()


def test_a_state_that_cannot_be_read_is_refused(file: StateFile) -> None:
    file.path.mkdir()
    with pytest.raises(AuditError, match="cannot read"):
        file.load()

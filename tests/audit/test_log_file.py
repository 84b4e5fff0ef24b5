"""The output file: found again after a crash, a rename or a copy; torn lines cut off; nobody else's file taken for ours."""

import gzip
import os
import shutil
from pathlib import Path

import msgspec
import pytest

from exporter.audit.log_file import Disk, LogFile
from exporter.audit.state import AuditError


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "audit.jsonl"


def opened(path: Path, last: str | None = None, header: bytes = b"") -> tuple[LogFile, list[bytes]]:
    file = LogFile(path, header, Disk())
    try:
        return file, [*file.recover(last)]
    except AuditError:
        file.close()
        raise


def written(path: Path, *lines: bytes, header: bytes = b"") -> str:
    """Write lines, and give the end after them."""
    file, _ = opened(path, header=header)
    file.append(lines)
    end = file.end
    file.close()
    return end


def succeeded(file: LogFile) -> LogFile:
    """Go on in the file that has the name now."""
    new = file.successor()
    if new is None:
        return file
    file.close()
    return new


def test_lines_are_appended_and_nobody_else_can_read_them(path: Path) -> None:
    written(path, b"one\n")
    written(path, b"two\n")
    assert path.read_bytes() == b"one\ntwo\n"
    assert path.stat().st_mode & 0o777 == 0o600


def test_lines_after_the_position_are_given_back(path: Path) -> None:
    position = written(path, b"one\n")
    written(path, b"two\n", b"three\n")
    file, lines = opened(path, position)
    assert lines == [b"two", b"three"]
    file.append([b"four\n"])
    file.close()
    assert path.read_bytes() == b"one\ntwo\nthree\nfour\n"


def test_more_than_one_piece_is_given_back(path: Path) -> None:
    position = written(path, b"one\n")
    many = [b"%d" % number * 50 for number in range(5000)]
    written(path, *(line + b"\n" for line in many))
    file, lines = opened(path, position)
    file.close()
    assert lines == many


@pytest.mark.parametrize("torn", [b"t", b'{"time":"2025-', b"x" * 100_000])
def test_a_torn_line_is_cut_off(path: Path, torn: bytes) -> None:
    position = written(path, b"one\n")
    with path.open("ab") as raw:
        raw.write(b"two\n" + torn)
    file, lines = opened(path, position)
    file.append([b"three\n"])
    file.close()
    assert lines == [b"two"]
    assert path.read_bytes() == b"one\ntwo\nthree\n"


def test_a_torn_first_line_is_cut_off(path: Path) -> None:
    file, _ = opened(path)
    position = file.end
    file.close()
    path.write_bytes(b"on")
    file, lines = opened(path, position)
    file.close()
    assert lines == []
    assert path.read_bytes() == b""


def test_after_a_rename_the_last_lines_are_found_in_the_old_file(path: Path) -> None:
    position = written(path, b"one\n")
    written(path, b"two\n")
    with path.open("ab") as raw:
        raw.write(b"thr")
    path.rename(path.with_suffix(".jsonl.1"))
    file, lines = opened(path, position)
    file.append([b"three\n"])
    file.close()
    assert lines == [b"two"]
    assert path.with_suffix(".jsonl.1").read_bytes() == b"one\ntwo\n"
    assert path.read_bytes() == b"three\n"


def test_a_new_file_with_the_number_of_the_old_one_is_not_taken_for_it(path: Path) -> None:
    """File systems give the number of a deleted file to the next one that is made."""
    position = written(path, b"one\n")
    path.write_bytes(b"another file\n")
    assert path.stat().st_ino == msgspec.json.decode(position)["inode"]
    file, lines = opened(path, position)
    file.append([b"two\n"])
    file.close()
    assert lines == []
    assert path.read_bytes() == b"another file\ntwo\n"


def test_a_copy_made_by_a_rotation_is_found(path: Path) -> None:
    """logrotate's copytruncate."""
    position = written(path, b"one\n")
    written(path, b"two\n")
    shutil.copy(path, path.with_suffix(".jsonl.1"))
    os.truncate(path, 0)
    file, lines = opened(path, position)
    file.close()
    assert lines == [b"two"]


def test_a_file_that_was_cut_off_while_open_goes_on_from_its_beginning(path: Path) -> None:
    file, _ = opened(path)
    file.append([b"one\n"])
    os.truncate(path, 0)
    file.append([b"two\n"])
    assert path.read_bytes() == b"two\n"
    position = file.end
    file.close()
    assert msgspec.json.decode(position)["offset"] == 4
    assert opened(path, position)[1] == []


def test_the_file_itself_comes_before_a_copy_of_it(path: Path) -> None:
    position = written(path, b"one\n")
    shutil.copy(path, path.with_name("aaa"))
    written(path, b"two\n")
    assert opened(path, position)[1] == [b"two"]


def test_what_cannot_be_found_is_said(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    position = written(path, b"one\n")
    path.with_suffix(".gz").write_bytes(gzip.compress(path.read_bytes()))
    path.unlink()
    file, lines = opened(path, position)
    file.close()
    assert lines == []
    assert "may be written again" in caplog.text


def test_where_the_old_folder_is_gone_it_is_said(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    old = path.parent / "old" / "audit.jsonl"
    old.parent.mkdir()
    position = written(old, b"one\n")
    shutil.rmtree(old.parent)
    assert opened(path, position)[1] == []
    assert "may be written again" in caplog.text


def test_reopening_after_a_rename_begins_a_new_file(path: Path) -> None:
    file, _ = opened(path)
    file.append([b"one\n"])
    path.rename(path.with_suffix(".1"))
    file.append([b"two\n"])
    file = succeeded(file)
    file.append([b"three\n"])
    position = file.end
    file.close()
    assert path.with_suffix(".1").read_bytes() == b"one\ntwo\n"
    assert path.read_bytes() == b"three\n"
    assert opened(path, position)[1] == []


def test_reopening_without_a_rename_changes_nothing(path: Path) -> None:
    file, _ = opened(path)
    file.append([b"one\n"])
    assert file.successor() is None
    file.append([b"two\n"])
    file.close()
    assert path.read_bytes() == b"one\ntwo\n"


def test_where_reopening_fails_the_old_file_is_kept(path: Path) -> None:
    file, _ = opened(path)
    file.append([b"one\n"])
    path.rename(path.with_suffix(".1"))
    path.write_bytes(b"half a line")
    with pytest.raises(AuditError, match="does not end with a whole line"):
        file.successor()
    file.append([b"two\n"])
    file.close()
    assert path.with_suffix(".1").read_bytes() == b"one\ntwo\n"
    assert path.read_bytes() == b"half a line"


def test_two_processes_cannot_write_one_file(path: Path) -> None:
    file, _ = opened(path)
    with pytest.raises(AuditError, match="is in use by another process"):
        opened(path)
    file.close()
    opened(path)[0].close()


def test_a_foreign_file_without_a_last_newline_is_left_alone(path: Path) -> None:
    path.write_bytes(b"one\ntw")
    with pytest.raises(AuditError, match="does not end with a whole line"):
        opened(path)
    assert path.read_bytes() == b"one\ntw"


def test_what_is_no_file_is_refused(path: Path) -> None:
    os.mkfifo(path)
    with pytest.raises(AuditError, match="is not a regular file"):
        opened(path)


def test_a_removed_file_is_noticed(path: Path) -> None:
    file, _ = opened(path)
    seen = [file.is_removed]
    path.unlink()
    seen.append(file.is_removed)
    file = succeeded(file)
    assert [*seen, file.is_removed] == [False, True, False]
    file.append([b"one\n"])
    file.close()
    assert path.read_bytes() == b"one\n"


def test_each_new_file_begins_with_the_header(path: Path) -> None:
    file, _ = opened(path, header=b"a,b\n")
    file.append([b"1,2\n"])
    file.append([b"3,4\n"])
    path.rename(path.with_suffix(".1"))
    file = succeeded(file)
    file.append([b"5,6\n"])
    file.close()
    written(path, b"7,8\n", header=b"a,b\n")
    assert path.with_suffix(".1").read_bytes() == b"a,b\n1,2\n3,4\n"
    assert path.read_bytes() == b"a,b\n5,6\n7,8\n"


def test_a_file_with_another_header_is_refused(path: Path) -> None:
    written(path, b"1,2\n", header=b"a,b\n")
    with pytest.raises(AuditError, match="another header"):
        opened(path, header=b"a,b,c\n")


class Full(Disk):
    """A disk with so many bytes left."""

    left = 10**9

    def write(self, file: int, data: bytes) -> int:
        fits = data[: self.left]
        if not fits:
            raise OSError(28, "No space left on device")
        self.left -= len(fits)
        return super().write(file, fits)


def test_a_full_disk_leaves_no_part_of_a_line_once_there_is_room_again(path: Path) -> None:
    disk = Full()
    file = LogFile(path, b"", disk)
    assert [*file.recover(None)] == []
    file.append([b"one\n"])
    disk.left = 2
    with pytest.raises(OSError, match="No space left"):
        file.append([b"two\n"])
    disk.left = 100
    file.append([b"two\n"])
    file.close()
    assert path.read_bytes() == b"one\ntwo\n"

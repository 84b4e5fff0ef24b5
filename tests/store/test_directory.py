"""The directory of --storage.path: one exporter at a time, and a file for each account."""

import os
from pathlib import Path

import pytest

from exporter.store.directory import Directory, StorageError, api_identity


def test_it_is_made_for_its_owner_alone_and_locked(tmp_path: Path) -> None:
    place = tmp_path / "a" / "states"
    with Directory(place):
        assert place.stat().st_mode & 0o077 == 0
        with pytest.raises(StorageError, match=rf"^--storage\.path: {place} is in use by another exporter"):
            Directory(place)
    with Directory(place):
        pass


@pytest.mark.parametrize("account", ["acme", "a.b-c_d", "a/b", "..", ".hidden", "ä", "x" * 300, "a b", "A"])
def test_each_account_has_a_file_of_its_own(tmp_path: Path, account: str) -> None:
    with Directory(tmp_path) as directory:
        path = directory.file(account)
        assert path.parent == tmp_path
        assert not path.name.startswith(".")
        path.write_text("")
        others = ["acme", "a.b-c_d", "a_b", "_", "hidden", "_", "x" * 60, "A"]
        assert all(directory.file(other) != path for other in others if other != account)


def test_a_file_in_its_place_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match=r"^--storage\.path: .*file is not a directory"):
        Directory(tmp_path / "file")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_directory_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(StorageError, match="cannot write to"):
        Directory(tmp_path)


def test_an_api_is_known_by_its_address() -> None:
    assert api_identity("https://API.x/v1") == api_identity("https://api.x/v1")
    assert api_identity("http://127.0.0.1:8000/v1") == api_identity("http://127.0.0.1:9000/v1")
    assert api_identity("https://a.x/v1") != api_identity("https://b.x/v1")

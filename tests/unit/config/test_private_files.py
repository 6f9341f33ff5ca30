"""Private files: only their owner reads them, at any moment; replaced or created in one step."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from config.private_files import read_or_create, write_private


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_file_and_folder_are_closed_to_others(tmp_path: Path):
    file = tmp_path / "private" / "password"
    write_private(file, "word")
    assert file.read_text() == "word"
    assert mode(file) == 0o600
    assert mode(file.parent) == 0o700


def test_a_failed_write_leaves_the_old_text_and_no_remains(tmp_path: Path):
    file = tmp_path / "private" / "password"
    write_private(file, "old")
    with pytest.raises(UnicodeEncodeError):
        write_private(file, "\udcff")
    assert file.read_text() == "old"
    assert list(file.parent.iterdir()) == [file]


def test_a_value_is_created_once(tmp_path: Path):
    file = tmp_path / "private" / "password"
    assert read_or_create(file, lambda: "first") == "first"
    assert read_or_create(file, lambda: "second") == "first"
    assert mode(file) == 0o600


def test_who_loses_a_race_takes_the_winners_value(tmp_path: Path):
    file = tmp_path / "private" / "password"

    def create() -> str:
        write_private(file, "winner")
        return "loser"

    assert read_or_create(file, create) == "winner"
    assert list(file.parent.iterdir()) == [file]

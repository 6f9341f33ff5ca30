"""What a kill cannot show, for the page cache outlives a process: in which order a file reaches the disk."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from etl.bronze.directory import DirectoryStore


def test_a_file_is_on_the_disk_before_it_has_a_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    calls: list[str] = []
    fsync, link = os.fsync, os.link

    def note_fsync(descriptor: int) -> None:
        path = Path(f"/proc/self/fd/{descriptor}").readlink()
        calls.append(f"folder {path.name}" if path.is_dir() else f"bytes {path.read_bytes().decode()}")
        fsync(descriptor)

    def note_link(source: Path, target: Path) -> None:
        calls.append(f"name {Path(target).name}")
        link(source, target)

    store = DirectoryStore(tmp_path / "bronze")
    store.put("table/first", b"first")
    monkeypatch.setattr("os.fsync", note_fsync)
    monkeypatch.setattr("os.link", note_link)

    store.put("table/second", b"second")

    assert calls == ["bytes second", "name second", "folder table"]

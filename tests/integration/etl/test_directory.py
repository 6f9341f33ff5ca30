"""What a directory store owes beyond its port: nobody else's eyes, no remains, honest errors."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from etl.bronze.directory import DirectoryStore
from etl.ports.object_store import StoreUnavailableError

pytestmark = pytest.mark.integration

PROJECT = Path(__file__).parents[3]
KILLED_WHILE_WRITING = """
import os, signal, sys
from pathlib import Path
from etl.bronze.directory import DirectoryStore
with DirectoryStore(Path(sys.argv[1])).writer("data") as file:
    file.write(b"x" * 1_000_000)
    file.flush()
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_what_a_killed_writer_left_is_invisible_and_swept_by_the_next_one(tmp_path: Path):
    ended = subprocess.run([sys.executable, "-c", KILLED_WHILE_WRITING, str(tmp_path)], cwd=PROJECT, check=False)
    assert ended.returncode == -signal.SIGKILL
    (left,) = (tmp_path / ".incoming").iterdir()
    assert left.stat().st_size == 1_000_000
    store = DirectoryStore(tmp_path)
    assert list(store.list("")) == []
    store.put("other", b"")
    assert not left.exists()


def test_a_sweep_leaves_living_writers_alone(tmp_path: Path):
    store = DirectoryStore(tmp_path)
    with store.writer("slow") as file:
        file.write(b"first")
        for number in range(5):
            DirectoryStore(tmp_path).put(str(number), b"")
        file.write(b" second")
    assert store.get("slow") == b"first second"


def test_rows_are_for_the_owners_eyes(tmp_path: Path):
    store = DirectoryStore(tmp_path / "lake" / "bronze")
    store.put("public/orders/data", b"")
    for path in (tmp_path / "lake").rglob("*"):
        assert path.stat().st_mode & 0o077 == 0, path


def test_a_root_that_is_no_directory_is_unavailable(tmp_path: Path):
    (tmp_path / "file").write_bytes(b"")
    store = DirectoryStore(tmp_path / "file")
    with pytest.raises(StoreUnavailableError):
        store.put("key", b"")


def test_making_a_store_touches_nothing(tmp_path: Path):
    store = DirectoryStore(tmp_path / "lake")
    assert list(store.list("")) == []
    assert not (tmp_path / "lake").exists()


def test_a_relative_root_stays_where_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    store = DirectoryStore(Path("lake"))
    os.chdir("/")
    store.put("key", b"")
    assert (tmp_path / "lake" / "key").exists()

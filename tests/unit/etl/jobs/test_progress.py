import json
import os
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from etl.jobs.progress import Progress

DEADLINE_SECONDS = 10.0


def read(path: Path) -> dict:
    return json.loads(path.read_text())


def test_without_a_path_it_only_remembers():
    with Progress() as progress:
        progress.update(rows=1, table="a")
        progress.update(rows=2)
    assert progress.fields == {"rows": 2, "table": "a"}


def test_the_file_is_there_from_the_start_and_holds_the_last_word_at_the_end(tmp_path: Path):
    path = tmp_path / "progress.json"
    with Progress(path) as progress:
        assert read(path)["pid"] == os.getpid()
        progress.update(rows=7)
    assert read(path)["progress"] == {"rows": 7}
    assert datetime.fromisoformat(read(path)["heartbeat_at"]).tzinfo == UTC
    assert [entry.name for entry in tmp_path.iterdir()] == ["progress.json"]


def test_it_beats_by_itself(tmp_path: Path):
    path = tmp_path / "progress.json"
    with Progress(path) as progress:
        first = read(path)["heartbeat_at"]
        progress.update(rows=1)
        deadline = time.monotonic() + DEADLINE_SECONDS
        while read(path)["heartbeat_at"] == first:
            assert time.monotonic() < deadline, "no second beat came"
            time.sleep(0.01)
        assert read(path)["progress"] == {"rows": 1}


def test_the_last_word_is_written_when_the_job_fails_too(tmp_path: Path):
    path = tmp_path / "progress.json"
    with pytest.raises(KeyError), Progress(path) as progress:  # noqa: PT012
        progress.update(rows=3)
        raise KeyError
    assert read(path)["progress"] == {"rows": 3}


def test_a_file_that_cannot_be_written_does_not_end_the_job(tmp_path: Path):
    with Progress(tmp_path / "nowhere" / "progress.json") as progress:
        progress.update(rows=1)
    assert progress.fields == {"rows": 1}

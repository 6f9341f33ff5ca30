"""What an earlier supervisor left running is told from everybody else's processes."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from config import env
from config.embedded.leftovers import end_processes, find_leftovers
from config.embedded.run_folder import Child, StackRecord, StackState

# Started by a process that ends at once, as a killed supervisor has.
ORPHANING = """
import subprocess, sys
silent = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
child = subprocess.Popen([sys.executable, "-c", *sys.argv[1:]], start_new_session=True, **silent)
print(child.pid)
"""
PATIENT = "import time; time.sleep(120)"
STUBBORN = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(120)"


@pytest.fixture
def orphan() -> Iterator[Callable[..., psutil.Process]]:
    started: list[psutil.Process] = []

    def start(program: str = PATIENT, *arguments: str, **values: str) -> psutil.Process:
        done = subprocess.run(
            [sys.executable, "-c", ORPHANING, program, *arguments],
            env=values,
            capture_output=True,
            text=True,
            check=True,
        )
        started.append(psutil.Process(int(done.stdout)))
        return started[-1]

    yield start
    for process in started:
        if process.is_running():
            process.kill()


def record(*children: Child) -> StackRecord:
    gone = Child(name="supervisor", pid=1, created_at=0)
    return StackRecord(state=StackState.READY, supervisor=gone, port=8000, children=children)


def test_one_of_our_programs_with_the_mark_of_this_home_is_found(tmp_path: Path, orphan: Callable[..., psutil.Process]):
    mark = {"LAKEHOUSE_SUPERVISED": "true", "LAKEHOUSE_HOME": str(tmp_path)}
    ours = orphan(PATIENT, "etl.jobs", **mark)
    orphan(PATIENT, "etl.jobs", **{**mark, "LAKEHOUSE_HOME": "/elsewhere"})
    orphan(PATIENT, "etl.jobs", LAKEHOUSE_HOME=str(tmp_path))
    orphan(PATIENT, "somebody's shell", **mark)
    assert find_leftovers(tmp_path, None) == [ours]


def test_who_started_us_is_never_a_leftover(tmp_path: Path):
    program = (
        "import sys; from pathlib import Path; from config.embedded.leftovers import find_leftovers; "
        "print(find_leftovers(Path(sys.argv[1]), None))"
    )
    starts = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {program!r}, sys.argv[1]], check=True)"
    mark = {"LAKEHOUSE_SUPERVISED": "true", "LAKEHOUSE_HOME": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", starts, str(tmp_path), "manage.py"],
        env={**env.child_environment({}), **mark},
        cwd=env.PROJECT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "[]\n"


def test_a_recorded_process_is_found_by_id_and_time_of_creation(tmp_path: Path, orphan: Callable[..., psutil.Process]):
    recorded, stranger = orphan(), orphan()
    known = Child.of("worker", recorded.pid)
    recycled = Child(name="web", pid=stranger.pid, created_at=stranger.create_time() - 100)
    assert find_leftovers(tmp_path, record(known, recycled)) == [recorded]


def test_a_process_that_will_not_listen_is_killed(
    orphan: Callable[..., psutil.Process], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("config.embedded.leftovers._TERM_SECONDS", 0.5)
    processes = [orphan(STUBBORN), orphan()]
    end_processes(processes)
    assert not [each for each in processes if each.is_running() and each.status() != psutil.STATUS_ZOMBIE]

"""Finding and ending what an earlier supervisor of the same home could not end itself."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from pathlib import Path

import psutil

from config.embedded.run_folder import StackRecord

_PROGRAMS = ("celery", "gunicorn", "etl.jobs", "etl.jobs.warm", "valkey-server", "redis-server", "manage.py")
"""What a supervisor starts, and what that starts. Nobody else's shell is ended for holding our variables."""
_TERM_SECONDS = 8.0
_KILL_SECONDS = 5.0


def find_leftovers(home: Path, record: StackRecord | None) -> list[psutil.Process]:
    """Return processes that belong to a stack in ``home`` but not to this process.

    They are the children that the record names, by pid and time of creation, and those of
    our programs that inherited the supervisor's mark in their environment.
    """
    recorded = {process.pid: process for child in (record.children if record else ()) if (process := child.process())}
    marked = {process.pid: process for process in psutil.process_iter() if _is_marked(process, home)}
    this = psutil.Process()
    ours = {each.pid for each in (this, *this.parents(), *this.children(recursive=True))}
    return [process for pid, process in {**recorded, **marked}.items() if pid not in ours]


def end_processes(processes: Iterable[psutil.Process]) -> None:
    """End processes that are not our children: asked first, then forced."""
    remaining = list(processes)
    for process in remaining:
        with contextlib.suppress(psutil.Error):
            process.terminate()
    _, remaining = psutil.wait_procs(remaining, timeout=_TERM_SECONDS)
    for process in remaining:
        with contextlib.suppress(psutil.Error):
            process.kill()
    psutil.wait_procs(remaining, timeout=_KILL_SECONDS)


def _is_marked(process: psutil.Process, home: Path) -> bool:
    try:
        environment, command = process.environ(), process.cmdline()
    except (psutil.Error, OSError):
        return False
    if not any(Path(word).name in _PROGRAMS for word in command):
        return False
    mark = {"LAKEHOUSE_SUPERVISED": "true", "LAKEHOUSE_HOME": str(home)}
    return bool(mark.items() <= environment.items())

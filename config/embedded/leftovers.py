"""Finding and ending what an earlier supervisor of the same home could not end itself."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable
from pathlib import Path

import psutil

from config.embedded.run_folder import StackRecord

_TERM_SECONDS = 8.0
_KILL_SECONDS = 5.0


def find_leftovers(home: Path, record: StackRecord | None) -> list[psutil.Process]:
    """Return processes that belong to a stack in ``home`` but not to this process.

    They are the children that the record names, by pid and time of creation, and whatever
    inherited the supervisor's mark in its environment.
    """
    recorded = {process.pid: process for child in (record.children if record else ()) if (process := child.process())}
    marked = {process.pid: process for process in psutil.process_iter() if _is_marked(process, home)}
    ours = {os.getpid(), *(child.pid for child in psutil.Process().children(recursive=True))}
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
        environment = process.environ()
    except (psutil.Error, OSError):
        return False
    mark = {"LAKEHOUSE_SUPERVISED": "true", "LAKEHOUSE_HOME": str(home)}
    return bool(mark.items() <= environment.items())

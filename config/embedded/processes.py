"""Starting and ending child processes so that none outlives us.

Every child leads its own process group, and Linux ends it when we end, however we end
(PR_SET_PDEATHSIG). Start children from the main thread: the kernel watches the thread.
"""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from config.embedded.accounts import Account

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_LIBC = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None

GENTLE: Sequence[tuple[signal.Signals, float]] = ((signal.SIGTERM, 10.0), (signal.SIGKILL, 5.0))
"""Signals to end a process with, and the seconds to wait after each."""


def spawn(
    command: Sequence[str | Path],
    *,
    log: Path,
    environment: Mapping[str, str],
    folder: Path = Path("/"),
    account: Account | None = None,
    death_signal: signal.Signals = signal.SIGTERM,
    pass_fds: Sequence[int] = (),
) -> subprocess.Popen[bytes]:
    """Start a process whose output goes to ``log``.

    Args:
        command: Program and arguments; no secrets, every user of the machine can read them.
        log: The file its standard output and error are appended to.
        environment: Its whole environment.
        folder: Its working folder.
        account: Whom to run it as; ourselves if `None`.
        death_signal: What Linux sends it when we end.
        pass_fds: Descriptors it inherits.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as output:
        return subprocess.Popen(
            [str(part) for part in command],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=folder,
            env=dict(environment),
            process_group=0,
            pass_fds=tuple(pass_fds),
            preexec_fn=_die_with_parent(death_signal),  # noqa: PLW1509 - it only makes system calls
            **(account.popen_arguments() if account else {}),
        )


def end(process: subprocess.Popen[bytes], ladder: Sequence[tuple[signal.Signals, float]] = GENTLE) -> None:
    """End a process and reap it, sending each signal of the ladder until it is gone."""
    for number, wait_seconds in ladder:
        if process.poll() is not None:
            return
        process.send_signal(number)
        try:
            process.wait(timeout=wait_seconds)
        except subprocess.TimeoutExpired:
            continue


def adopt_orphans() -> None:
    """Become the parent of any descendant whose own parent ends, so that it can be found and ended (Linux)."""
    if _LIBC is not None:
        _LIBC.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def _die_with_parent(number: signal.Signals) -> Callable[[], None] | None:
    """Return the hook that a child runs before its program: ask Linux for ``number`` when its parent ends."""
    if _LIBC is None:
        return None
    prctl, parent, set_death_signal = _LIBC.prctl, os.getpid(), _PR_SET_PDEATHSIG

    def ask() -> None:
        prctl(set_death_signal, int(number), 0, 0, 0)
        if os.getppid() != parent:  # It ended before we asked.
            os._exit(1)

    return ask

"""What can go wrong when servers and processes are started."""

from __future__ import annotations

from pathlib import Path

_TAIL_BYTES = 4000
_TAIL_LINES = 12


class StackError(Exception):
    """The stack could not be started; the message says why and what to do."""


def log_tail(log: Path) -> str:
    """Return the last lines of a log, indented, or a note that it is empty."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - _TAIL_BYTES))
            lines = file.read().decode(errors="replace").splitlines()[-_TAIL_LINES:]
    except FileNotFoundError:
        lines = []
    return "\n".join(f"    {line}" for line in lines) or "    (its log is empty)"

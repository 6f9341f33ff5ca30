"""Tells the person at the terminal what the supervisor does: one line per step, with its seconds."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

_LABEL_WIDTH = 34


class Report:
    """Writes to standard error; a terminal also shows the step that is under way."""

    def __init__(self, stream: TextIO | None = None) -> None:
        """Write to ``stream``, standard error unless given."""
        self._stream = stream or sys.stderr
        self._live = self._stream.isatty()

    @contextmanager
    def step(self, label: str) -> Iterator[None]:
        """Time the block and write its line when it has succeeded."""
        started = time.monotonic()
        if self._live:
            self._write(f"  {label} ...\r")
        try:
            yield
        except BaseException:
            if self._live:
                self._write("\x1b[2K")
            raise
        seconds = time.monotonic() - started
        self._write(f"  {label} ".ljust(_LABEL_WIDTH, ".") + f" {seconds:.1f} s\n")

    def say(self, line: str) -> None:
        """Write one line."""
        self._write(f"{line}\n")

    def _write(self, text: str) -> None:
        self._stream.write(text)
        self._stream.flush()

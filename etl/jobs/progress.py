"""What a running job tells the outside: that it lives, and how far it is."""

from __future__ import annotations

import json
import os
import threading
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Self

_HEARTBEAT_SECONDS = 0.5


class Progress:
    """Latest progress of one job, written to a file at every heartbeat.

    Without a path it only remembers, which suits calls within a process. Use as a context
    manager to run the heartbeat. Safe to update from several threads.
    """

    def __init__(self, path: Path | None = None) -> None:
        """Remember where to write; nothing is written before the block is entered."""
        self._path = path
        self._fields: dict[str, object] = {}
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._heart = threading.Thread(target=self._beat, name="heartbeat", daemon=True)

    def update(self, **fields: object) -> None:
        """Set JSON-ready fields; the others keep their values."""
        with self._lock:
            self._fields.update(fields)

    @property
    def fields(self) -> dict[str, object]:
        """A copy of the latest progress."""
        with self._lock:
            return dict(self._fields)

    def __enter__(self) -> Self:
        if self._path is not None:
            self._write()
            self._heart.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        if self._heart.is_alive():
            self._heart.join()
            self._write()

    def _beat(self) -> None:
        while not self._ended.wait(_HEARTBEAT_SECONDS):
            self._write()

    def _write(self) -> None:
        if self._path is None:
            return
        line = {"heartbeat_at": datetime.now(UTC).isoformat(), "pid": os.getpid(), "progress": self.fields}
        temporary = self._path.with_name(f"{self._path.name}.tmp")
        with suppress(OSError):  # A full disk must not end the job: it will say so itself, or finish.
            temporary.write_text(json.dumps(line, default=str) + "\n", encoding="utf-8")
            temporary.replace(self._path)

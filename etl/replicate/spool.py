"""Keeps the beginning of a transaction until its end arrives: in memory while small, else on disk.

A change's place in the order, and so its change sequence, is known only once its
transaction has ended; and nothing of a transaction may become visible before.
"""

from __future__ import annotations

import errno
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np

from etl.ports.object_store import StoreFullError
from etl.replicate.pgoutput import Commit, Frames

MEMORY_BYTES = 16 * 1024 * 1024
"""A transaction's beginning beyond this goes to disk."""

_NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """Messages that may be decoded: the transactions they belong to have ended."""

    frames: Frames
    unfinished: Commit | None = None
    """End of the transaction whose end is in a later piece."""


class Spool:
    """Takes messages as they arrive, and gives them back once their transactions have ended."""

    def __init__(self, folder: Path | None, *, memory_bytes: int = MEMORY_BYTES) -> None:
        """Keep what does not fit into memory in a nameless file in a folder, the system's own if None."""
        self._folder = folder
        self._memory_bytes = memory_bytes
        self._in_memory: list[Frames] = []
        self._size_bytes = 0
        self._file: BinaryIO | None = None
        self._on_disk: list[tuple[int, int]] = []  # Of each part: number of messages, bytes.

    @property
    def is_empty(self) -> bool:
        """Tell whether no transaction is open."""
        return not self._in_memory and not self._on_disk

    def add(self, frames: Frames) -> Iterator[Piece]:
        """Yield everything whose transaction has ended, in order, and keep the rest.

        Raises:
            StoreFullError: No room for the rest.
        """
        commits = frames.commits()
        if not len(commits):
            self._keep(frames)
            return
        ended, rest = frames.split(int(commits[-1]) + 1)
        if not self.is_empty:
            end = frames.commit(int(commits[0]))
            for kept in self._take():
                yield Piece(frames=kept, unfinished=end)
        yield Piece(frames=ended)
        self._keep(rest)

    def close(self) -> None:
        """Forget everything."""
        self._in_memory.clear()
        self._on_disk.clear()
        if self._file is not None:
            self._file.close()
            self._file = None

    def _keep(self, frames: Frames) -> None:
        if not len(frames):
            return
        self._in_memory.append(frames)
        self._size_bytes += frames.size_bytes
        if self._size_bytes > self._memory_bytes:
            with _translated():
                self._write()

    def _write(self) -> None:
        if self._file is None:
            self._file = tempfile.TemporaryFile(dir=self._folder)  # noqa: SIM115 - `close` closes it
        for frames in self._in_memory:
            self._file.write(frames.starts.tobytes())
            self._file.write(frames.data)
            self._on_disk.append((len(frames), len(frames.data)))
        self._in_memory.clear()
        self._size_bytes = 0

    def _take(self) -> Iterator[Frames]:
        if self._file is not None:
            with _translated():
                self._file.seek(0)
            for messages, size_bytes in self._on_disk:
                starts = np.frombuffer(self._file.read(messages * 8), dtype=np.int64)
                yield Frames(self._file.read(size_bytes), starts)
        yield from self._in_memory
        self.close()
        self._size_bytes = 0


@contextmanager
def _translated() -> Iterator[None]:
    """Turn a full disk into the store's error."""
    try:
        yield
    except OSError as error:
        if error.errno in _NO_ROOM:
            raise StoreFullError(f"No room left for a large transaction: {error.strerror}") from error
        raise

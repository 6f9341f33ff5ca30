"""Keep what a commit promises: a table's files reach the disk before the catalog names them.

The catalog's PostgreSQL flushes its commit. Without this, a power cut could leave it
naming a metadata file that never arrived, and the table could not be opened any more.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Self

from pyiceberg.io import OutputStream
from pyiceberg.io.pyarrow import PyArrowFile, PyArrowFileIO

_FOLDERS_UP = 4
"""``<namespace>/<table>/data/<partition>``: folders that a file's write may have made."""


def flush(paths: Iterable[str]) -> None:
    """Force files, and the folders they are named in, to the disk; a store's addresses are left to the store.

    Raises:
        OSError: The disk reports that something could not be written.
    """
    files = [Path(path) for path in paths if "://" not in path]
    folders = {folder for file in files for folder in file.parents[:_FOLDERS_UP]}
    for path in (*files, *folders):
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


class DurableFileIO(PyArrowFileIO):
    """pyiceberg's file access, with metadata files that are on the disk once they are closed."""

    def new_output(self, location: str) -> PyArrowFile:
        """Return a file to write at ``location``."""
        scheme, netloc, path = self.parse_location(location, self.properties)
        kind = _DurableFile if scheme == "file" else PyArrowFile
        return kind(location=location, path=path, fs=self.fs_by_scheme(scheme, netloc))


class _DurableFile(PyArrowFile):
    def create(self, overwrite: bool = False) -> OutputStream:  # noqa: FBT001, FBT002 - pyiceberg's signature
        return _DurableStream(super().create(overwrite), self._path)


class _DurableStream(OutputStream):
    def __init__(self, stream: OutputStream, path: str) -> None:
        self._stream = stream
        self._path = path

    def write(self, b: bytes) -> int:
        return self._stream.write(b)

    def tell(self) -> int:
        return self._stream.tell()

    def close(self) -> None:
        self._stream.close()
        flush([self._path])

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

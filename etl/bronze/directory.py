"""Bronze in a directory: the embedded `ObjectStore`.

Every object is first written to a hidden file of its own, flushed to the disk, and then
linked to its name: whole or not at all, and never over another. A hidden file whose writer
was killed is removed by a later writer; its lock, which dies with its owner, tells.
"""

from __future__ import annotations

import errno
import fcntl
import io
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, cast

from etl.errors import LakehouseError
from etl.ports.object_store import (
    ObjectExistsError,
    ObjectInfo,
    ObjectMissingError,
    StoreFullError,
    StoreUnavailableError,
)

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer, WriteableBuffer

_INCOMING = ".incoming"
_NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_NOT_THERE = (FileNotFoundError, IsADirectoryError, NotADirectoryError)
_DIRECTORY_MODE = 0o700
_FILE_MODE = 0o600  # Rows of every tenant: for the owner's eyes.


class DirectoryStore:
    """Objects as files below one directory, which is made when the first one is written."""

    def __init__(self, root: Path) -> None:
        """Remember the directory; nothing is read or written yet."""
        self._root = root.absolute()
        self._incoming = self._root / _INCOMING

    def put(self, key: str, body: bytes) -> None:
        """Store a small object; see `ObjectStore.put`."""
        try:
            with self.writer(key) as file:
                file.write(body)
        except ObjectExistsError:
            if self.get(key) != body:
                raise

    @contextmanager
    def writer(self, key: str) -> Iterator[BinaryIO]:
        """Stream a large object; see `ObjectStore.writer`."""
        final = self._path(key)
        with _translated(key):
            if final.exists():
                raise ObjectExistsError(f"{key} exists already; bronze never overwrites")
            _make_directory(self._incoming)
            self._sweep()
            raw = self._open_incoming(key)
        file = io.BufferedWriter(raw)
        try:
            yield file
            file.flush()
            with _translated(key):
                os.fsync(raw.fileno())
                _make_directory(final.parent)
                self._publish(Path(raw.name), final, key)
        finally:
            with suppress(LakehouseError, OSError):  # After a failure the last buffer cannot be written either.
                file.close()
            with suppress(OSError):
                Path(raw.name).unlink(missing_ok=True)

    def get(self, key: str) -> bytes:
        """Return a whole small object; see `ObjectStore.get`."""
        with self.reader(key) as file:
            return file.read()

    @contextmanager
    def reader(self, key: str) -> Iterator[BinaryIO]:
        """Open an object for streaming; see `ObjectStore.reader`."""
        with _translated(key):
            raw = _TranslatingFile(self._path(key), "rb", key=key)
        with io.BufferedReader(raw) as file:
            yield file

    def list(self, prefix: str, *, after: str = "") -> Iterator[ObjectInfo]:
        """Yield objects in key order; see `ObjectStore.list`."""
        folder, slash, _ = prefix.rpartition("/")
        yield from self._walk(folder + slash, prefix, after)

    def delete(self, key: str) -> None:
        """Remove an object; see `ObjectStore.delete`."""
        path = self._path(key)
        with _translated(key), suppress(*_NOT_THERE):
            path.unlink()
            _sync_directory(path.parent)

    def uri(self, key: str) -> str:
        """Return the file's absolute path."""
        return str(self._path(key))

    def _path(self, key: str) -> Path:
        """Return the file of a key.

        Raises:
            ValueError: The key could leave the directory or meet a file that is being written.
        """
        segments = key.split("/")
        if any(segment in {"", ".", "..", _INCOMING} or "\0" in segment for segment in segments):
            raise ValueError(f"{key!r} is not an object key")
        return self._root.joinpath(*segments)

    def _walk(self, folder: str, prefix: str, after: str) -> Iterator[ObjectInfo]:
        with _translated(prefix):
            try:
                entries = list(os.scandir(self._root / folder))
                if after.startswith(folder):  # Of a folder that grows for a day, only what is new costs anything.
                    begin = after.removeprefix(folder).partition("/")[0]
                    entries = [entry for entry in entries if entry.name >= begin or begin.startswith(entry.name)]
            except _NOT_THERE:
                return
        names = {entry.name + "/" * entry.is_dir(follow_symlinks=False): entry for entry in entries}
        names.pop(f"{_INCOMING}/", None)
        for name, entry in sorted(names.items()):  # With its slash a folder sorts where its keys do.
            key = folder + name
            if name.endswith("/"):
                is_before = key < after and not after.startswith(key)
                if not is_before and (key.startswith(prefix) or prefix.startswith(key)):
                    yield from self._walk(key, prefix, after)
            elif key.startswith(prefix) and key > after:
                with suppress(FileNotFoundError):
                    stat = entry.stat()
                    written_at = datetime.fromtimestamp(stat.st_mtime, UTC)
                    yield ObjectInfo(key=key, size_bytes=stat.st_size, written_at=written_at)

    def _open_incoming(self, key: str) -> _TranslatingFile:
        """Create a hidden file and lock it; a sweep may lock and take it in between, hence the check."""
        while True:
            path = self._incoming / secrets.token_hex(16)
            raw = _TranslatingFile(path, "xb", key=key)
            fcntl.flock(raw, fcntl.LOCK_EX)
            if path.exists():
                return raw
            raw.close()

    def _sweep(self) -> None:
        """Remove hidden files that no living writer has locked."""
        for path in self._incoming.iterdir():
            with suppress(OSError), path.open("rb") as file:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                path.unlink()

    def _publish(self, incoming: Path, final: Path, key: str) -> None:
        try:
            os.link(incoming, final)
        except FileExistsError:
            raise ObjectExistsError(f"{key} exists already; bronze never overwrites") from None
        _sync_directory(final.parent)


class _TranslatingFile(io.FileIO):
    """A file whose failures are the port's errors, whoever reads or writes it."""

    def __init__(self, path: Path, mode: str, *, key: str) -> None:
        super().__init__(path, mode, opener=lambda name, flags: os.open(name, flags, _FILE_MODE))
        self._key = key

    def write(self, data: ReadableBuffer, /) -> int:
        with _translated(self._key):
            return super().write(data)

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        with _translated(self._key):
            return cast("int", super().readinto(buffer))

    def readall(self) -> bytes:
        with _translated(self._key):
            return super().readall()


@contextmanager
def _translated(key: str) -> Iterator[None]:
    """Turn the operating system's errors into the port's."""
    try:
        yield
    except _NOT_THERE as error:
        raise ObjectMissingError(f"{key} is not in the lake") from error
    except OSError as error:
        if error.errno in _NO_ROOM:
            raise StoreFullError(f"No room left for {key}: {error.strerror}") from error
        raise StoreUnavailableError(f"{key} cannot be reached: {error.strerror} ({error.filename})") from error


def _make_directory(path: Path) -> None:
    """Make a directory and those above it, so that they survive a power cut."""
    if path.is_dir():
        return
    _make_directory(path.parent)
    path.mkdir(mode=_DIRECTORY_MODE, exist_ok=True)
    _sync_directory(path.parent)


def _sync_directory(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

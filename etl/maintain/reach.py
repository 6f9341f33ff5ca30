"""Which files of an Iceberg table somebody can still reach, and who.

Three have a claim. The *table* reaches what its current metadata names. A *publication*
reaches the snapshot that it pins, from a metadata file of its own. A *reader* who opened
the table some time ago reaches the snapshot that was current then; since nobody tells us of
readers, every snapshot that was current within the safe age counts as having one.

Which snapshots those were, the manifest lists on the disk tell: there is one to a snapshot,
named by it and written when it was made.

Source: Apache Iceberg table specification, format version 2: "Snapshots", "Table Metadata".
"""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Any, ClassVar

from pyiceberg.io import FileIO
from pyiceberg.manifest import read_manifest_list
from pyiceberg.table import Table

from etl.contracts.publication import TablePin
from etl.engine.catalog import catalog_errors
from etl.errors import OperatorError
from etl.maintain.folder import StoredFile, plain

_MANIFEST_LIST = re.compile(r"snap-(\d+)-.*\.avro")
_GZIP = b"\x1f\x8b"


class PinBrokenError(OperatorError):
    """A file that a publication, or the table itself, needs is gone, so nothing of the table is removed."""

    guidance: ClassVar[str] = (
        "Restore the file the message names from a backup. A publication that cannot be read any more is dropped "
        "by retention in its time; until then its table is left as it is."
    )


class RetainedBy(StrEnum):
    """Why a file stays; the first that applies."""

    CURRENT = "current"
    """A reader of the table, as it is now, reads it."""
    HISTORY = "history"
    """An earlier snapshot that the table's metadata names, or that was current within the safe age."""
    PUBLICATION = "publication"
    """Nothing but a publication reaches it."""
    AGE = "age"
    """Nothing reaches it, but it is too young to tell: somebody may be about to."""
    NOTHING = "nothing"
    """The next maintenance removes it."""


class Reach:
    """What one process has read of a table's manifests: they never change, so each is read once."""

    def __init__(self) -> None:
        """Know nothing yet."""
        self._lists: dict[str, tuple[str, ...]] = {}
        self._manifests: dict[str, tuple[str, ...]] = {}

    def reached(
        self,
        table: Table,
        files: Sequence[StoredFile],
        *,
        pins: Collection[TablePin],
        since: datetime,
        forgotten: Collection[int] = (),
    ) -> dict[str, RetainedBy]:
        """Return every file that somebody reaches, and who, by path.

        Args:
            table: As the catalog has it now, loaded after ``files`` were listed.
            files: All below the table's folder.
            pins: Of this table, by every publication that is kept.
            since: Snapshots that were current at this time or later count as being read.
            forgotten: Snapshots to take as forgotten although the table still names them.

        Raises:
            PinBrokenError: What has to be read to tell is gone.
        """
        lists = _ManifestLists(files)
        recent = set(lists.current_since(since))
        found: dict[str, RetainedBy] = {}
        claims = [
            *((path, RetainedBy.CURRENT) for path in _current(table)),
            *((path, RetainedBy.HISTORY) for path in _remembered(table, forgotten)),
            *((path, RetainedBy.PUBLICATION) for path in _pinned(table.io, pins, lists) if path not in recent),
        ]
        for path, why in claims:
            for each in (plain(path), *self._behind(table.io, plain(path))):
                found.setdefault(each, why)
        for path in recent:
            # One that is being written at this moment, or never was finished, nobody can have read.
            with suppress(PinBrokenError, EOFError, ValueError, AssertionError):
                for each in (path, *self._behind(table.io, path)):
                    found.setdefault(each, RetainedBy.HISTORY)
        found[plain(table.metadata_location)] = RetainedBy.CURRENT
        for entry in table.metadata.metadata_log:  # Few: `write.metadata.previous-versions-max` says how many.
            found.setdefault(plain(entry.metadata_file), RetainedBy.HISTORY)
        for statistics in (*table.metadata.statistics, *table.metadata.partition_statistics):
            found.setdefault(plain(statistics.statistics_path), RetainedBy.CURRENT)
        stored = {file.path for file in files}
        for pin in pins:
            path = plain(pin.metadata_location)
            if path not in stored:
                raise PinBrokenError(table=pin.table, file=path)
            found.setdefault(path, RetainedBy.PUBLICATION)
        self._forget_all_but(found)
        return found

    def _behind(self, io: FileIO, manifest_list: str) -> Iterable[str]:
        """Give the manifests of a list, and the files that live by them."""
        for manifest in self._manifests_of(io, manifest_list):
            yield manifest
            yield from self._manifests[manifest]

    def _manifests_of(self, io: FileIO, manifest_list: str) -> tuple[str, ...]:
        known = self._lists.get(manifest_list)
        if known is not None:
            return known
        try:
            with catalog_errors():
                manifests = tuple(read_manifest_list(io.new_input(manifest_list)))
                for each in manifests:
                    path = plain(each.manifest_path)
                    if path not in self._manifests:
                        entries = each.fetch_manifest_entry(io, discard_deleted=True)
                        self._manifests[path] = tuple(plain(entry.data_file.file_path) for entry in entries)
        except FileNotFoundError as error:
            raise PinBrokenError(file=str(error.filename or manifest_list)) from error
        self._lists[manifest_list] = tuple(plain(each.manifest_path) for each in manifests)
        return self._lists[manifest_list]

    def _forget_all_but(self, lists: Collection[str]) -> None:
        self._lists = {path: manifests for path, manifests in self._lists.items() if path in lists}
        needed = {manifest for manifests in self._lists.values() for manifest in manifests}
        self._manifests = {path: files for path, files in self._manifests.items() if path in needed}


class _ManifestLists:
    """The manifest lists that stand in a table's folder."""

    def __init__(self, files: Iterable[StoredFile]) -> None:
        found = [(file, match) for file in files if (match := _MANIFEST_LIST.fullmatch(Path(file.path).name))]
        self._by_age = sorted((file for file, _ in found), key=lambda file: file.written_at)
        self._by_snapshot: dict[int, list[str]] = {}
        for file, match in found:
            self._by_snapshot.setdefault(int(match[1]), []).append(file.path)

    def of(self, snapshot_id: int) -> Sequence[str]:
        """Return the lists of a snapshot: one for each attempt to commit it."""
        return self._by_snapshot.get(snapshot_id, ())

    def current_since(self, since: datetime) -> list[str]:
        """Return the lists of the snapshots that were current at a time or later."""
        younger = [file.path for file in self._by_age if file.written_at > since]
        older = [file.path for file in self._by_age if file.written_at <= since]
        return [*older[-1:], *younger]


def _current(table: Table) -> list[str]:
    snapshot = table.current_snapshot()
    return [snapshot.manifest_list] if snapshot is not None else []


def _remembered(table: Table, forgotten: Collection[int]) -> list[str]:
    return [snapshot.manifest_list for snapshot in table.snapshots() if snapshot.snapshot_id not in forgotten]


def _pinned(io: FileIO, pins: Collection[TablePin], lists: _ManifestLists) -> list[str]:
    """Return the manifest lists of pinned snapshots; where the disk does not name one, its metadata file does."""
    found: list[str] = []
    for pin in pins:
        named = lists.of(pin.snapshot_id)
        if not named:
            named = [path for path in [_manifest_list(io, pin)] if path]
        found += named
    return found


def _manifest_list(io: FileIO, pin: TablePin) -> str:
    """Return the manifest list that a pin's metadata file names.

    Raises:
        PinBrokenError: The file is gone, or knows no such snapshot.
    """
    try:
        with catalog_errors(), io.new_input(pin.metadata_location).open() as stream:
            body = stream.read()
    except FileNotFoundError as error:
        raise PinBrokenError(table=pin.table, file=pin.metadata_location) from error
    metadata: Mapping[str, Any] = json.loads(gzip.decompress(body) if body.startswith(_GZIP) else body)
    for snapshot in metadata.get("snapshots", ()):
        if snapshot["snapshot-id"] == pin.snapshot_id:
            return str(snapshot["manifest-list"])
    raise PinBrokenError(table=pin.table, file=pin.metadata_location, snapshot_id=pin.snapshot_id)

"""The files that make up a snapshot of an Iceberg table: rows, and which of them no longer count.

A *position delete* says that the row at one place of one data file is gone. They are what
lets a change to a large file cost no more than the change.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import ClassVar

from pyiceberg.manifest import DataFile, DataFileContent, ManifestEntry, ManifestFile
from pyiceberg.table import Table

from etl.errors import OperatorError

PartitionValue = int | str | None
"""Value of the identity partition; None also where a table has no partitions."""


class DeleteFilesError(OperatorError):
    """A table holds Iceberg equality deletes, which the lake's readers do not apply."""

    guidance: ClassVar[str] = "Another engine wrote them: rewrite the table's data files there, then retry."


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """One manifest of a snapshot and the files that live by it."""

    file: ManifestFile
    entries: tuple[ManifestEntry, ...]


@dataclass(frozen=True, kw_only=True)
class LiveFiles:
    """The live files of one snapshot, by manifest."""

    snapshot_id: int | None
    manifests: tuple[Manifest, ...] = field(repr=False)

    @cached_property
    def data(self) -> tuple[DataFile, ...]:
        """Files of rows."""
        return tuple(self._files(DataFileContent.DATA))

    @cached_property
    def deletes(self) -> tuple[DataFile, ...]:
        """Files of position deletes."""
        return tuple(self._files(DataFileContent.POSITION_DELETES))

    @cached_property
    def deletes_by_partition(self) -> dict[PartitionValue, tuple[DataFile, ...]]:
        """The position deletes of each partition that has some."""
        found: dict[PartitionValue, tuple[DataFile, ...]] = {}
        for file in self.deletes:
            found[partition_of(file)] = (*found.get(partition_of(file), ()), file)
        return found

    @cached_property
    def data_by_partition(self) -> dict[PartitionValue, tuple[DataFile, ...]]:
        """The data files of each partition."""
        found: dict[PartitionValue, list[DataFile]] = {}
        for file in self.data:
            found.setdefault(partition_of(file), []).append(file)
        return {value: tuple(files) for value, files in found.items()}

    def deletes_of(self, file: DataFile) -> tuple[DataFile, ...]:
        """Return the files that may delete rows of a data file: those of its partition."""
        return self.deletes_by_partition.get(partition_of(file), ())

    def _files(self, content: DataFileContent) -> Iterator[DataFile]:
        for manifest in self.manifests:
            for entry in manifest.entries:
                if entry.data_file.content == content:
                    yield entry.data_file


def live_files(table: Table, *, snapshot_id: int | None = None) -> LiveFiles:
    """Return the files of a snapshot, the current one if None.

    Raises:
        DeleteFilesError: The snapshot has equality deletes.
        ValueError: The table has no such snapshot.
    """
    snapshot = table.current_snapshot() if snapshot_id is None else table.snapshot_by_id(snapshot_id)
    if snapshot is None:
        if snapshot_id is not None:
            raise ValueError(f"table {'.'.join(table.name())} has no snapshot {snapshot_id}")
        return LiveFiles(snapshot_id=None, manifests=())
    manifests = tuple(
        Manifest(file=manifest, entries=tuple(manifest.fetch_manifest_entry(table.io, discard_deleted=True)))
        for manifest in snapshot.manifests(table.io)
    )
    for manifest in manifests:
        if any(entry.data_file.content == DataFileContent.EQUALITY_DELETES for entry in manifest.entries):
            raise DeleteFilesError(table=".".join(table.name()))
    return LiveFiles(snapshot_id=snapshot.snapshot_id, manifests=manifests)


def partition_of(file: DataFile) -> PartitionValue:
    """Return the value of a file's identity partition; None without partitions."""
    return file.partition[0] if len(file.partition) else None

"""Change rows of an Iceberg table where they stand: one snapshot of new files and position deletes.

pyiceberg writes no position deletes and plans every commit from scratch. This commit is made
of pyiceberg's own manifests and catalog, but from what its caller already knows: a change
costs what it touches, however large the table is and however often it is changed.

Source: Apache Iceberg table specification, format version 2: "Manifests", "Snapshots",
"Position Delete Files".
"""

from __future__ import annotations

import itertools
import uuid
from collections.abc import Callable, Collection, Mapping, Sequence
from copy import copy
from dataclasses import dataclass
from typing import Final

import pyarrow as pa
import pyarrow.parquet as pq
from pyiceberg.manifest import (
    DataFile,
    DataFileContent,
    FileFormat,
    ManifestContent,
    ManifestEntry,
    ManifestEntryStatus,
    ManifestWriterV2,
    write_manifest_list,
)
from pyiceberg.table import Table
from pyiceberg.table.refs import MAIN_BRANCH, SnapshotRefType
from pyiceberg.table.snapshots import Operation, Snapshot, SnapshotSummaryCollector, Summary, update_snapshot_summaries
from pyiceberg.table.update import (
    AddSnapshotUpdate,
    AssertRefSnapshotId,
    AssertTableUUID,
    RemovePropertiesUpdate,
    RemoveSnapshotsUpdate,
    SetSnapshotRefUpdate,
    TableRequirement,
    TableUpdate,
)
from pyiceberg.typedef import Record

from etl.engine.catalog import catalog_errors
from etl.engine.live_files import LiveFiles, Manifest, PartitionValue
from etl.ports.catalog import CatalogUnavailableError

_FORMAT_VERSION: Final = 2
_COMPRESSION: Final = "deflate"
_PATH_FIELD_ID, _POSITION_FIELD_ID = 2147483546, 2147483545
_PLACES = pa.schema(
    [
        pa.field("file_path", pa.string(), nullable=False, metadata={"PARQUET:field_id": str(_PATH_FIELD_ID)}),
        pa.field("pos", pa.int64(), nullable=False, metadata={"PARQUET:field_id": str(_POSITION_FIELD_ID)}),
    ]
)
_MERGED_MANIFESTS = 8
"""So many manifests of settled files may be added one by one before they are written as one."""
_SMALL_MANIFEST_FILES = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class RowDelta:
    """What one snapshot does to a table's files."""

    add: Sequence[DataFile]
    """New files, of rows and of position deletes; on the disk already."""
    remove: Collection[DataFile]
    """Live files that are no longer part of the table."""
    properties: Mapping[str, str]
    """Texts for the snapshot's summary."""
    moves_only: bool = False
    """The rows are the same as before: Iceberg's operation ``replace``."""
    remove_table_properties: tuple[str, ...] = ()
    """Properties of the table that this snapshot makes out of date."""
    expire: tuple[int, ...] = ()
    """Snapshots that the table forgets."""


def write_position_deletes(table: Table, path: str, places: pa.Table, partition: PartitionValue) -> DataFile:
    """Write a file of position deletes and return its description.

    Args:
        table: Whose rows are gone.
        path: Where to write.
        places: ``file_path`` and ``pos``, sorted by both, at least one row.
        partition: Whose data files they are all in.

    Raises:
        OSError: It could not be written.
    """
    content = pa.BufferOutputStream()
    pq.write_table(places.cast(_PLACES), content, compression="snappy", store_schema=False)
    encoded = content.getvalue()
    with table.io.new_output(path).create(overwrite=False) as stream:
        stream.write(encoded.to_pybytes())
    first, last = places["file_path"][0].as_py(), places["file_path"][-1].as_py()
    return described(
        table,
        path,
        content=DataFileContent.POSITION_DELETES,
        rows=places.num_rows,
        size_bytes=encoded.size,
        partition=Record(partition) if table.spec().fields else Record(),
        path_bounds=(first, last),
    )


def described(
    table: Table,
    path: str,
    *,
    rows: int,
    size_bytes: int,
    partition: Record,
    content: DataFileContent = DataFileContent.DATA,
    path_bounds: tuple[str, str] | None = None,
) -> DataFile:
    """Return the description of a Parquet file of the table, without statistics of its columns."""
    lower, upper = path_bounds or (None, None)
    file = DataFile.from_args(
        _table_format_version=_FORMAT_VERSION,
        content=content,
        file_path=path,
        file_format=FileFormat.PARQUET,
        partition=partition,
        record_count=rows,
        file_size_in_bytes=size_bytes,
        column_sizes={},
        value_counts={},
        null_value_counts={},
        nan_value_counts={},
        lower_bounds={_PATH_FIELD_ID: lower.encode()} if lower else {},
        upper_bounds={_PATH_FIELD_ID: upper.encode()} if upper else {},
        key_metadata=None,
        split_offsets=None,
        equality_ids=None,
        sort_order_id=None,
    )
    file.spec_id = table.metadata.default_spec_id
    return file


def commit_row_delta(
    table: Table, live: LiveFiles, delta: RowDelta, *, is_settled: Callable[[DataFile], bool]
) -> LiveFiles:
    """Make one snapshot; return the files that live after it. ``table`` is at the new snapshot then.

    Settled files get manifests of their own, which later commits leave alone.

    Args:
        table: As loaded when ``live`` was read.
        live: Files of its current snapshot.
        delta: What to do.
        is_settled: Tells files that will stay from those that the next commits replace.

    Raises:
        CommitFailedException: Someone else committed first.
        CatalogUnavailableError: The catalog went away; whether the snapshot exists is not known.
        OSError: The metadata could not be written; nothing was committed.
    """
    writer = _SnapshotWriter(table, live, delta, is_settled)
    manifests = writer.manifests()
    updates, requirements = writer.updates(manifests)
    try:
        with catalog_errors():
            table._do_commit(updates=updates, requirements=requirements)  # noqa: SLF001 - a transaction stages all twice
    except CatalogUnavailableError:
        if not _landed(table, writer.snapshot_id):
            raise
    return writer.live_after(manifests)


class _DeleteManifestWriter(ManifestWriterV2):
    """Writes a manifest of position deletes."""

    def content(self) -> ManifestContent:
        return ManifestContent.DELETES

    @property
    def _meta(self) -> dict[str, str]:
        return {**super()._meta, "content": "deletes"}


class _SnapshotWriter:
    def __init__(self, table: Table, live: LiveFiles, delta: RowDelta, is_settled: Callable[[DataFile], bool]) -> None:
        self._table = table
        self._live = live
        self._delta = delta
        self._is_settled = is_settled
        self._removed = {file.file_path for file in delta.remove}
        self._numbers = itertools.count()
        self._commit_id = uuid.uuid4()
        self._sequence_number = table.metadata.next_sequence_number()
        self.snapshot_id = table.metadata.new_snapshot_id()

    def manifests(self) -> list[Manifest]:
        """Write the manifests that change; return all of the snapshot's."""
        kept = [each for each in self._live.manifests if each.entries and not self._is_touched(each)]
        touched = [each for each in self._live.manifests if self._is_touched(each)]
        new: list[Manifest] = []
        for content in (ManifestContent.DATA, ManifestContent.DELETES):
            added = [self._added(file) for file in self._delta.add if _content(file) == content]
            settled = [entry for entry in added if self._is_settled(entry.data_file)]
            if settled:
                small = [each for each in kept if each.file.content == content and self._is_small(each)]
                if len(small) >= _MERGED_MANIFESTS:
                    kept = [each for each in kept if each not in small]
                    settled += [_existing(entry) for each in small for entry in each.entries]
            others = [entry for entry in added if not self._is_settled(entry.data_file)]
            for entry in (entry for each in touched if each.file.content == content for entry in each.entries):
                if entry.data_file.file_path in self._removed:
                    others.append(self._deleted(entry))
                elif self._is_settled(entry.data_file):
                    settled.append(_existing(entry))
                else:
                    others.append(_existing(entry))
            new += [self._write(content, entries) for entries in (settled, others) if entries]
        return [*new, *kept]

    def updates(self, manifests: Sequence[Manifest]) -> tuple[tuple[TableUpdate, ...], tuple[TableRequirement, ...]]:
        """Write the list of manifests; return what the catalog has to do, and on what condition."""
        metadata, parent_id = self._table.metadata, self._live.snapshot_id
        location = self._table.location_provider().new_metadata_location(
            f"snap-{self.snapshot_id}-0-{self._commit_id}.avro"
        )
        with write_manifest_list(
            format_version=_FORMAT_VERSION,
            output_file=self._table.io.new_output(location),
            snapshot_id=self.snapshot_id,
            parent_snapshot_id=parent_id,
            sequence_number=self._sequence_number,
            avro_compression=_COMPRESSION,
        ) as writer:
            writer.add_manifests([each.file for each in manifests])
        # pyiceberg's types know the fields by their names in JSON alone.
        snapshot = Snapshot.model_validate(
            {
                "snapshot-id": self.snapshot_id,
                "parent-snapshot-id": parent_id,
                "manifest-list": location,
                "sequence-number": self._sequence_number,
                "summary": self._summary(),
                "schema-id": metadata.current_schema_id,
            }
        )
        main = {
            "ref-name": MAIN_BRANCH,
            "type": SnapshotRefType.BRANCH,
            "snapshot-id": self.snapshot_id,
            "parent-snapshot-id": parent_id,
        }
        updates: list[TableUpdate] = [AddSnapshotUpdate(snapshot=snapshot), SetSnapshotRefUpdate.model_validate(main)]
        if self._delta.remove_table_properties:
            updates.append(RemovePropertiesUpdate(removals=list(self._delta.remove_table_properties)))
        if self._delta.expire:
            updates.append(RemoveSnapshotsUpdate.model_validate({"snapshot-ids": list(self._delta.expire)}))
        requirements = (
            AssertTableUUID(uuid=metadata.table_uuid),
            AssertRefSnapshotId.model_validate({"ref": MAIN_BRANCH, "snapshot-id": parent_id}),
        )
        return tuple(updates), requirements

    def live_after(self, manifests: Sequence[Manifest]) -> LiveFiles:
        """Return what a reader of the snapshot would find."""
        return LiveFiles(snapshot_id=self.snapshot_id, manifests=tuple(map(self._as_read, manifests)))

    def _as_read(self, manifest: Manifest) -> Manifest:
        """Give a manifest of this snapshot, and its new entries, the sequence number that readers inherit."""
        if manifest.file.added_snapshot_id != self.snapshot_id:
            return manifest
        file = copy(manifest.file)
        file.sequence_number = self._sequence_number
        if not file.min_sequence_number or file.min_sequence_number < 0:
            file.min_sequence_number = self._sequence_number
        entries = []
        for entry in manifest.entries:
            if entry.status == ManifestEntryStatus.DELETED:
                continue
            if entry.status == ManifestEntryStatus.ADDED:
                entry.sequence_number = entry.file_sequence_number = self._sequence_number
            entries.append(entry)
        return Manifest(file=file, entries=tuple(entries))

    def _write(self, content: ManifestContent, entries: Sequence[ManifestEntry]) -> Manifest:
        kind = _DeleteManifestWriter if content == ManifestContent.DELETES else ManifestWriterV2
        name = f"{self._commit_id}-m{next(self._numbers)}.avro"
        output = self._table.io.new_output(self._table.location_provider().new_metadata_location(name))
        with kind(self._table.spec(), self._table.schema(), output, self.snapshot_id, _COMPRESSION) as writer:
            for entry in entries:
                writer.add_entry(entry)
        return Manifest(file=writer.to_manifest_file(), entries=tuple(entries))

    def _summary(self) -> Summary:
        collector = SnapshotSummaryCollector()
        schema, spec = self._table.schema(), self._table.spec()
        for file in self._delta.add:
            collector.add_file(file, schema, spec)
        for file in self._delta.remove:
            collector.remove_file(file, schema, spec)
        parent = self._table.current_snapshot()
        summary = update_snapshot_summaries(  # It knows of overwriting, and not of replacing.
            Summary(operation=Operation.OVERWRITE, **collector.build(), **self._delta.properties),
            parent.summary if parent else None,
        )
        operation = Operation.REPLACE if self._delta.moves_only else Operation.OVERWRITE
        return Summary(operation=operation, **summary.additional_properties)

    def _is_touched(self, manifest: Manifest) -> bool:
        return any(entry.data_file.file_path in self._removed for entry in manifest.entries)

    def _is_small(self, manifest: Manifest) -> bool:
        return len(manifest.entries) < _SMALL_MANIFEST_FILES and all(
            self._is_settled(entry.data_file) for entry in manifest.entries
        )

    def _added(self, file: DataFile) -> ManifestEntry:
        return ManifestEntry.from_args(
            status=ManifestEntryStatus.ADDED,
            snapshot_id=self.snapshot_id,
            sequence_number=None,
            file_sequence_number=None,
            data_file=file,
        )

    def _deleted(self, entry: ManifestEntry) -> ManifestEntry:
        return _with_status(entry, ManifestEntryStatus.DELETED, self.snapshot_id)


def _existing(entry: ManifestEntry) -> ManifestEntry:
    return _with_status(entry, ManifestEntryStatus.EXISTING, entry.snapshot_id)


def _with_status(entry: ManifestEntry, status: ManifestEntryStatus, snapshot_id: int | None) -> ManifestEntry:
    return ManifestEntry.from_args(
        status=status,
        snapshot_id=snapshot_id,
        sequence_number=entry.sequence_number,
        file_sequence_number=entry.file_sequence_number,
        data_file=entry.data_file,
    )


def _content(file: DataFile) -> ManifestContent:
    return ManifestContent.DATA if file.content == DataFileContent.DATA else ManifestContent.DELETES


def _landed(table: Table, snapshot_id: int) -> bool:
    """Ask the catalog whether a snapshot exists after all; bring the table up to date if so."""
    try:
        with catalog_errors():
            return table.refresh().snapshot_by_id(snapshot_id) is not None
    except CatalogUnavailableError:
        return False

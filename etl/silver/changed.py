"""What changed in a table between two snapshots, told by Iceberg's metadata.

Gold asks this to recompute only what it must. The answer may hold more than changed, never less.
"""

from __future__ import annotations

from collections.abc import Iterator

from pyiceberg.table import Table
from pyiceberg.table.snapshots import Snapshot

from etl.engine.live_files import LiveFiles, live_files
from etl.engine.sql import identifier
from etl.engine.tables import FILE_COLUMN, POSITION_COLUMN, live_relation, located, places, relation
from etl.silver.summary import COMPACTION, LOAD_ID

_PLACE = f"{identifier(FILE_COLUMN)}, {identifier(POSITION_COLUMN)}"


def changed_rows(table: Table, since_snapshot_id: int) -> str | None:
    """Return a SELECT over old and new images of the rows that differ between a snapshot and the current one.

    Columns: the table's, as they are now. A row that came gives one image, one that went
    gives one, one that changed gives two. Rows may be given that differ in nothing.

    Returns:
        None if it cannot be told: the snapshot is gone, or a full load replaced the table
        since. Then everything counts as changed.
    """
    path = _path(table, since_snapshot_id)
    if path is None:
        return None
    selects = [
        select
        for older, newer in _stretches(path)
        for select in _difference(
            table,
            live_files(table, snapshot_id=older.snapshot_id),
            live_files(table, snapshot_id=newer.snapshot_id),
        )
    ]
    return " UNION ALL ".join(selects) if selects else relation(table, ())


def _path(table: Table, since_snapshot_id: int) -> list[Snapshot] | None:
    """Return the snapshots from a known one to the current one, oldest first; None if the way is lost."""
    snapshot = table.current_snapshot()
    path: list[Snapshot] = []
    while snapshot is not None:
        path.append(snapshot)
        if snapshot.snapshot_id == since_snapshot_id:
            loads = {_property(each, LOAD_ID) for each in path}
            return path[::-1] if len(loads) == 1 else None
        parent_id = snapshot.parent_snapshot_id
        snapshot = table.snapshot_by_id(parent_id) if parent_id is not None else None
    return None


def _stretches(path: list[Snapshot]) -> Iterator[tuple[Snapshot, Snapshot]]:
    """Cut the path at compactions, which move rows and change none; give each stretch's first and last snapshot."""
    first = last = path[0]
    for snapshot in path[1:]:
        if _property(snapshot, COMPACTION):
            if last is not first:
                yield first, last
            first = snapshot
        last = snapshot
    if last is not first:
        yield first, last


def _difference(table: Table, old: LiveFiles, new: LiveFiles) -> Iterator[str]:
    """Give SELECTs over the rows that only one of two snapshots has."""
    old_paths = {file.file_path for file in old.data}
    new_paths = {file.file_path for file in new.data}
    went = [file for file in old.data if file.file_path not in new_paths]
    came = [file for file in new.data if file.file_path not in old_paths]
    if went and came:
        before, after = live_relation(table, old, went), live_relation(table, new, came)
        # Small files are written anew with most of their rows as they were.
        yield f"SELECT * FROM (({before}) EXCEPT ALL ({after}))"
        yield f"SELECT * FROM (({after}) EXCEPT ALL ({before}))"
    elif went or came:
        yield live_relation(table, old, went) if went else live_relation(table, new, came)
    stayed = {file.file_path: file for file in new.data if file.file_path in old_paths}
    old_deletes = {file.file_path for file in old.deletes}
    added = [file for file in new.deletes if file.file_path not in old_deletes]
    concerned = [file for file in stayed.values() if set(new.deletes_of(file)) & set(added)]
    if concerned:
        columns = ", ".join(identifier(field.name) for field in table.schema().fields)
        paths = [file.file_path for file in concerned]
        were_live = located(table, paths, deletes={file.file_path: old.deletes_of(file) for file in concerned})
        gone = places([file.file_path for file in added])
        yield f"SELECT {columns} FROM ({were_live}) AS were_live SEMI JOIN ({gone}) AS gone USING ({_PLACE})"


def _property(snapshot: Snapshot, name: str) -> str | None:
    return snapshot.summary.additional_properties.get(name) if snapshot.summary else None

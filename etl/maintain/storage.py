"""How much the lake holds, by layer and table, and why each part of it is still there."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from pyiceberg.catalog import Catalog

from etl.bronze.layout import load_number
from etl.contracts.publication import TablePin
from etl.engine.catalog import catalog_errors
from etl.maintain.folder import FolderSharedError, plain, stored_files
from etl.maintain.reach import PinBrokenError, Reach
from etl.maintain.sweep import look_through
from etl.ports.object_store import ObjectInfo, ObjectStore

UNKNOWN = "unknown"
"""Files in a folder that the catalog knows no table for, or whose table cannot be read: they are left alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """Some files that stay for one reason."""

    layer: str
    """``bronze``, or the namespace: ``silver``, ``gold``, ``quarantine``, ``tombstones``."""
    table: str
    retained_by: str
    """Of bronze what they are: ``full loads``, ``changes``, ``manifests``, ``contracts``. Of tables a `RetainedBy`."""
    files: int
    size_bytes: int


class _Counts:
    def __init__(self) -> None:
        self._found: defaultdict[tuple[str, str, str], list[int]] = defaultdict(lambda: [0, 0])

    def add(self, layer: str, table: str, retained_by: str, size_bytes: int) -> None:
        """Count one file."""
        counted = self._found[layer, table, retained_by]
        counted[0] += 1
        counted[1] += size_bytes

    def rows(self) -> tuple[Stored, ...]:
        """Return what was counted, in order."""
        return tuple(
            Stored(layer=layer, table=table, retained_by=why, files=files, size_bytes=size_bytes)
            for (layer, table, why), (files, size_bytes) in sorted(self._found.items())
        )


def stored_in_bronze(store: ObjectStore) -> tuple[Stored, ...]:
    """Return what bronze holds, by table and by what it is.

    Raises:
        StoreUnavailableError: The store did not answer.
    """
    counts = _Counts()
    for info in store.list(""):
        counts.add("bronze", *_bronze_kind(info), info.size_bytes)
    return counts.rows()


def stored_in_tables(
    catalog: Catalog, *, pins: Collection[TablePin], now: datetime, safe_age: timedelta
) -> tuple[Stored, ...]:
    """Return what the Iceberg tables hold, by table and by who reaches it.

    Args:
        catalog: Of the lake.
        pins: Of every publication that is kept.
        now: The time.
        safe_age: See `etl.maintain.sweep.look_through`.

    Raises:
        CatalogUnavailableError: No answer.
    """
    counts = _Counts()
    names = table_names(catalog)
    for name in names:
        layer, _, table = name.partition(".")
        try:
            found = look_through(catalog, name, pins=pins, now=now, safe_age=safe_age, reach=Reach())
        except (PinBrokenError, FolderSharedError):
            folder = Path(plain(catalog.properties["warehouse"])) / layer / table
            _count_folder(counts, layer, table, folder)
            continue
        for each in found:
            counts.add(layer, table, each.retained_by.value, each.file.size_bytes)
    for layer, table, folder in _unknown_folders(catalog, names):
        _count_folder(counts, layer, table, folder)
    return counts.rows()


def table_names(catalog: Catalog) -> tuple[str, ...]:
    """Return every table of the catalog, as ``namespace.table``, sorted.

    Raises:
        CatalogUnavailableError: No answer.
    """
    with catalog_errors():
        return tuple(
            sorted(".".join(name) for namespace in catalog.list_namespaces() for name in catalog.list_tables(namespace))
        )


def _bronze_kind(info: ObjectInfo) -> tuple[str, str]:
    """Return whose an object of bronze is, and what."""
    first, *others = info.key.split("/")
    if first == "_contracts":
        return ".".join(others[:2]), "contracts"
    if first.startswith("_"):
        return "", "manifests"
    kind = "full loads" if load_number(info.key) is not None else "changes"
    return f"{first}.{others[0] if others else ''}".rstrip("."), kind


def _count_folder(counts: _Counts, layer: str, table: str, folder: Path) -> None:
    for file in stored_files(folder):
        counts.add(layer, table, UNKNOWN, file.size_bytes)


def _unknown_folders(catalog: Catalog, names: Iterable[str]) -> list[tuple[str, str, Path]]:
    warehouse = Path(plain(catalog.properties["warehouse"]))
    known = {tuple(name.split(".", 1)) for name in names}
    found = sorted(warehouse.glob("*/*")) if warehouse.is_dir() else []
    return [
        (folder.parent.name, folder.name, folder)
        for folder in found
        if folder.is_dir() and (folder.parent.name, folder.name) not in known
    ]

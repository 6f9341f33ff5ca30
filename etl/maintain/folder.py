"""The files below an Iceberg table's folder, as the disk has them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import ClassVar

from pyiceberg.table import Table

from etl.errors import OperatorError


class FolderSharedError(OperatorError):
    """A table's files do not lie in a folder of its own below the warehouse, so nothing there is removed."""

    guidance: ClassVar[str] = (
        "Somebody moved the table or registered it twice. Nothing was removed; correct its location in the catalog."
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredFile:
    """One file on the disk."""

    path: str
    size_bytes: int
    written_at: datetime


def table_folder(table: Table, warehouse: str) -> Path:
    """Return the folder that is the table's alone.

    Raises:
        FolderSharedError: It is not where the lake puts the table.
    """
    namespace, name = table.name()[-2:]
    folder = Path(plain(table.location()))
    if folder != Path(plain(warehouse)) / namespace / name:
        raise FolderSharedError(table=f"{namespace}.{name}", location=str(folder))
    return folder


def stored_files(folder: Path) -> Iterator[StoredFile]:
    """Yield every file below a folder; one that vanishes meanwhile is left out, and so are links."""
    to_look_at = [str(folder)]
    while to_look_at:
        with suppress(FileNotFoundError), os.scandir(to_look_at.pop()) as entries:
            for entry in entries:
                with suppress(FileNotFoundError):
                    if entry.is_dir(follow_symlinks=False):
                        to_look_at.append(entry.path)
                    elif entry.is_file(follow_symlinks=False):
                        stat = entry.stat(follow_symlinks=False)
                        yield StoredFile(
                            path=entry.path,
                            size_bytes=stat.st_size,
                            written_at=datetime.fromtimestamp(stat.st_mtime, UTC),
                        )


def plain(address: str) -> str:
    """Return a file's address as a path: other engines write ``file:`` before it."""
    return address.removeprefix("file:").replace("///", "/", 1) if address.startswith("file:") else address

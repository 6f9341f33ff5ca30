"""Lands rows in bronze: files in the format of AWS DMS, their manifests, and the commit of a full load.

The load manifest is written last and is the commit point: whatever happens before it
leaves files that no reader sees and that the next load removes. File numbers only grow, so
a name never means two contents.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from typing import BinaryIO

from isal import isal_zlib

from etl.bronze.layout import (
    LOADS_PREFIX,
    file_manifest_key,
    load_key,
    load_manifest_key,
    load_number,
    table_prefix,
)
from etl.bronze.manifest import FileManifest, LoadManifest
from etl.contracts.table import TableContract, TableId
from etl.ports.object_store import ObjectMissingError, ObjectStore
from etl.replicate.lsn import ChangeSeq, lsn_of
from etl.replicate.snapshot import Block

MAX_FILE_BYTES = 256 * 1024 * 1024
"""A file ends at the first block of rows at or beyond this compressed size."""

MAX_TEXT_BYTES = 2 * 1024**3
"""Ends a file too, well below what readers accept: repetitive text hardly grows a file."""

_GZIP_LEVEL = 1  # Of igzip's 0 to 3. See docs/adr/0006 for what each costs and saves.
_GZIP_WINDOW_BITS = 31  # zlib's way to ask for a gzip header and checksum.


def next_file_number(store: ObjectStore, table: TableId) -> int:
    """Return the first full-load number of the table that no file, committed or not, has had.

    Raises:
        StoreUnavailableError: The store did not answer.
    """
    numbers = (load_number(info.key) for info in store.list(table_prefix(table)))
    return max((number for number in numbers if number is not None), default=0) + 1


def remove_uncommitted(store: ObjectStore, table: TableId) -> int:
    """Remove the table's full-load files that belong to no committed load; return how many.

    Loads follow one another, so what a broken one left has the highest numbers. Call only
    while no other load runs.

    Raises:
        StoreUnavailableError: The store did not answer.
    """
    keys = [info.key for info in store.list(table_prefix(table)) if load_number(info.key) is not None]
    removed = 0
    for key in reversed(keys):
        if _is_committed(store, key):
            break
        store.delete(file_manifest_key(key))
        store.delete(key)
        removed += 1
    return removed


def land_table(
    store: ObjectStore,
    contract: TableContract,
    blocks: Iterator[Block],
    *,
    first_number: int,
    sequence: ChangeSeq,
    max_file_bytes: int = MAX_FILE_BYTES,
    on_rows: Callable[[int], None] = lambda _rows: None,
) -> tuple[FileManifest, ...]:
    """Write one table's full load: data files, each followed by its manifest. No rows, no file.

    Args:
        store: Bronze.
        contract: The recorded version under which the rows were read.
        blocks: From `copy_rows`: the header, then the rows.
        first_number: From `next_file_number`.
        sequence: Change sequence of every row.
        max_file_bytes: Compressed size at which the next file begins.
        on_rows: Told how many rows were written, block by block.

    Raises:
        ObjectExistsError: Another writer took the name.
        StoreFullError: No room.
        StoreUnavailableError: The store did not answer.
        Whatever ``blocks`` raises. In each case the file being written never appears.
    """
    header = next(blocks)
    files: list[FileManifest] = []
    block = next(blocks, None)
    while block is not None:
        key = load_key(contract.table, first_number + len(files))
        with store.writer(key) as sink:
            file = GzipFile(sink)
            file.write(header)
            while block is not None and file.size_bytes < max_file_bytes and file.text_bytes < MAX_TEXT_BYTES:
                file.write(block)
                on_rows(block.rows)
                block = next(blocks, None)
            file.finish()
        manifest = FileManifest(
            key=key,
            table=contract.table,
            rows=file.rows,
            size_bytes=file.size_bytes,
            sha256=file.sha256,
            first_change_seq=sequence,
            last_change_seq=sequence,
            contract_version=contract.version,
            contract_fingerprint=contract.fingerprint,
        )
        store.put(file_manifest_key(key), manifest.to_json().encode())
        files.append(manifest)
    return tuple(files)


def commit_load(store: ObjectStore, load: LoadManifest) -> None:
    """Make a full load visible: after this its files exist for readers, all of them.

    Raises:
        ObjectExistsError: Another load stands at this LSN.
        StoreFullError: No room.
        StoreUnavailableError: The store did not answer.
    """
    store.put(load_manifest_key(load.load_id), load.to_json().encode())


def find_load(store: ObjectStore, request_id: str) -> LoadManifest | None:
    """Return the committed load that a request made, looking at the newest first; None if there is none.

    Raises:
        StoreUnavailableError: The store did not answer.
    """
    for key in reversed([info.key for info in store.list(LOADS_PREFIX)]):
        load = LoadManifest.from_json(store.get(key))
        if load.request_id == request_id:
            return load
    return None


def _is_committed(store: ObjectStore, key: str) -> bool:
    """Tell whether the data file belongs to a load that was committed."""
    try:
        file = FileManifest.from_json(store.get(file_manifest_key(key)))
    except ObjectMissingError:
        return False
    load = load_manifest_key(lsn_of(file.first_change_seq).hex)
    return any(info.key == load for info in store.list(load))


class GzipFile:
    """Compresses, counts and hashes what goes into one file."""

    def __init__(self, sink: BinaryIO) -> None:
        self._sink = sink
        self._compressor = isal_zlib.compressobj(_GZIP_LEVEL, isal_zlib.DEFLATED, _GZIP_WINDOW_BITS)
        self._hash = hashlib.sha256()
        self.rows = 0
        self.text_bytes = 0
        self.size_bytes = 0

    def write(self, block: Block) -> None:
        """Add rows."""
        self._put(self._compressor.compress(block.text))
        self.rows += block.rows
        self.text_bytes += len(block.text)

    def finish(self) -> None:
        """End the stream; the sink is the caller's to close."""
        self._put(self._compressor.flush())

    @property
    def sha256(self) -> str:
        """Of what was written so far."""
        return self._hash.hexdigest()

    def _put(self, data: bytes) -> None:
        self._hash.update(data)
        self._sink.write(data)
        self.size_bytes += len(data)

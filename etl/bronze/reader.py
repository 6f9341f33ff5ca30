"""Reads bronze: the CSV dialect as DuckDB SQL, and the proof that files are whole.

DuckDB does not check a gzip file's checksum: a flipped bit can give wrong rows without an
error. Therefore `verify` comes first, always, and `check_rows` after reading.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import ClassVar, cast

from isal import isal_zlib

from etl.bronze.layout import CHANGE_SEQ_FIELD, change_fields, fields
from etl.bronze.manifest import FileManifest
from etl.contracts.table import TableContract
from etl.engine.sql import identifier, literal
from etl.errors import OperatorError
from etl.ports.object_store import ObjectStore

MAX_ROW_BYTES = 16 * 1024 * 1024
"""Longest row, as CSV text, that is written or read."""

MAX_FILE_TEXT_BYTES = 4 * 1024**3
"""Most text one file may decompress to: a bound on what a hostile file can cost."""

_THREADS = 2
_CHUNK_BYTES = 256 * 1024
_STEP_BYTES = 4 * 1024 * 1024
_INFLATE_ERROR = cast("type[Exception]", isal_zlib.error)  # Its stub calls the class an instance.
_GZIP_WINDOW_BITS = 31  # zlib's way to ask for a gzip header and checksum.


class BronzeDamagedError(OperatorError):
    """A bronze file is not what its manifest says."""

    guidance: ClassVar[str] = "Find out what changed the file, then run the pipeline again: it lands a new full load."


def bronze_relation_sql(
    contract: TableContract,
    uris: Sequence[str],
    *,
    null_marker: str = "",
    changes: bool = False,
    change_seq: str | None = None,
) -> str:
    """Return DuckDB SQL, usable after FROM, that yields the files' rows with every column as text.

    Columns: ``Op``, ``_committed_at``, the contract's columns in order, ``_change_seq``,
    of changes also ``_unchanged`` and ``_old_key``, then ``filename``. Unquoted text that is
    the null marker is NULL, ``""`` is the empty text.

    Args:
        contract: The version under which the files were written.
        uris: Addresses of the files (`ObjectStore.uri`), at least one.
        null_marker: Unquoted text that means NULL (`FileManifest.null_marker`). Where it is not
            the empty text, an empty field is the empty text, quoted or not.
        changes: Whether the files hold changes, not a full load.
        change_seq: What every row has as its change sequence; None if each carries its own.

    Raises:
        ValueError: No file is given.
    """
    if not uris:
        raise ValueError("reading bronze needs at least one file")
    names = change_fields(contract) if changes else fields(contract)
    columns = ", ".join(f"{literal(name)}: 'VARCHAR'" for name in names)
    relation = (
        f"read_csv([{', '.join(literal(uri) for uri in uris)}], columns = {{{columns}}}, "
        "auto_detect = false, header = true, delim = ',', quote = '\"', escape = '\"', new_line = '\\n', "
        f"nullstr = [{literal(null_marker)}], allow_quoted_nulls = false, comment = '', strict_mode = true, "
        f"compression = 'gzip', max_line_size = {MAX_ROW_BYTES}, buffer_size = {2 * MAX_ROW_BYTES}, filename = true)"
    )
    if change_seq is None:
        return relation
    return f"(SELECT * REPLACE ({literal(change_seq)} AS {identifier(CHANGE_SEQ_FIELD)}) FROM {relation})"


def verify(store: ObjectStore, files: Sequence[FileManifest], *, max_text_bytes: int = MAX_FILE_TEXT_BYTES) -> None:
    """Check that every file is there and is, byte for byte, what was written.

    Constant memory; files are read side by side.

    Args:
        store: Bronze.
        files: What to check.
        max_text_bytes: Most text that one file may decompress to.

    Raises:
        ObjectMissingError: A file is gone.
        BronzeDamagedError: A file is damaged, cut short, grown, or another's.
        StoreUnavailableError: The store did not answer.
    """
    with ThreadPoolExecutor(_THREADS, thread_name_prefix="verify") as pool:
        for done in [pool.submit(_verify_file, store, file, max_text_bytes) for file in files]:
            done.result()


def check_rows(files: Sequence[FileManifest], rows_read: Mapping[str, int], store: ObjectStore) -> None:
    """Compare the rows that an engine read per ``filename`` with the manifests.

    Raises:
        BronzeDamagedError: A file gave more or fewer rows than were written.
    """
    for file in files:
        found = rows_read.get(store.uri(file.key), 0)
        if found != file.rows:
            raise BronzeDamagedError(f"{file.key} gave {found} rows, but {file.rows} were written.")


def _verify_file(store: ObjectStore, file: FileManifest, max_text_bytes: int) -> None:
    digest = hashlib.sha256()
    inflater = isal_zlib.decompressobj(_GZIP_WINDOW_BITS)
    size_bytes = text_bytes = 0
    try:
        with store.reader(file.key) as source:
            while chunk := source.read(_CHUNK_BYTES):
                size_bytes += len(chunk)
                digest.update(chunk)
                while chunk and not inflater.eof and text_bytes <= max_text_bytes:
                    text_bytes += len(inflater.decompress(chunk, _STEP_BYTES))
                    chunk = inflater.unconsumed_tail
    except _INFLATE_ERROR as error:
        raise BronzeDamagedError(f"{file.key} is damaged: it does not decompress.") from error
    if size_bytes != file.size_bytes:
        raise BronzeDamagedError(f"{file.key} has {size_bytes} bytes, but {file.size_bytes} were written.")
    if digest.hexdigest() != file.sha256:
        raise BronzeDamagedError(f"{file.key} is damaged: its sha256 is not the one that was written.")
    if text_bytes > max_text_bytes:
        raise BronzeDamagedError(f"{file.key} decompresses to more than {max_text_bytes} bytes.")
    if not inflater.eof or inflater.unused_data:
        raise BronzeDamagedError(f"{file.key} is not one whole gzip stream.")

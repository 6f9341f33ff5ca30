"""Reads bronze: the CSV dialect as DuckDB SQL, and the proof that files are whole.

DuckDB does not check a gzip file's checksum: a flipped bit can give wrong rows without an
error. Therefore `verify` comes first, always, and `check_rows` after reading.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from etl.bronze.layout import fields
from etl.bronze.manifest import FileManifest
from etl.contracts.table import TableContract
from etl.errors import OperatorError
from etl.ports.object_store import ObjectStore

MAX_ROW_BYTES = 16 * 1024 * 1024
"""Longest row, as CSV text, that is written or read."""

MAX_FILE_TEXT_BYTES = 16 * 1024**3
"""Most text one file may decompress to: a bound on what a damaged or hostile file can cost."""


class BronzeDamagedError(OperatorError):
    """A bronze file is not what its manifest says."""


def bronze_relation_sql(contract: TableContract, uris: Sequence[str], *, null_marker: str = "") -> str:
    """Return DuckDB SQL, usable after FROM, that yields the files' rows with every column as text.

    Columns: ``Op``, ``_committed_at``, the contract's columns in order, ``_change_seq``,
    then ``filename``. Unquoted empty text is NULL, ``""`` is the empty text.

    Args:
        contract: The version under which the files were written.
        uris: Addresses of the files (`ObjectStore.uri`), at least one.
        null_marker: Unquoted text that means NULL (`FileManifest.null_marker`).

    Raises:
        ValueError: No file is given.
    """
    if not uris:
        raise ValueError("reading bronze needs at least one file")
    columns = ", ".join(f"{_literal(name)}: 'VARCHAR'" for name in fields(contract))
    nulls = ", ".join(_literal(marker) for marker in dict.fromkeys((null_marker, "")))
    return (
        f"read_csv([{', '.join(_literal(uri) for uri in uris)}], columns = {{{columns}}}, "
        "auto_detect = false, header = true, delim = ',', quote = '\"', escape = '\"', new_line = '\\n', "
        f"nullstr = [{nulls}], allow_quoted_nulls = false, comment = '', strict_mode = true, "
        f"compression = 'gzip', max_line_size = {MAX_ROW_BYTES}, filename = true)"
    )


def verify(store: ObjectStore, files: Sequence[FileManifest]) -> None:
    """Check that every file is there and is, byte for byte, what was written.

    Raises:
        ObjectMissingError: A file is gone.
        BronzeDamagedError: A file is damaged, cut short, grown, or another's.
        StoreUnavailableError: The store did not answer.
    """
    raise NotImplementedError


def check_rows(files: Sequence[FileManifest], rows_read: Mapping[str, int], store: ObjectStore) -> None:
    """Compare the rows that an engine read per ``filename`` with the manifests.

    Raises:
        BronzeDamagedError: A file gave more or fewer rows than were written.
    """
    for file in files:
        found = rows_read.get(store.uri(file.key), 0)
        if found != file.rows:
            raise BronzeDamagedError(f"{file.key} gave {found} rows, but {file.rows} were written")


def _literal(text: str) -> str:
    """Return the text as an SQL string literal."""
    return "'" + text.replace("'", "''") + "'"

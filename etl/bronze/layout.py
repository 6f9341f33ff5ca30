"""Names of the objects in bronze, and what they mean.

Data files are named as AWS DMS names them, so either replicator may have written them;
everything of our own stands under names that start with an underscore::

    public/orders/LOAD00000001.csv.gz                    rows of one full load
    _manifests/public/orders/LOAD00000001.csv.gz.json    proof that the file is whole
    _manifests/loads/00000000018B4D10.json               one full load over all tables
    _manifests/fingerprints/00000000018B4D10.json        what the source held at that moment
    _contracts/public/orders/v0001.json                  the shape the rows promise

Source: AWS DMS user guide, "Using Amazon S3 as a target": the counter is eight
upper-case hexadecimal digits.
"""

from __future__ import annotations

import re
from urllib.parse import quote

from etl.contracts.table import TableContract, TableId

OP_FIELD = "Op"
COMMITTED_AT_FIELD = "_committed_at"
CHANGE_SEQ_FIELD = "_change_seq"
OWN_FIELDS = (OP_FIELD, COMMITTED_AT_FIELD, CHANGE_SEQ_FIELD)
"""Fields every bronze file has besides the source's columns."""

LOADS_PREFIX = "_manifests/loads/"
MAX_LOAD_NUMBER = 0xFFFFFFFF

_LOAD_FILE = re.compile(r"LOAD([0-9A-F]{8})\.csv\.gz")
_CONTRACT_FILE = re.compile(r"v(\d{4,})\.json")


def fields(contract: TableContract) -> tuple[str, ...]:
    """Return the header of the table's files, in order: op, commit time, columns, change sequence."""
    return (OP_FIELD, COMMITTED_AT_FIELD, *contract.column_names, CHANGE_SEQ_FIELD)


def table_prefix(table: TableId) -> str:
    """Return the folder of the table's data files, with its final slash."""
    return f"{_segment(table.schema)}/{_segment(table.name)}/"


def load_key(table: TableId, number: int) -> str:
    """Return the key of the table's ``number``-th full-load file.

    Raises:
        ValueError: The number does not fit eight hexadecimal digits or is not positive.
    """
    if not 0 < number <= MAX_LOAD_NUMBER:
        raise ValueError(f"full-load file numbers run from 1 to {MAX_LOAD_NUMBER}, not {number}")
    return f"{table_prefix(table)}LOAD{number:08X}.csv.gz"


def load_number(key: str) -> int | None:
    """Return the number of a full-load data file; None if the key names something else."""
    match = _LOAD_FILE.fullmatch(key.rpartition("/")[2])
    return int(match[1], 16) if match else None


def file_manifest_key(data_key: str) -> str:
    """Return where the manifest of a data file stands."""
    return f"_manifests/{data_key}.json"


def load_manifest_key(load_id: str) -> str:
    """Return where the manifest of a full load stands."""
    return f"{LOADS_PREFIX}{load_id}.json"


def fingerprints_key(load_id: str) -> str:
    """Return where the source's fingerprints of a full load stand."""
    return f"_manifests/fingerprints/{load_id}.json"


def contracts_prefix(table: TableId) -> str:
    """Return the folder of the table's contract versions, with its final slash."""
    return f"_contracts/{table_prefix(table)}"


def contract_key(table: TableId, version: int) -> str:
    """Return where one version of the table's contract stands."""
    return f"{contracts_prefix(table)}v{version:04d}.json"


def contract_version(key: str) -> int | None:
    """Return the version a contract's key names; None if it names something else."""
    match = _CONTRACT_FILE.fullmatch(key.rpartition("/")[2])
    return int(match[1]) if match else None


def _segment(name: str) -> str:
    """Return a PostgreSQL identifier as one safe path segment.

    Plain names stay as they are; others are percent-encoded, so that no identifier can
    leave its folder (``..``, ``a/b``) or be mistaken for ours (a leading underscore).
    """
    encoded = quote(name, safe="")
    if encoded[:1] in {".", "_"}:
        encoded = f"%{ord(encoded[0]):02X}{encoded[1:]}"
    return encoded

"""Names of the objects in bronze, and what they mean.

Data files are named as AWS DMS names them, so either replicator may have written them;
everything of our own stands under names that start with an underscore::

    public/orders/LOAD00000001.csv.gz                    rows of one full load
    public/orders/2026/11/23/20261123-143001123.csv.gz   changes, by the first one's commit time
    _manifests/public/orders/LOAD00000001.csv.gz.json    proof that the file is whole
    _manifests/loads/00000000018B4D10.json               one full load over all tables
    _manifests/changes/2026/11/23/00000000018B9F48.json  some whole transactions' changes of all tables
    _manifests/fingerprints/00000000018B4D10.json        what the source held at that moment
    _manifests/abandoned/lakeside/00000000018B9F48       a position from which nothing continues: the slot was lost
    _contracts/public/orders/v0001.json                  the shape the rows promise
    _contracts/public/orders/v0002.doubt                 why older rows are not known any more, if so

Source: AWS DMS user guide, "Using Amazon S3 as a target": the counter is eight
upper-case hexadecimal digits; files of changes are named by date, time and milliseconds.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from urllib.parse import quote

from etl.contracts.table import TableContract, TableId

OP_FIELD = "Op"
COMMITTED_AT_FIELD = "_committed_at"
CHANGE_SEQ_FIELD = "_change_seq"
OWN_FIELDS = (OP_FIELD, COMMITTED_AT_FIELD, CHANGE_SEQ_FIELD)
"""Fields every bronze file has besides the source's columns."""

UNCHANGED_FIELD = "_unchanged"
OLD_KEY_FIELD = "_old_key"
CHANGE_ONLY_FIELDS = (UNCHANGED_FIELD, OLD_KEY_FIELD)
"""Fields that only files of changes have: what the source did not send again, and the key before a change of it."""

LOADS_PREFIX = "_manifests/loads/"
CHANGES_PREFIX = "_manifests/changes/"
MAX_LOAD_NUMBER = 0xFFFFFFFF

_LOAD_FILE = re.compile(r"LOAD([0-9A-F]{8})\.csv\.gz")
_CHANGE_FILE = re.compile(r"(?:.*/)?(\d{8})-(\d{6})(\d{3})\.csv\.gz")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_CONTRACT_FILE = re.compile(r"v(\d{4,})\.json")
_DOUBT_FILE = re.compile(r"v(\d{4,})\.doubt")


def fields(contract: TableContract) -> tuple[str, ...]:
    """Return the header of the table's files, in order: op, commit time, columns, change sequence."""
    return (OP_FIELD, COMMITTED_AT_FIELD, *contract.column_names, CHANGE_SEQ_FIELD)


def change_fields(contract: TableContract) -> tuple[str, ...]:
    """Return the header of the table's files of changes: that of its full loads, then two more fields."""
    return (*fields(contract), *CHANGE_ONLY_FIELDS)


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


def change_key(table: TableId, milliseconds: int) -> str:
    """Return the key of a file of changes, named by a time in milliseconds since 1970, UTC."""
    moment = _EPOCH + timedelta(milliseconds=milliseconds)
    return f"{table_prefix(table)}{moment:%Y/%m/%d/%Y%m%d-%H%M%S}{milliseconds % 1000:03d}.csv.gz"


def change_milliseconds(key: str) -> int | None:
    """Return the time that a file of changes is named by; None if the key names something else."""
    match = _CHANGE_FILE.fullmatch(key)
    if match is None:
        return None
    moment = datetime.strptime(match[1] + match[2], "%Y%m%d%H%M%S").replace(tzinfo=UTC)
    return (moment - _EPOCH) // timedelta(milliseconds=1) + int(match[3])


def change_manifest_key(day: date, last_lsn_hex: str) -> str:
    """Return where the manifest of some transactions' changes stands."""
    return f"{CHANGES_PREFIX}{day:%Y/%m/%d}/{last_lsn_hex}.json"


def abandoned_prefix(slot: str) -> str:
    """Return the folder of the positions from which nothing continues a slot's changes, with its final slash."""
    return f"_manifests/abandoned/{_segment(slot)}/"


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


def doubt_key(table: TableId, version: int) -> str:
    """Return where it stands that rows older than a contract version are not known any more."""
    return f"{contracts_prefix(table)}v{version:04d}.doubt"


def doubted_version(key: str) -> int | None:
    """Return the contract version that a doubt's key names; None if it names something else."""
    match = _DOUBT_FILE.fullmatch(key.rpartition("/")[2])
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

"""Job: take a full load that DMS has landed into bronze, checked and committed as a load of ours."""

from __future__ import annotations

import json
import time
from contextlib import closing
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path

import psycopg

from etl.bronze.directory import DirectoryStore
from etl.bronze.layout import fingerprints_key
from etl.contracts.source import first_line, open_source, read_contracts
from etl.contracts.store import record_contract
from etl.contracts.table import TableContract, TableId
from etl.jobs.full_load import FullLoadResult, LoadedTable
from etl.jobs.progress import Progress
from etl.ports.job_runner import JobRefusedError
from etl.ports.object_store import ObjectStore
from etl.ports.replicator import SourceUnavailableError
from etl.quality.fingerprint import Fingerprint, source_fingerprint_sql
from etl.replicate.dms_intake import DmsLoad, position_of, take_load
from etl.replicate.lsn import Lsn


@dataclass(frozen=True, slots=True, kw_only=True)
class DmsIntake:
    """What the job needs to know."""

    lake_uri: str
    landing_uri: str
    """Where the task's target endpoint writes."""
    request_id: str
    """A repeated request gets the load it already has."""
    task: str
    """The task's name, for sentences."""
    started_at: str
    """When DMS began the load, ISO 8601 with zone."""
    tables: tuple[str, ...]
    rows: tuple[int, ...]
    """What DMS counted, table by table."""
    source_url: str = field(repr=False)
    """Role that reads every row: contracts and fingerprints come from the source itself."""


def run(
    arguments: DmsIntake, progress: Progress, *, store: ObjectStore | None = None, landing: ObjectStore | None = None
) -> FullLoadResult:
    """Take the load in and return what it holds.

    The source is fingerprinted now, not as of the load, which DMS reads table by table while
    the source goes on: rows that change in between are a difference that reconciliation
    finds, and a later run does not.

    Args:
        arguments: Which load.
        progress: Told ``rows`` by table.
        store: Bronze, where it is not the folder ``<lake_uri>/bronze``.
        landing: The landing zone, where it is not the folder ``landing_uri``.

    Raises:
        JobRefusedError: The tables and their rows do not pair up.
        SourceUnavailableError: The source did not answer.
        Whatever `etl.replicate.dms_intake.take_load` raises.
    """
    started = time.monotonic()
    if len(arguments.tables) != len(arguments.rows):
        raise JobRefusedError("The job needs one count of rows for every table.")
    bronze = store or DirectoryStore(Path(arguments.lake_uri) / "bronze")
    counted = dict(zip(map(TableId.parse, arguments.tables), arguments.rows, strict=True))
    contracts, fingerprints = _read_source(arguments.source_url, list(counted))
    recorded = {contract.table: record_contract(bronze, contract) for contract in contracts}
    rows = dict.fromkeys(map(str, counted), 0)

    def on_rows(table: TableId, more: int) -> None:
        rows[str(table)] += more
        progress.update(rows=dict(rows))

    started_at = datetime.fromisoformat(arguments.started_at)
    _record(bronze, fingerprints_key(Lsn(position_of(started_at)).hex), fingerprints)
    manifest = take_load(
        landing or DirectoryStore(Path(arguments.landing_uri)),
        bronze,
        DmsLoad(request_id=arguments.request_id, started_at=started_at, rows=counted),
        recorded,
        on_rows=on_rows,
    )
    return FullLoadResult(
        load_id=manifest.load_id,
        lsn=manifest.lsn,
        snapshot_at=manifest.snapshot_at,
        tables=tuple(
            LoadedTable(
                table=str(table),
                rows=sum(file.rows for file in manifest.files_of(table)),
                files=len(manifest.files_of(table)),
                size_bytes=sum(file.size_bytes for file in manifest.files_of(table)),
                fingerprint=fingerprints.get(table),
            )
            for table in manifest.tables
        ),
        seconds=time.monotonic() - started,
    )


def _record(bronze: ObjectStore, key: str, fingerprints: dict[TableId, Fingerprint]) -> None:
    """Keep the source's fingerprints, unless an earlier try has."""
    if not any(bronze.list(key)):
        document = {str(table): asdict(fingerprint) for table, fingerprint in fingerprints.items()}
        bronze.put(key, json.dumps(document, indent=1, sort_keys=True).encode())


def _read_source(url: str, tables: list[TableId]) -> tuple[list[TableContract], dict[TableId, Fingerprint]]:
    """Return contracts and fingerprints, both from one snapshot of the source."""
    with closing(open_source(url)) as connection:
        try:
            connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
            contracts = read_contracts(connection, tables)
            fingerprints = {}
            for contract in contracts:
                row = connection.execute(source_fingerprint_sql(contract)).fetchone()
                assert row is not None
                rows, hash_hi, hash_lo = (int(value or 0) for value in row)
                fingerprints[contract.table] = Fingerprint(rows=rows, hash_hi=hash_hi, hash_lo=hash_lo)
        except psycopg.OperationalError as error:
            raise SourceUnavailableError(f"The source database stopped answering: {first_line(error)}.") from error
    return contracts, fingerprints

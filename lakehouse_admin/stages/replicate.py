"""REPLICATE: one consistent copy of the source's tables lands in bronze."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from etl.bronze.layout import load_manifest_key
from etl.bronze.manifest import LoadManifest
from etl.ports import Lakehouse
from etl.ports.job_runner import JobLostError
from etl.ports.replicator import LoadState, LoadStatus
from lakehouse_admin.actions.find_table import tables_of
from lakehouse_admin.models import StageRun
from lakehouse_admin.stages.work import Done, Failure, Outcome, Working


class Replicate:
    """Asks the `Replicator` for a full load and reads its manifest."""

    def start(self, attempt: StageRun, lakehouse: Lakehouse) -> str:
        """Request the load; the attempt's key names it."""
        lakehouse.replicator.start_full_load(request_id=attempt.key, tables=tables_of(attempt.run))
        return attempt.key

    def poll(self, attempt: StageRun, lakehouse: Lakehouse) -> Outcome:
        """Translate the load's status; once it succeeded, take its counts from the manifest in bronze."""
        status = lakehouse.replicator.load_status(attempt.key)
        if status.state is LoadState.RUNNING:
            rows = {load.table.lake_name: load.rows for load in status.tables}
            return Working(progress={"tables": rows}, heartbeat_at=status.heartbeat_at, usage=status.usage)
        if status.state is not LoadState.SUCCEEDED or status.load_id is None:
            return _failure(status)
        manifest = LoadManifest.from_json(lakehouse.store.get(load_manifest_key(status.load_id)))
        return replace(_done(manifest), usage=status.usage)

    def cancel(self, attempt: StageRun, lakehouse: Lakehouse) -> None:
        """Stop the load; files without a load manifest are ignored by readers."""
        lakehouse.replicator.cancel_full_load(attempt.key)


def _done(manifest: LoadManifest) -> Done:
    tables: dict[str, dict[str, object]] = {}
    for table in manifest.tables:
        files = manifest.files_of(table)
        tables[table.lake_name] = {
            "bronze_rows": sum(file.rows for file in files),
            "bronze_bytes": sum(file.size_bytes for file in files),
            "bronze_files": len(files),
        }
    rows = sum(file.rows for file in manifest.files)
    return Done(
        summary=f"{rows:,} rows of {len(tables)} tables landed in bronze.",
        result={"load_id": manifest.load_id, "rows": rows},
        run={
            "load_id": manifest.load_id,
            "source_lsn": manifest.lsn,
            "as_of": datetime.fromisoformat(manifest.snapshot_at),
        },
        tables=tables,
    )


def _failure(status: LoadStatus) -> Failure:
    if status.state is LoadState.FAILED and status.error_class:
        return Failure(
            error_class=status.error_class,
            message=status.error_message or "The full load failed.",
            log_tail=status.log_tail,
            usage=status.usage,
        )
    return Failure.of(JobLostError("The full load ended without a result."))

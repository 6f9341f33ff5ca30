"""Runs and overviews as JSON-ready documents, for ``--json`` and for whoever reads them by program."""

from __future__ import annotations

from datetime import datetime

from lakehouse_admin.costs.run_cost import run_cost
from lakehouse_admin.models import PipelineRun, PublicationRecord
from lakehouse_admin.status.overview import Overview


def run_document(run: PipelineRun) -> dict[str, object]:
    """Return a run with its stages and tables."""
    publication = PublicationRecord.objects.filter(run=run).first()
    return {
        **run_summary(run),
        "publication": publication.number if publication else None,
        "load_id": run.load_id or None,
        "as_of": _time(run.as_of),
        "error": run.error_message or None,
        "error_class": run.error_class or None,
        "guidance": run.guidance or None,
        "settings": run.settings,
        "cost": _cost(run),
        "stages": [
            {
                "stage": attempt.stage,
                "attempt": attempt.attempt,
                "state": attempt.state,
                "started_at": _time(attempt.started_at),
                "finished_at": _time(attempt.finished_at),
                "error": attempt.error_message or None,
            }
            for attempt in run.stage_runs.all()
        ],
        "tables": [
            {
                "table": result.table,
                "source_rows": result.source_rows,
                "bronze_rows": result.bronze_rows,
                "silver_rows": result.silver_rows,
                "rejected_rows": result.rejected_rows,
                "reconciliation": result.reconciliation,
            }
            for result in run.table_results.all()
        ],
    }


def run_summary(run: PipelineRun) -> dict[str, object]:
    """Return a run in one line."""
    return {
        "run": run.pk,
        "state": run.state,
        "trigger": run.trigger,
        "requested_at": _time(run.requested_at),
        "started_at": _time(run.started_at),
        "finished_at": _time(run.finished_at),
        "seconds": run.seconds,
    }


def overview_document(overview: Overview) -> dict[str, object]:
    """Return an overview with its latest runs."""
    publication = overview.publication
    return {
        "pipeline": overview.pipeline.key,
        "health": overview.health.value,
        "reason": overview.reason,
        "freshness_seconds": overview.freshness_seconds,
        "publication": None
        if publication is None
        else {
            "number": publication.number,
            "run": publication.run_id,
            "published_at": _time(publication.published_at),
            "as_of": _time(publication.as_of),
            "tables": {pin["table"]: pin["rows"] for pin in publication.pins},
        },
        "tables": {table.table: table.state for table in overview.tables},
        "promises": [
            {
                "table": each.table,
                "promised_seconds": each.promised_seconds,
                "age_seconds": each.age_seconds,
                "kept": each.is_kept,
            }
            for each in overview.promises
        ],
        "replication": {
            "standing": overview.replication.standing.value,
            "lag_bytes": overview.replication.lag_bytes,
            "durable_lsn": overview.replication.durable_lsn,
        },
        "follower": {
            "standing": overview.follower.standing.value,
            "state": overview.follower.phase.value if overview.follower.phase else None,
            "written_at": _time(overview.follower.written_at),
            "publication": overview.follower.publication,
            "lag_bytes": overview.follower.lag_bytes,
            "message": overview.follower.message or None,
            "guidance": overview.follower.guidance or None,
            "failed_tables": dict(overview.follower.failed_tables),
            "failed_models": dict(overview.follower.failed_models),
        },
        "held_back": None
        if overview.held_back is None
        else {
            "run": overview.held_back.run.pk,
            "as_of": _time(overview.held_back.as_of),
            "since": _time(overview.held_back.since),
            "why": overview.held_back.why,
        },
        "runs": [run_summary(run) for run in overview.runs],
    }


def _cost(run: PipelineRun) -> dict[str, object] | None:
    cost = run_cost(run)
    if cost is None:
        return None
    return {"amount": f"{cost.total:f}", "currency": cost.currency, "charged": cost.is_charged}


def _time(at: datetime | None) -> str | None:
    return at.isoformat() if at else None

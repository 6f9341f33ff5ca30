"""How many rows silver's tables had in earlier runs: what `volume` checks compare with."""

from __future__ import annotations

from etl.quality.volume import HISTORY_RUNS
from lakehouse_admin.models import PipelineRun, TableResult
from lakehouse_admin.states import RunState


def row_history(pipeline_id: int, *, before: int) -> dict[str, list[int]]:
    """Return each table's row counts in the latest published runs, oldest first.

    Runs that were withheld teach nothing: their counts may be what the check is there to notice.

    Args:
        pipeline_id: Whose runs.
        before: Only runs older than this one.
    """
    runs = PipelineRun.objects.filter(pipeline_id=pipeline_id, pk__lt=before, state=RunState.SUCCEEDED)
    latest = list(runs.order_by("-pk").values_list("pk", flat=True)[:HISTORY_RUNS])
    counts = TableResult.objects.filter(run_id__in=latest, silver_rows__isnull=False).order_by("run_id")
    history: dict[str, list[int]] = {}
    for table, rows in counts.values_list("table", "silver_rows"):
        history.setdefault(table, []).append(rows or 0)
    return history

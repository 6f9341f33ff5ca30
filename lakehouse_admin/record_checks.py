"""Write down what a stage's checks found, and let go of what nobody looks at any more."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from lakehouse_admin.models import CheckResult, PipelineRun
from lakehouse_admin.stages.work import Facts
from lakehouse_admin.states import Stage

KEPT_RUNS = 500
"""Runs whose check results are kept: a check's history, without a table that grows for ever."""

_FIELDS = ("table", "name", "dimension", "severity", "verdict", "failing_rows", "explanation", "sample")


def record_checks(run: PipelineRun, stage: Stage, checks: Sequence[Facts], *, at: datetime) -> None:
    """Replace the results of the stage's earlier attempts in this run; nothing if there are none."""
    if not checks:
        return
    CheckResult.objects.filter(run=run, stage=stage).delete()
    once = {
        (each["table"], each["name"]): CheckResult(
            run=run, stage=stage, checked_at=at, **{name: each[name] for name in _FIELDS}
        )
        for each in checks
    }
    CheckResult.objects.bulk_create(once.values())
    CheckResult.objects.filter(run__pipeline=run.pipeline_id, run__lt=run.pk - KEPT_RUNS).delete()

"""What a run that was stopped leaves behind: said when it is cancelled."""

from __future__ import annotations

from lakehouse_admin.models import PipelineRun, PublicationRecord
from lakehouse_admin.states import Stage, StageState, Trigger


def what_was_kept(run: PipelineRun) -> str:
    """Say what of the run's work stays, zone by zone."""
    done = set(run.stage_runs.filter(state=StageState.SUCCEEDED).values_list("stage", flat=True))
    begun = set(run.stage_runs.filter(started_at__isnull=False).values_list("stage", flat=True))
    if run.trigger == Trigger.MAINTENANCE:
        return "What was done stands; the next maintenance goes on."
    newest = PublicationRecord.objects.first()
    readers = f"Readers keep {newest}." if newest else "Nothing has been published yet."
    return " ".join([_bronze(run, done), _committed(done, begun), readers]).replace("  ", " ")


def _bronze(run: PipelineRun, done: set[str]) -> str:
    if Stage.REPLICATE in done:
        return f"Bronze keeps load {run.load_id}."
    return "Bronze keeps no new load."


def _committed(done: set[str], begun: set[str]) -> str:
    """Silver and gold commit table by table, so a stage that was ended may have committed some."""
    sentences = []
    for stage in (Stage.SILVER, Stage.GOLD):
        if stage in done:
            sentences.append(f"{stage.label} keeps what it computed.")
        elif stage in begun:
            sentences.append(f"{stage.label} keeps the tables that were committed, whole, and the others as they were.")
    return " ".join(sentences)

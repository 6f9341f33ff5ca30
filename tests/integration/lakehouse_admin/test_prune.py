"""History leaves by one door."""

from __future__ import annotations

from datetime import timedelta

import pytest

from lakehouse_admin.actions import prune_history as module
from lakehouse_admin.actions.cancel_run import cancel_run
from lakehouse_admin.models import AuditEntry, PipelineRun, RunEvent
from tests.integration.lakehouse_admin.conftest import NOW
from tests.integration.lakehouse_admin.test_command import Answer

pytestmark = [pytest.mark.integration, pytest.mark.usefixtures("control_plane")]


def test_old_history_is_removed_in_batches_and_young_history_stays(run: PipelineRun, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(module, "_BATCH_ROWS", 2)
    old = NOW - timedelta(days=400)
    RunEvent.objects.bulk_create(RunEvent(run=run, at=old, name="old", message="Old.") for _ in range(5))
    AuditEntry.objects.create(at=old, actor="somebody", action="old", subject_kind="run", subject="1")
    cancel_run(run_id=run.pk, now=NOW)

    removed = module.prune_history(before=NOW - timedelta(days=365), now=NOW)

    assert removed == {"lakehouse_run_events": 5, "lakehouse_audit_entries": 1}
    assert not RunEvent.objects.filter(name="old").exists()
    assert run.events.filter(name="cancellation_requested").exists()
    assert AuditEntry.objects.get(action="history_pruned").after["lakehouse_run_events"] == 5


@pytest.mark.parametrize("days", ["0", "6", "-1"])
def test_a_week_is_always_kept(run: PipelineRun, days: str):
    answer = Answer("prune", "--keep-days", days)

    assert answer.code == 1
    assert "always kept" in answer.err
    assert run.events.exists()


def test_the_verb_says_what_it_removed():
    assert Answer("prune", "--json").document == {"lakehouse_run_events": 0, "lakehouse_audit_entries": 0}

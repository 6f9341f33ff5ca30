"""QUALITY: silver is compared with the source as of the load's own LSN, and its checks are run.

A difference, or a blocking check that fails, stops the run: readers keep what they had.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, ClassVar

from etl.errors import LakehouseError
from lakehouse_admin.models import StageRun
from lakehouse_admin.stages.check_sentences import blocked_sentence, checks_sentence
from lakehouse_admin.stages.work import Done, Facts, Failure, JobWork
from lakehouse_admin.states import Reconciliation
from lakehouse_admin.status.row_history import row_history


class NotReconciledError(LakehouseError):
    """Silver does not hold the rows that the source had."""

    guidance: ClassVar[str] = (
        "Readers keep the previous publication. Look at the tables marked Different and at the quarantine; "
        "a retry copies the source again."
    )


class SilverCheckFailedError(LakehouseError):
    """Silver's rows break a check that blocks publication."""

    guidance: ClassVar[str] = (
        "Readers keep the previous publication. The run's page lists the checks with the keys of rows at fault: "
        "correct them at the source, then start a new run or retry this one, which copies the source again."
    )


class Quality(JobWork):
    """The job ``reconcile``, over the fingerprints that the full load took of the source, and silver's suites."""

    job = "reconcile"

    def arguments(self, attempt: StageRun) -> Facts:
        """Name the load, beside which stands what the source held, and the row counts of earlier runs."""
        history = row_history(attempt.run.pipeline_id, before=attempt.run_id)
        return {"load_id": attempt.run.load_id, "checked": True, "history": history}

    def done(self, attempt: StageRun, result: Facts) -> Done | Failure:  # noqa: ARG002 - the base class's signature
        """Record what each comparison and check found; fail unless all are equal and none blocks."""
        compared: list[dict[str, Any]] = list(result["tables"])  # type: ignore[call-overload]
        checks: list[dict[str, Any]] = list(result.get("checks", ()))  # type: ignore[call-overload]
        tables = {each["table"]: _fields(each) for each in compared}
        found = {key: value for key, value in result.items() if key != "checks"}
        different = sorted(each["table"] for each in compared if not each["equal"])
        problem = blocked_sentence(checks)
        if different:
            message = f"Silver differs from the source in {', '.join(different)}. {problem}".rstrip()
            return replace(Failure.of(NotReconciledError(message)), result=found, tables=tables, checks=checks)
        if problem:
            return replace(Failure.of(SilverCheckFailedError(problem)), result=found, tables=tables, checks=checks)
        summary = f"All {len(tables)} tables equal the source. {checks_sentence(checks)}".rstrip()
        return Done(summary=summary, result=found, tables=tables, checks=checks)


def _fields(compared: Mapping[str, Any]) -> Facts:
    return {
        "source_rows": compared["source_rows"],
        "silver_rows": compared["silver_rows"],
        "source_hash": compared["source_hash"],
        "silver_hash": compared["silver_hash"],
        "reconciliation": Reconciliation.EQUAL if compared["equal"] else Reconciliation.DIFFERENT,
    }

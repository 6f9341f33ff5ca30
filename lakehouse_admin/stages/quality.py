"""QUALITY: silver is compared with the source as of the load's own LSN; any difference stops the run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, ClassVar

from etl.errors import LakehouseError
from lakehouse_admin.models import StageRun
from lakehouse_admin.stages.work import Done, Facts, Failure, JobWork
from lakehouse_admin.states import Reconciliation


class NotReconciledError(LakehouseError):
    """Silver does not hold the rows that the source had."""

    guidance: ClassVar[str] = (
        "Readers keep the previous publication. Look at the tables marked Different and at the quarantine; "
        "a retry copies the source again."
    )


class Quality(JobWork):
    """The job ``reconcile``, over the fingerprints that the full load took of the source."""

    job = "reconcile"

    def arguments(self, attempt: StageRun) -> Facts:
        """Name the load; what the source held stands beside its manifest."""
        return {"load_id": attempt.run.load_id}

    def done(self, attempt: StageRun, result: Facts) -> Done | Failure:  # noqa: ARG002 - the base class's signature
        """Record what each table's comparison found; fail unless all are equal."""
        compared: list[dict[str, Any]] = list(result["tables"])  # type: ignore[call-overload]
        tables = {each["table"]: _fields(each) for each in compared}
        different = sorted(each["table"] for each in compared if not each["equal"])
        if different:
            message = f"Silver differs from the source in {', '.join(different)}."
            return replace(Failure.of(NotReconciledError(message)), result=result, tables=tables)
        return Done(summary=f"All {len(tables)} tables equal the source.", result=result, tables=tables)


def _fields(compared: Mapping[str, Any]) -> Facts:
    return {
        "source_rows": compared["source_rows"],
        "silver_rows": compared["silver_rows"],
        "source_hash": compared["source_hash"],
        "silver_hash": compared["silver_hash"],
        "reconciliation": Reconciliation.EQUAL if compared["equal"] else Reconciliation.DIFFERENT,
    }

"""SILVER: bronze is conformed and becomes the current rows of each table."""

from __future__ import annotations

from typing import Any

from lakehouse_admin.models import StageRun
from lakehouse_admin.stages.work import Done, Facts, JobWork


class Silver(JobWork):
    """The job ``bronze_to_silver``, for the run's full load."""

    job = "bronze_to_silver"

    def arguments(self, attempt: StageRun) -> Facts:
        """Name the load to apply."""
        return {"load_id": attempt.run.load_id}

    def done(self, attempt: StageRun, result: Facts) -> Done:  # noqa: ARG002 - the base class's signature
        """Take the counts per table."""
        applied: list[dict[str, Any]] = list(result["tables"])  # type: ignore[call-overload]
        tables: dict[str, Facts] = {
            each["table"]: {
                "silver_rows": each["rows"],
                "rejected_rows": each["rejects"],
                "silver_bytes": each["size_bytes"],
                "tenant_rows": each["tenant_rows"],
            }
            for each in applied
        }
        rows = sum(each["rows"] for each in applied)
        rejects = sum(each["rejects"] for each in applied)
        rejected = f", {rejects:,} rejected" if rejects else ""
        return Done(summary=f"{rows:,} rows are current in silver{rejected}.", result=result, tables=tables)

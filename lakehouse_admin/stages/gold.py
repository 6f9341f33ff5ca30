"""GOLD: every model is computed from silver."""

from __future__ import annotations

from typing import Any

from lakehouse_admin.models import StageRun
from lakehouse_admin.stages.work import Done, Facts, JobWork


class Gold(JobWork):
    """The job ``silver_to_gold``."""

    job = "silver_to_gold"

    def arguments(self, attempt: StageRun) -> Facts:
        """Say at which source time silver stands."""
        assert attempt.run.as_of is not None
        return {"as_of": attempt.run.as_of.isoformat()}

    def done(self, attempt: StageRun, result: Facts) -> Done:  # noqa: ARG002 - the base class's signature
        """Name the tables that the run publishes."""
        models: list[dict[str, Any]] = list(result["models"])  # type: ignore[call-overload]
        rows = sum(each["rows"] for each in models)
        return Done(summary=f"{len(models)} models stand at {rows:,} rows.", result=result)

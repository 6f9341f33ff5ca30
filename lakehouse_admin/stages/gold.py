"""GOLD: every model is computed from silver."""

from __future__ import annotations

from typing import Any

from lakehouse_admin.models import StageRun
from lakehouse_admin.stages.check_sentences import checks_sentence
from lakehouse_admin.stages.work import Done, Facts, Failure, JobWork

_INCOMPLETE = "etl.gold.results.GoldIncompleteError"
"""By name, as jobs report their errors: its module loads engines that a worker does without."""


class Gold(JobWork):
    """The job ``silver_to_gold``."""

    job = "silver_to_gold"

    def arguments(self, attempt: StageRun) -> Facts:
        """Say at which source time silver stands."""
        assert attempt.run.as_of is not None
        return {"as_of": attempt.run.as_of.isoformat()}

    def done(self, attempt: StageRun, result: Facts) -> Done | Failure:  # noqa: ARG002 - the base class's signature
        """Name the tables that the run publishes; fail if a model could not be brought up to date."""
        models: list[dict[str, Any]] = list(result["models"])  # type: ignore[call-overload]
        checks = [check for each in models for check in each.get("checks", ())]
        found = {**result, "models": [{**each, "checks": []} for each in models]}
        problem = result.get("problem")
        if problem:
            return Failure(error_class=_INCOMPLETE, message=str(problem), result=found, checks=checks)
        rows = sum(each["rows"] for each in models)
        summary = f"{len(models)} models stand at {rows:,} rows. {checks_sentence(checks)}".rstrip()
        return Done(summary=summary, result=found, checks=checks)

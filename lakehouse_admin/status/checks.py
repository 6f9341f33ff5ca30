"""What the checks of a run found, those first that somebody should look at."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from lakehouse_admin.models import CheckResult, PipelineRun
from lakehouse_admin.states import CheckVerdict

_WORST_FIRST = (CheckVerdict.BLOCKED, CheckVerdict.WARNED, CheckVerdict.NOT_JUDGED, CheckVerdict.PASSED)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunChecks:
    """A run's check results."""

    failing: tuple[CheckResult, ...]
    """Those that block, then those that warn."""
    not_judged: tuple[CheckResult, ...]
    passed: tuple[CheckResult, ...]

    @property
    def all(self) -> tuple[CheckResult, ...]:
        """Every result, worst first."""
        return (*self.failing, *self.not_judged, *self.passed)


def run_checks(run: PipelineRun) -> RunChecks:
    """Read a run's check results: one query."""
    results = sorted(run.check_results.all(), key=lambda each: (_WORST_FIRST.index(each.verdict_choice), each.table))
    by_verdict: Mapping[CheckVerdict, list[CheckResult]] = {verdict: [] for verdict in _WORST_FIRST}
    for each in results:
        by_verdict[each.verdict_choice].append(each)
    return RunChecks(
        failing=(*by_verdict[CheckVerdict.BLOCKED], *by_verdict[CheckVerdict.WARNED]),
        not_judged=tuple(by_verdict[CheckVerdict.NOT_JUDGED]),
        passed=tuple(by_verdict[CheckVerdict.PASSED]),
    )


def checks_document(run: PipelineRun) -> list[dict[str, object]]:
    """Return a run's check results as JSON-ready documents, worst first."""
    return [
        {
            "table": each.table,
            "name": each.name,
            "stage": each.stage,
            "dimension": each.dimension,
            "severity": each.severity,
            "verdict": each.verdict,
            "failing_rows": each.failing_rows,
            "explanation": each.explanation or None,
            "sample": each.sample,
            "checked_at": each.checked_at.isoformat(),
        }
        for each in run_checks(run).all
    ]

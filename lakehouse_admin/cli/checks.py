"""List what the checks of a run found; exit 1 if one of them forbade its publication."""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Mapping
from typing import ClassVar, cast

from etl.errors import OperatorError
from lakehouse_admin.cli.verb import FAILURE, SUCCESS, Output
from lakehouse_admin.models import CheckResult, PipelineRun
from lakehouse_admin.states import CheckVerdict
from lakehouse_admin.status.checks import checks_document, run_checks


class NothingCheckedError(OperatorError):
    """No run has checked anything yet."""

    guidance: ClassVar[str] = "Start a run with `manage.py lakehouse run`, or name another: `manage.py lakehouse runs`."


def add_arguments(parser: ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--run", type=int, help="the run; the newest with results unless given")
    parser.add_argument("--all", action="store_true", help="name the checks that passed as well")


def handle(options: Mapping[str, object], output: Output) -> int:
    """Print the checks, worst first, with the keys of rows at fault.

    Raises:
        NothingCheckedError: The run has no results, or no run has any.
    """
    run = _run(cast("int | None", options["run"]))
    checks = run_checks(run)
    if output.as_json:
        output.document({"run": run.pk, "checks": checks_document(run)})
    else:
        shown = checks.all if options["all"] else (*checks.failing, *checks.not_judged)
        _print(shown, output)
        output.lines(
            f"{run}: {len(checks.passed)} passed, {len(checks.failing)} failed, {len(checks.not_judged)} not judged."
        )
    return FAILURE if any(each.verdict == CheckVerdict.BLOCKED for each in checks.failing) else SUCCESS


def _run(number: int | None) -> PipelineRun:
    if number is None:
        runs = PipelineRun.objects.filter(check_results__isnull=False)
    else:
        runs = PipelineRun.objects.filter(pk=number, check_results__isnull=False)
    run = runs.order_by("-pk").first()
    if run is None:
        raise NothingCheckedError(None if number is None else f"Run {number} has checked nothing, or does not exist.")
    return run


def _print(shown: tuple[CheckResult, ...], output: Output) -> None:
    if not shown:
        return
    header = ("table", "check", "dimension", "severity", "rows at fault", "verdict")
    rows = [
        (
            each.table,
            each.name,
            each.dimension,
            each.severity,
            f"{each.failing_rows:,}",
            each.verdict_choice.label,
        )
        for each in shown
    ]
    output.table(header, rows, right=frozenset({4}))
    for each in shown:
        if each.explanation:
            output.lines(f"{each}: {each.explanation}")
        if each.sample:
            output.lines(f"{each}: {each.keys_at_fault}")
    output.lines("")

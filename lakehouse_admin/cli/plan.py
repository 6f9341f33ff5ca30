"""Say what a run would do, without doing it."""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Mapping, Sequence
from typing import cast

from django.utils import timezone

from lakehouse_admin.cli.verb import SUCCESS, Output
from lakehouse_admin.models import Pipeline
from lakehouse_admin.status.plan import Plan, plan_document, plan_run
from lakehouse_admin.wiring import price_book, replication


def add_arguments(parser: ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--table", action="append", default=[], help="only this table; may be repeated")


def handle(options: Mapping[str, object], output: Output) -> int:
    """Print tables, stages, and what would come of them.

    Raises:
        AllTablesLeftOutError: The run would load no table.
    """
    plan = plan_run(
        Pipeline.objects.default(),
        replication=replication(now=timezone.now()),
        prices=price_book(),
        tables=cast("Sequence[str]", options["table"]),
    )
    if output.as_json:
        output.document(plan_document(plan))
    else:
        _print(plan, output)
    return SUCCESS


def _print(plan: Plan, output: Output) -> None:
    tables = [(each.table, _count(each.rows), _count(each.size_bytes)) for each in plan.tables]
    output.table(
        ("table", "rows", "bytes"),
        [*tables, ("all", _count(plan.rows), _count(plan.size_bytes))],
        right=frozenset({1, 2}),
    )
    if plan.left_out:
        output.lines(f"Left out: {', '.join(plan.left_out)}.")
    output.lines("")
    stages = [(each.stage.label, _seconds(each.seconds), f"{each.from_runs} runs") for each in plan.stages]
    output.table(
        ("stage", "takes about", "as in the last"), [*stages, ("all", _seconds(plan.seconds), "")], right=frozenset({1})
    )
    output.lines(
        "", f"Computes {len(plan.models)} gold models and makes publication {plan.publication}, for all tenants."
    )
    if plan.waits_behind:
        output.lines(f"Waits for {', '.join(str(run) for run in plan.waits_behind)}.")
    output.lines(plan.cost.sentence)


def _count(number: int | None) -> str:
    return "?" if number is None else f"{number:,}"


def _seconds(seconds: float | None) -> str:
    return "?" if seconds is None else f"{seconds:.1f} s"

"""Draws `docs/states.md` from `lakehouse_admin.states` and `lakehouse_admin.retry`."""

from __future__ import annotations

from typing import Any

from lakehouse_admin.retry import POLICIES, Policy, Verdict
from lakehouse_admin.states import ALERT, DATA_STAGES, HEALTH_MEANINGS, PIPELINE, RUN, STAGE, TABLE, Machine

_HEAD = """\
# States

Written by `manage.py lakehouse states` from `lakehouse_admin/states.py` and `retry.py`; a test compares.
The code refuses every move that is not drawn here, and the database every value.

A run passes through these stages, in order: {stages}. Quality and Gold go side by side.
A run that maintains the lake has one stage of its own, Maintain.
"""


def states_page() -> str:
    """Return the page as Markdown."""
    stages = ", ".join(stage.label for stage in DATA_STAGES)
    parts = [_HEAD.format(stages=stages), *(_machine(machine) for machine in (RUN, STAGE, TABLE, PIPELINE, ALERT))]
    return "\n".join([*parts, _health(), _policies()])


def _machine(machine: Machine[Any]) -> str:
    drawn = [f"    [*] --> {machine.first.value}"]
    for before in machine.meanings:
        after = [state for state in machine.meanings if machine.allows(before, state)]
        drawn += [f"    {before.value} --> {state.value}" for state in after] or [f"    {before.value} --> [*]"]
    rows = [f"| `{state.value}` | {state.label} | {meaning} |" for state, meaning in machine.meanings.items()]
    return "\n".join(
        [
            f"## {machine.title}",
            "",
            "```mermaid",
            "stateDiagram-v2",
            *drawn,
            "```",
            "",
            "| state | shown as | meaning |",
            "|---|---|---|",
            *rows,
            "",
        ]
    )


def _health() -> str:
    rows = [f"| {health.label} | {meaning} |" for health, meaning in HEALTH_MEANINGS.items()]
    return "\n".join(
        ["## Health", "", "Derived, never stored; worst first.", "", "| shown as | when |", "|---|---|", *rows, ""]
    )


def _policies() -> str:
    rows = [f"| `{kind.__name__}` | {_what(policy)} |" for kind, policy in POLICIES.items()]
    note = "An error is looked up by its class, then by its bases."
    return "\n".join(["## What follows an error", "", note, "", "| error | then |", "|---|---|", *rows, ""])


def _what(policy: Policy) -> str:
    if policy.verdict is Verdict.RETRY:
        waits = ", ".join(f"{seconds:g}" for seconds in policy.backoff_seconds)
        return f"try again after {waits} s, then fail"
    resume = f"; a person's retry begins at {policy.resume_at.label}" if policy.resume_at else ""
    return f"{policy.verdict.value}{resume}"

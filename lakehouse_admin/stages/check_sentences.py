"""What the checks of a stage found, in one sentence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from lakehouse_admin.states import CheckVerdict

_NAMED = 5
"""Failing checks that a sentence names; the run's page lists all."""


def checks_sentence(checks: Sequence[Mapping[str, Any]]) -> str:
    """Return ``74 checks passed, 1 warns.``; empty without checks."""
    if not checks:
        return ""
    passed = sum(each["verdict"] == CheckVerdict.PASSED for each in checks)
    warned = sum(each["verdict"] == CheckVerdict.WARNED for each in checks)
    waiting = sum(each["verdict"] == CheckVerdict.NOT_JUDGED for each in checks)
    said = [f"{passed} {'check' if passed == 1 else 'checks'} passed"]
    if warned:
        said.append(f"{warned} {'warns' if warned == 1 else 'warn'}")
    if waiting:
        said.append(f"{waiting} not judged yet")
    return f"{', '.join(said)}."


def blocked_sentence(checks: Sequence[Mapping[str, Any]]) -> str:
    """Name the checks that forbid publication; empty if none does."""
    blocked = [each for each in checks if each["verdict"] == CheckVerdict.BLOCKED]
    if not blocked:
        return ""
    named = [f"{each['name']} of {each['table']} ({_fault(each)})" for each in blocked[:_NAMED]]
    more = f" and {len(blocked) - _NAMED} more" if len(blocked) > _NAMED else ""
    return f"Blocking checks failed: {', '.join(named)}{more}."


def _fault(check: Mapping[str, Any]) -> str:
    """Say what was found: a number of rows, or the explanation where no row is at fault."""
    rows: int = check["failing_rows"]
    if not rows:
        return str(check["explanation"]).removesuffix(".")
    return "1 row" if rows == 1 else f"{rows:,} rows"

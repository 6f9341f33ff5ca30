"""How the console prints states, durations and counts."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal

from django import template
from django.db.models import TextChoices
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from lakehouse_admin.costs.money import shown
from lakehouse_admin.states import (
    AlertState,
    CheckVerdict,
    Health,
    PipelineState,
    Reconciliation,
    RunState,
    StageState,
    TablePhase,
)

register = template.Library()

TONES: Mapping[str, tuple[TextChoices, ...]] = {
    "good": (
        RunState.SUCCEEDED,
        StageState.SUCCEEDED,
        Health.HEALTHY,
        Reconciliation.EQUAL,
        PipelineState.ACTIVE,
        Health.IDLE,
        TablePhase.FOLLOWING,
        AlertState.RESOLVED,
        CheckVerdict.PASSED,
    ),
    "busy": (RunState.RUNNING, StageState.RUNNING, Health.RUNNING, TablePhase.LOADING, TablePhase.RESYNCING),
    "wait": (
        RunState.QUEUED,
        StageState.PENDING,
        PipelineState.PAUSED,
        Health.PAUSED,
        TablePhase.PAUSED,
        AlertState.ACKNOWLEDGED,
    ),
    "late": (RunState.WAITING, RunState.CANCELLING, Health.LATE, Health.STUCK, CheckVerdict.WARNED),
    "bad": (
        RunState.FAILED,
        StageState.FAILED,
        Health.FAILING,
        Reconciliation.DIFFERENT,
        TablePhase.FAILED,
        AlertState.OPEN,
        CheckVerdict.BLOCKED,
    ),
    "idle": (
        RunState.CANCELLED,
        StageState.CANCELLED,
        Health.UNKNOWN,
        Reconciliation.UNKNOWN,
        TablePhase.SKIPPED,
        TablePhase.REMOVED,
        CheckVerdict.NOT_JUDGED,
    ),
}
"""One shape and colour per tone, everywhere; the word says which state it is."""

_SHAPES: Mapping[str, str] = {
    "good": "M3 8.5l3.2 3.2L13 4.8",
    "busy": "M8 2a6 6 0 1 1-6 6",
    "wait": "M8 3.5V8l3 2M14 8A6 6 0 1 1 2 8a6 6 0 0 1 12 0",
    "late": "M8 2.2L14.5 13.5h-13zM8 6.5v3M8 11.3v.4",
    "bad": "M4 4l8 8M12 4l-8 8",
    "idle": "M3.5 8h9",
}
_MINUTE_SECONDS = 60
_HOUR_SECONDS = 3600
_DAY_SECONDS = 86_400


def tone(state: TextChoices) -> str:
    """Return the tone of a state."""
    for name, states in TONES.items():
        if any(state is each for each in states):
            return name
    return "idle"


@register.simple_tag
def state_badge(state: TextChoices) -> SafeString:
    """Print a state as shape, word and colour."""
    name = tone(state)
    return format_html(
        '<span class="lk-state lk-{}"><svg viewBox="0 0 16 16" aria-hidden="true"><path d="{}"/></svg>{}</span>',
        name,
        _SHAPES[name],
        state.label,
    )


@register.simple_tag
def moment(at: datetime | None) -> SafeString | str:
    """Print a time in UTC, one way everywhere."""
    if at is None:
        return "-"
    at = at.astimezone(UTC)
    return format_html('<time datetime="{}">{}</time>', at.isoformat(), f"{at:%Y-%m-%d %H:%M:%S} UTC")


@register.simple_tag
def table_address(verb: str, table_id: int) -> str:
    """Return where one asks a table for something."""
    return reverse(f"admin:lakehouse_admin_tablestate_{verb}", args=[table_id])


@register.filter(name="tone")
def tone_filter(state: TextChoices) -> str:
    """Return the tone of a state, for a class name."""
    return tone(state)


@register.filter
def duration(seconds: float | None) -> str:
    """Print seconds for a person, unbroken: ``4.2 s``, ``1 min 12 s``, ``3 h 5 min``, ``2 d 3 h``."""
    return "-" if seconds is None else _duration(seconds).replace(" ", "\N{NO-BREAK SPACE}")


def _duration(seconds: float) -> str:
    if seconds < _MINUTE_SECONDS:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < _HOUR_SECONDS:
        return f"{whole // _MINUTE_SECONDS} min {whole % _MINUTE_SECONDS} s"
    if whole < _DAY_SECONDS:
        return f"{whole // _HOUR_SECONDS} h {whole % _HOUR_SECONDS // _MINUTE_SECONDS} min"
    return f"{whole // _DAY_SECONDS} d {whole % _DAY_SECONDS // _HOUR_SECONDS} h"


@register.filter
def money(amount: Decimal | None) -> str:
    """Print an amount of money, without its currency; a dash where there is none."""
    return "-" if amount is None else shown(amount)


@register.filter
def count(rows: int | None) -> str:
    """Print a number of rows; a dash where it is not known."""
    return "-" if rows is None else f"{rows:,}"

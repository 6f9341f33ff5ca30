"""What a chart is on a page: a figure, the same rows as a table, one sentence, a definition."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from dashboards import formats
from dashboards.charts.figure import Figure
from dashboards.formats import Money
from dashboards.metrics.period import Period
from dashboards.metrics.tenant_query import TenantQuery
from etl.ports.query_engine import Value

ROWS_ON_PAGE = 10
EXPORTED_ROWS = 100_000
"""A ranking asked for in full: as many rows as the query engine returns at all."""


class Kind(StrEnum):
    """How a column's values are written."""

    TEXT = "text"
    DAY = "day"
    MONTH = "month"
    COUNT = "count"
    MONEY = "money"
    RATIO = "ratio"
    DAYS = "days"


@dataclass(frozen=True, slots=True, kw_only=True)
class TableColumn:
    """One column of a chart's table."""

    name: str
    """In exports."""
    title: str
    kind: Kind

    @property
    def is_number(self) -> bool:
        """Whether values are set flush right."""
        return self.kind not in {Kind.TEXT, Kind.DAY, Kind.MONTH}

    def write(self, value: Value, money: Money) -> str:
        """Return the value as a person reads it."""
        if value is None:
            return formats.NOTHING
        writers: dict[Kind, Callable[[Any], str]] = {
            Kind.TEXT: str,
            Kind.DAY: formats.day,
            Kind.MONTH: formats.month,
            Kind.COUNT: formats.count,
            Kind.MONEY: money.full,
            Kind.RATIO: formats.percent,
            Kind.DAYS: lambda days: formats.count(round(days)),
        }
        return writers[self.kind](value)


@dataclass(frozen=True, slots=True, kw_only=True)
class LegendEntry:
    """One kind of mark in a figure."""

    role: str
    """How it is drawn: ``series``, ``ghost``, ``line``, ``dotted`` or ``hatched``, as in `dashboards.css`."""
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawn:
    """A chart with its numbers in."""

    summary: str
    """One sentence that says what the figure shows."""
    rows: tuple[tuple[Value, ...], ...]
    """In the order of the chart's columns."""
    figure: Figure | None
    """None for a table that needs no picture, or without rows."""
    legend: tuple[LegendEntry, ...] = ()
    """Empty where the figure has one kind of mark only."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What a chart is asked for."""

    query: TenantQuery
    period: Period
    money: Money
    is_export: bool = False
    """All rows, rather than those that fit on a page."""

    @property
    def limit(self) -> int:
        """Rows of a ranking."""
        return EXPORTED_ROWS if self.is_export else ROWS_ON_PAGE


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """One chart of the dashboards."""

    name: str
    """In addresses."""
    title: str
    scope: str | None
    """Which time the chart covers; None if it follows the page's period."""
    model: str
    """The gold model behind it, for the definitions page."""
    definition: str
    columns: tuple[TableColumn, ...]
    draw: Callable[[Request], Drawn]

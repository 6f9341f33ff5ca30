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

Rows = tuple[tuple[Value, ...], ...]

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
    NUMBER = "number"
    YES_NO = "yes or no"


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
        return self.kind not in {Kind.TEXT, Kind.DAY, Kind.MONTH, Kind.YES_NO}

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
            Kind.NUMBER: formats.number,
            Kind.YES_NO: lambda truth: "yes" if truth else "no",
        }
        return writers[self.kind](value)


@dataclass(frozen=True, slots=True, kw_only=True)
class LegendEntry:
    """One kind of mark in a figure."""

    role: str
    """How it is drawn, a class of `dashboards.css`: ``series``, ``ghost``, ``hatched``, ``line-2`` and the like."""
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """One number that says how far a chart can be trusted."""

    name: str
    value: str
    note: str = ""
    """What it means, in a few words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shaded:
    """A cell whose ground says how large its value is; the value itself is there to read."""

    text: str
    shade: int | None = None
    """From 0 to 10; None for a cell without a value, or without a shade."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """A table whose cells are shaded: a picture that everybody can read."""

    titles: tuple[str, ...]
    rows: tuple[tuple[Shaded, ...], ...]
    """Each begins with its name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawn:
    """A chart with its numbers in."""

    summary: str
    """One sentence that says what the figure shows."""
    rows: Rows
    """In the order of the chart's columns."""
    figure: Figure | None
    """None for a table that needs no picture, or without rows."""
    legend: tuple[LegendEntry, ...] = ()
    """Empty where the figure has one kind of mark only."""
    facts: tuple[Fact, ...] = ()
    """How the numbers did when they could be judged; for estimates."""
    grid: Grid | None = None
    """Drawn instead of a figure; then the rows are for programs and exports alone."""


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
    is_wide: bool = False
    """Whether it takes the whole width of a page, rather than half of it."""
    height: str = ""
    """Of its figure, a class of `dashboards.css`: ``tall``, ``bars``, ``few-bars``; empty for the usual one."""
    reads: frozenset[str] = frozenset()
    """Qualified gold columns; empty where ``draw`` itself names the functions of `dashboards.metrics` that ask."""

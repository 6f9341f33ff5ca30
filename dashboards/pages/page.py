"""What a page is: a question, and the charts that answer it."""

from __future__ import annotations

from dataclasses import dataclass

from dashboards.charts.chart import Chart, Kind, TableColumn


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """One page of the dashboards."""

    name: str
    """In its address."""
    title: str
    """In the navigation."""
    question: str
    """What its charts answer together."""
    charts: tuple[Chart, ...]
    """In order; two that are not wide stand side by side."""

    @property
    def follows_period(self) -> bool:
        """Whether the period that a reader chooses changes anything on it."""
        return any(chart.scope is None for chart in self.charts)


def column(name: str, title: str, kind: Kind) -> TableColumn:
    """Return a column of a table that is not, or not only, a model's own."""
    return TableColumn(name=name, title=title, kind=kind)

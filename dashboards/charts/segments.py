"""Customers by segment, as bars."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from dashboards import formats
from dashboards.charts.figure import Figure
from dashboards.charts.ranked_bars import RankedBar, ranked_bars
from dashboards.formats import Money
from dashboards.metrics.segments import Segment


def segments_figure(segments: Sequence[Segment], money: Money) -> Figure:
    """Return a bar a segment, as long as it has customers."""
    return ranked_bars(
        [
            RankedBar(
                key=segment.name,
                name=segment.name,
                length=float(segment.customers),
                written=formats.count(segment.customers),
                hover=(
                    formats.plural(segment.customers, "customer"),
                    f"{money.full(segment.revenue)} in the last 365 days",
                ),
            )
            for segment in segments
        ]
    )


def segments_summary(segments: Sequence[Segment], money: Money) -> str:
    """Return what the figure shows, in one sentence."""
    whole = sum((segment.revenue for segment in segments), Decimal(0))
    if not whole:
        return "No customer has bought anything in the last 365 days."
    best = max(segments, key=lambda segment: segment.revenue)
    return (
        f"{best.name} bring most: {formats.plural(best.customers, 'customer')}, {money.short(best.revenue)}, "
        f"{formats.percent(best.revenue / whole, places=0)} of the revenue of the last 365 days."
    )


def segments_rows(segments: Sequence[Segment]) -> tuple[tuple[object, ...], ...]:
    """Return the table: the largest first."""
    whole = sum((segment.revenue for segment in segments), Decimal(0))
    return tuple(
        (
            each.name, each.customers, each.revenue, each.revenue / whole if whole else None,
            each.average_days_since_last_order,
        )
        for each in segments
    )  # fmt: skip

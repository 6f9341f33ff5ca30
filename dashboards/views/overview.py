"""The tenant's first page: numbers, then charts, then what is behind them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.timezone import now
from django.views.decorators.http import require_safe

from dashboards import formats
from dashboards.charts.chart import Chart, Drawn, Request
from dashboards.charts.kpis import kpis
from dashboards.charts.registry import CHARTS
from dashboards.conditional import answer
from dashboards.freshness import Freshness
from dashboards.metrics.definitions import freshness_promise_seconds
from dashboards.metrics.period import LENGTHS_DAYS
from dashboards.metrics.revenue import revenue_by_day
from dashboards.metrics.summary import tenant_summary
from dashboards.metrics.tenant_query import current_publication, digest, withheld_update
from dashboards.views.failures import log_unreadable
from dashboards.views.looking import Looking, looking, tenant_of
from etl.errors import LakehouseError


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """A value in a table, written."""

    text: str
    is_number: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """A chart, ready for its template."""

    chart: Chart
    drawn: Drawn
    titles: tuple[Cell, ...]
    rows: tuple[tuple[Cell, ...], ...]

    @property
    def figure_id(self) -> str:
        """Names the figure's data within the page."""
        return f"{self.chart.name}-figure"


@require_safe
def overview(request: HttpRequest, tenant_slug: str) -> HttpResponse:
    """Show the tenant's numbers, or say plainly why there are none yet.

    Raises:
        Http404: The address asks for a period that is not offered.
    """
    del tenant_slug  # the middleware turned it into request.tenant
    tenant = tenant_of(request)
    publication = current_publication()
    if publication is None:
        return render(request, "dashboards/nothing_yet.html", {"tenant": tenant})
    look = looking(request, publication)
    freshness = Freshness.of(
        publication,
        timezone=tenant.timezone,
        promise_seconds=freshness_promise_seconds(),
        now=now(),
        withheld=withheld_update(),
    )
    depends_on = (tenant.name, digest(publication), freshness.is_stale, freshness.withheld_absolute)
    return answer(request, *depends_on, make=lambda: _page(request, look, freshness))


def _page(request: HttpRequest, look: Looking, freshness: Freshness) -> HttpResponse:
    try:
        context = _numbers(look)
    except LakehouseError as error:
        log_unreadable(request, error)
        return render(request, "dashboards/unavailable.html", {"tenant": look.tenant}, status=503)
    if context is None:
        return render(request, "dashboards/nothing_yet.html", {"tenant": look.tenant, "freshness": freshness})
    context |= {
        "tenant": look.tenant,
        "publication": look.publication,
        "freshness": freshness,
        "period": look.period,
        "period_text": formats.short_range(look.period.start, look.period.last),
        "before_text": formats.short_range(look.period.previous_start, look.period.previous_last),
        "lengths": LENGTHS_DAYS,
    }
    return render(request, "dashboards/overview.html", context)


def _numbers(look: Looking) -> dict[str, object] | None:
    """Return all that the page shows; None if gold does not know the tenant yet."""
    asked = look.chart_request()
    summary = tenant_summary(asked.query)
    if summary is None:
        return None
    data = revenue_by_day(asked.query, look.period)
    return {
        "comparable": data.is_comparable,
        "is_quiet": summary.orders > 0 and not any(day.orders for day in (*data.current, data.today)),
        "last_order": _last_order(summary.last_order_at, look),
        "kpis": kpis(data, summary, asked.money),
        **{name.replace("-", "_"): _card(chart, asked) for name, chart in CHARTS.items()},
    }


def _last_order(moment: datetime | None, look: Looking) -> str:
    if moment is None:
        return formats.NOTHING
    return formats.day(moment.astimezone(ZoneInfo(look.tenant.timezone)).date())


def _card(chart: Chart, asked: Request) -> Card:
    drawn = chart.draw(asked)
    return Card(
        chart=chart,
        drawn=drawn,
        titles=tuple(Cell(text=column.title, is_number=column.is_number) for column in chart.columns),
        rows=tuple(
            tuple(
                Cell(text=column.write(value, asked.money), is_number=column.is_number)
                for column, value in zip(chart.columns, row, strict=True)
            )
            for row in drawn.rows
        ),
    )

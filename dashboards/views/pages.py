"""The tenant's pages: numbers first, then charts, then what is behind them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.timezone import now
from django.views.decorators.http import require_safe

from dashboards import formats
from dashboards.charts.chart import Chart, Drawn, Request
from dashboards.charts.kpis import kpis
from dashboards.conditional import answer
from dashboards.freshness import Freshness, written_moment
from dashboards.metrics.definitions import freshness_promise_seconds
from dashboards.metrics.period import LENGTHS_DAYS
from dashboards.metrics.revenue import revenue_by_day
from dashboards.metrics.summary import Summary, tenant_summary
from dashboards.metrics.tenant_query import current_publication, digest, withheld_update
from dashboards.pages.page import Page
from dashboards.pages.registry import OVERVIEW, PAGES
from dashboards.views.failures import log_unreadable
from dashboards.views.looking import Looking, looking, tenant_of
from etl.errors import LakehouseError
from etl.gold.model import MODEL_SCHEMA


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
    stands_at: str
    """Where its numbers stand, if that is before the page's; else empty."""

    @property
    def figure_id(self) -> str:
        """Names the figure's data within the page."""
        return f"{self.chart.name}-figure"


@require_safe
def overview(request: HttpRequest, tenant_slug: str) -> HttpResponse:
    """Show the tenant's key figures and most telling charts.

    Raises:
        Http404: The address asks for a period that is not offered.
    """
    del tenant_slug  # the middleware turned it into request.tenant
    return _show(request, OVERVIEW)


@require_safe
def page(request: HttpRequest, tenant_slug: str, page_name: str) -> HttpResponse:
    """Show one question's charts.

    Raises:
        Http404: There is no such page, or the address asks for a period that is not offered.
    """
    del tenant_slug  # the middleware turned it into request.tenant
    if page_name not in PAGES:
        raise Http404
    return _show(request, PAGES[page_name])


def _show(request: HttpRequest, shown: Page) -> HttpResponse:
    """Answer with a page, or say plainly why there are no numbers yet."""
    tenant = tenant_of(request)
    publication = current_publication()
    if publication is None:
        return render(request, "dashboards/nothing_yet.html", {"tenant": tenant, "pages": PAGES.values()})
    look = looking(request, publication)
    freshness = Freshness.of(
        publication,
        timezone=tenant.timezone,
        promise_seconds=freshness_promise_seconds(),
        now=now(),
        withheld=withheld_update(),
    )
    depends_on = (tenant.name, digest(publication), freshness.is_stale, freshness.withheld)
    return answer(request, *depends_on, make=lambda: _page(request, shown, look, freshness))


def _page(request: HttpRequest, shown: Page, look: Looking, freshness: Freshness) -> HttpResponse:
    context: dict[str, object] = {"tenant": look.tenant, "pages": PAGES.values(), "page": shown, "freshness": freshness}
    try:
        numbers = _numbers(shown, look)
    except LakehouseError as error:
        log_unreadable(request, error)
        return render(request, "dashboards/unavailable.html", context, status=503)
    if numbers is None:
        return render(request, "dashboards/nothing_yet.html", context)
    context |= numbers
    context |= {
        "publication": look.publication,
        "period": look.period,
        "period_text": formats.short_range(look.period.start, look.period.last),
        "before_text": formats.short_range(look.period.previous_start, look.period.previous_last),
        "lengths": LENGTHS_DAYS,
    }
    return render(request, "dashboards/page.html", context)


def _numbers(shown: Page, look: Looking) -> dict[str, object] | None:
    """Return all that the page shows; None if gold does not know the tenant yet."""
    asked = look.chart_request()
    summary = tenant_summary(asked.query)
    if summary is None:
        return None
    figures = _key_figures(summary, asked, look) if shown is OVERVIEW else {}
    return {**figures, "cards": [_card(chart, asked, look) for chart in shown.charts]}


def _key_figures(summary: Summary, asked: Request, look: Looking) -> dict[str, object]:
    """Return the numbers at the top of the first page."""
    data = revenue_by_day(asked.query, asked.period)
    return {
        "comparable": data.is_comparable,
        "is_quiet": summary.orders > 0 and not any(day.orders for day in (*data.current, data.today)),
        "last_order": _last_order(summary.last_order_at, look),
        "kpis": kpis(data, summary, asked.money),
    }


def _last_order(moment: datetime | None, look: Looking) -> str:
    if moment is None:
        return formats.NOTHING
    return formats.day(moment.astimezone(ZoneInfo(look.tenant.timezone)).date())


def _card(chart: Chart, asked: Request, look: Looking) -> Card:
    drawn = chart.draw(asked)
    return Card(
        stands_at=_stands_at(chart, look),
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


def _stands_at(chart: Chart, look: Looking) -> str:
    """Return where the chart's model stands, if that is before the page's data; else nothing."""
    pins = [pin for pin in look.publication.pins if pin.table == f"{MODEL_SCHEMA}.{chart.model}"]
    if not pins or pins[0].as_of is None:
        return ""
    return written_moment(datetime.fromisoformat(pins[0].as_of).astimezone(ZoneInfo(look.tenant.timezone)))

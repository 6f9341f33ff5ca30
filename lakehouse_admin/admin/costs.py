"""The costs page: a month, split by service, run, table or tenant, and the prices behind it."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

from django.conf import settings
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils import timezone

from etl.errors import LakehouseError
from lakehouse_admin.admin.overview import VIEW
from lakehouse_admin.costs.month import By, MonthCosts, month_costs, next_month
from lakehouse_admin.wiring import price_book

_SHOWN_LINES = 200


def costs(request: HttpRequest) -> HttpResponse:
    """Show the month and the split that the address asks for with ``month`` and ``by``.

    Raises:
        PermissionDenied: This person may not see runs.
        Http404: There is no such month or split.
    """
    if not request.user.has_perm(VIEW):
        raise PermissionDenied
    now = timezone.now()
    try:
        text = request.GET.get("month")
        month = date.fromisoformat(f"{text}-01") if text else date(now.year, now.month, 1)
        by = By(request.GET.get("by", By.SERVICE))
    except ValueError as error:
        raise Http404(str(error)) from error
    context: dict[str, Any] = {**admin.site.each_context(request), "title": "Costs"}
    try:
        context |= _page(month_costs(month, by=by, prices=price_book(), now=now))
    except LakehouseError as error:
        context |= {"problem": str(error), "guidance": error.guidance}
    return TemplateResponse(request, "lakehouse_admin/costs.html", context)


def _page(found: MonthCosts) -> dict[str, Any]:
    budget = settings.LAKEHOUSE.budget_month
    total = found.total
    return {
        "costs": found,
        "lines": [(line, float(100 * line.amount / total)) for line in found.lines[:_SHOWN_LINES]],
        "hidden": max(0, len(found.lines) - _SHOWN_LINES),
        "ways": list(By),
        "before": found.month - timedelta(days=1),
        "after": next_month(found.month),
        "has_after": next_month(found.month) <= timezone.now().date(),
        "budget": budget,
        "is_over": budget is not None and total > budget,
        "prices": list(found.prices.prices.values()),
    }

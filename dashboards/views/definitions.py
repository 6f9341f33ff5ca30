"""What every number means: the gold models in their own words, and their SQL."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from dashboards.metrics.definitions import models
from dashboards.views.looking import tenant_of


@require_safe
def definitions(request: HttpRequest, tenant_slug: str) -> HttpResponse:
    """Show every model: its question, its columns with units, its SQL."""
    del tenant_slug  # the middleware turned it into request.tenant
    context = {
        "tenant": tenant_of(request),
        "models": [
            {"model": model, "sql": model.query.sql("duckdb", pretty=True, comments=False)} for model in models()
        ],
    }
    return render(request, "dashboards/definitions.html", context)

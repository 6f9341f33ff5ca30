"""What every number means: the gold models in their own words, and their SQL."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from dashboards.freshness import in_words
from dashboards.metrics.definitions import tenant_models
from dashboards.pages.registry import PAGES
from dashboards.views.looking import tenant_of


@require_safe
def definitions(request: HttpRequest, tenant_slug: str) -> HttpResponse:
    """Show every model: its question, its columns with units, its SQL."""
    del tenant_slug  # the middleware turned it into request.tenant
    context = {
        "tenant": tenant_of(request),
        "pages": PAGES.values(),
        "models": [
            {
                "model": model,
                "promise": in_words(model.freshness_seconds),
                "sql": model.query.sql("duckdb", pretty=True, comments=False),
            }
            for model in tenant_models()
        ],
    }
    return render(request, "dashboards/definitions.html", context)

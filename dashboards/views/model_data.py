"""Every model that a tenant may read: what it means, and the tenant's own rows as JSON or CSV.

A model file is all it takes to be here; `audience: platform` is all it takes not to be.
"""

from __future__ import annotations

from http import HTTPStatus

from django.http import Http404, HttpRequest, HttpResponse, JsonResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.urls import reverse
from django.views.decorators.http import require_safe

from dashboards.conditional import answer
from dashboards.export import csv_lines, plain
from dashboards.metrics.definitions import tenant_models
from dashboards.metrics.model_rows import (
    BadRequestError,
    ModelRequest,
    all_rows,
    columns_shown,
    day_column,
    model_page,
)
from dashboards.metrics.tenant_query import TenantQuery, current_publication, digest
from dashboards.views.failures import answers_503_as_json
from dashboards.views.looking import tenant_of
from etl.contracts.publication import Publication
from etl.gold.model import TENANT_COLUMN, GoldModel


@require_safe
def model_list(request: HttpRequest, tenant_slug: str) -> HttpResponse:
    """List the models with their definitions and the addresses of their rows."""
    tenant = tenant_of(request)
    listed = {
        "currency": tenant.currency,
        "timezone": tenant.timezone,
        "models": [_definition(model, tenant_slug) for model in tenant_models()],
    }
    return answer(request, tenant.currency, tenant.timezone, make=lambda: JsonResponse(listed))


@require_safe
@answers_503_as_json
def model_json(request: HttpRequest, tenant_slug: str, model_name: str) -> HttpResponse:
    """Answer with one page of the tenant's rows; money as text, so that nothing is rounded.

    Raises:
        Http404: No such model for tenants, or not published yet.
    """
    del tenant_slug  # the middleware turned it into request.tenant
    model, publication = _asked(model_name)
    try:
        asked = ModelRequest.parse(model, request.GET.dict())
    except BadRequestError as error:
        return _refusal(error)

    def make() -> HttpResponse:
        page = model_page(TenantQuery(tenant=tenant_of(request), publication=publication), asked)
        document = {
            "model": model.name,
            "publication": publication.number,
            "as_of": publication.as_of.isoformat(),
            "columns": columns_shown(model),
            "page": asked.page,
            "page_size": asked.page_size,
            "of": page.of,
            "rows": [[plain(value) for value in row] for row in page.rows],
        }
        return JsonResponse(document)

    return answer(request, digest(publication), make=make)


@require_safe
@answers_503_as_json
def model_csv(request: HttpRequest, tenant_slug: str, model_name: str) -> HttpResponseBase:
    """Stream all the tenant's rows that the address asks for, without pages.

    Raises:
        Http404: No such model for tenants, or not published yet.
    """
    model, publication = _asked(model_name)
    try:
        asked = ModelRequest.parse(model, request.GET.dict())
    except BadRequestError as error:
        return _refusal(error)
    rows = all_rows(TenantQuery(tenant=tenant_of(request), publication=publication), asked)
    response = StreamingHttpResponse(csv_lines(columns_shown(model), rows), content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{tenant_slug}-{model.name}-{publication.number}.csv"'
    response["Cache-Control"] = "private, no-store"
    return response


def _asked(model_name: str) -> tuple[GoldModel, Publication]:
    publication = current_publication()
    for model in tenant_models():
        if publication and model.name == model_name and any(pin.table == model.table for pin in publication.pins):
            return model, publication
    raise Http404


def _refusal(error: BadRequestError) -> JsonResponse:
    return JsonResponse({"detail": str(error)}, status=HTTPStatus.BAD_REQUEST)


def _definition(model: GoldModel, tenant_slug: str) -> dict[str, object]:
    address = {"tenant_slug": tenant_slug, "model_name": model.name}
    return {
        "name": model.name,
        "title": model.title,
        "question": model.question,
        "grain": [name for name in model.grain if name != TENANT_COLUMN],
        "day": day_column(model),
        "freshness_seconds": model.freshness_seconds,
        "columns": [
            {
                "name": column.name,
                "type": column.type,
                "unit": column.unit,
                "description": column.description,
                "formula": column.formula,
            }
            for column in model.columns
            if column.name != TENANT_COLUMN
        ],
        "rows": reverse("dashboards:model-json", kwargs=address),
        "csv": reverse("dashboards:model-csv", kwargs=address),
    }

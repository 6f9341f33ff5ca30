"""One chart's figure and rows as JSON, or its rows as CSV; the same rows as on the page."""

from __future__ import annotations

from django.http import Http404, HttpRequest, HttpResponse, JsonResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.views.decorators.http import require_safe

from dashboards.charts.chart import Chart, Drawn
from dashboards.conditional import answer
from dashboards.export import csv_lines, plain
from dashboards.metrics.tenant_query import current_publication, digest
from dashboards.pages.registry import CHARTS
from dashboards.views.failures import answers_503_as_json
from dashboards.views.looking import Looking, looking
from etl.contracts.publication import Publication


@require_safe
@answers_503_as_json
def chart_json(request: HttpRequest, tenant_slug: str, chart_name: str) -> HttpResponse:
    """Answer with the figure, its sentence and its rows; money as text, so that nothing is rounded.

    Raises:
        Http404: No such chart, no such period, or nothing published yet.
    """
    del tenant_slug  # the middleware turned it into request.tenant
    chart, look = _asked(request, chart_name)

    def make() -> HttpResponse:
        drawn = chart.draw(look.chart_request())
        return JsonResponse(_document(chart, drawn, look.publication))

    return answer(request, digest(look.publication), make=make)


@require_safe
@answers_503_as_json
def chart_csv(request: HttpRequest, tenant_slug: str, chart_name: str) -> HttpResponseBase:
    """Stream all rows of the chart: the ranking in full, not only what fits on the page.

    Raises:
        Http404: No such chart, no such period, or nothing published yet.
    """
    chart, look = _asked(request, chart_name)
    drawn = chart.draw(look.chart_request(is_export=True))
    lines = csv_lines([column.name for column in chart.columns], drawn.rows)
    response = StreamingHttpResponse(lines, content_type="text/csv; charset=utf-8")
    name = f"{tenant_slug}-{chart.name}-{look.period.today.isoformat()}.csv"
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    response["Cache-Control"] = "private, no-store"
    return response


def _asked(request: HttpRequest, chart_name: str) -> tuple[Chart, Looking]:
    chart = CHARTS.get(chart_name)
    publication = current_publication()
    if chart is None or publication is None:
        raise Http404
    return chart, looking(request, publication)


def _document(chart: Chart, drawn: Drawn, publication: Publication) -> dict[str, object]:
    return {
        "chart": chart.name,
        "title": chart.title,
        "definition": chart.definition,
        "summary": drawn.summary,
        "publication": publication.number,
        "as_of": publication.as_of.isoformat(),
        "facts": [{"name": fact.name, "value": fact.value, "note": fact.note} for fact in drawn.facts],
        "columns": [column.name for column in chart.columns],
        "rows": [[plain(value) for value in row] for row in drawn.rows],
        "figure": drawn.figure,
    }

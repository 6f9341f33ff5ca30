"""The lineage page: from source column to chart, drawn and in words."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse

from etl.errors import LakehouseError
from lakehouse_admin.admin.overview import VIEW
from lakehouse_admin.wiring import bronze


def lineage(request: HttpRequest) -> HttpResponse:
    """Show the whole lake, or the table or column that the address asks for with ``of``.

    Raises:
        PermissionDenied: This person may not see the pipeline.
        Http404: There is no such table or column.
    """
    from etl.gold.lineage import NodeUnknownError  # noqa: PLC0415 - the other pages parse no SQL
    from lakehouse_admin.status.lineage import current_lineage  # noqa: PLC0415
    from lakehouse_admin.status.lineage_page import lineage_page  # noqa: PLC0415

    if not request.user.has_perm(VIEW):
        raise PermissionDenied
    context: dict[str, Any] = {**admin.site.each_context(request), "title": "Lineage"}
    try:
        page = lineage_page(current_lineage(bronze()), request.GET.get("of"))
    except NodeUnknownError as error:
        raise Http404(str(error)) from error
    except LakehouseError as error:
        context |= {"problem": str(error), "guidance": error.guidance}
    else:
        context |= {"title": page.title, "page": page}
    return TemplateResponse(request, "lakehouse_admin/lineage.html", context)

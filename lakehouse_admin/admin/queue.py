"""The queue: the runs that have not ended, in the order in which they go."""

from __future__ import annotations

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils import timezone

from lakehouse_admin.admin.overview import OPERATE, VIEW
from lakehouse_admin.status import queue as queue_status


def queue(request: HttpRequest) -> HttpResponse:
    """Show who writes the lake, and who is next.

    Raises:
        PermissionDenied: This person may not see runs.
    """
    if not request.user.has_perm(VIEW):
        raise PermissionDenied
    context = {
        **admin.site.each_context(request),
        "title": "Queue",
        "queue": queue_status.queue(now=timezone.now()),
        "may_operate": request.user.has_perm(OPERATE),
    }
    return TemplateResponse(request, "lakehouse_admin/queue.html", context)

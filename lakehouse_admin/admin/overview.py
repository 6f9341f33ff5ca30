"""What the console's first page shows; unfold calls it (`UNFOLD["DASHBOARD_CALLBACK"]`)."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from django.utils import timezone

from lakehouse_admin.models import Alert, Pipeline
from lakehouse_admin.models.alert import UNRESOLVED
from lakehouse_admin.status.overview import overview
from lakehouse_admin.wiring import replication

OPERATE = "lakehouse_admin.operate_pipelinerun"
VIEW = "lakehouse_admin.view_pipelinerun"
VIEW_ALERTS = "lakehouse_admin.view_alert"
_LATEST = 8


def add_overview(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """Add the default pipeline's overview, for those who may see runs."""
    if not request.user.has_perm(VIEW):
        return context
    at = timezone.now()
    now = overview(Pipeline.objects.default(), now=at, replication=replication(now=at))
    return {
        **context,
        "title": now.pipeline.name,
        "overview": now,
        "latest": now.runs[:_LATEST],
        "alerts": Alert.objects.filter(state__in=UNRESOLVED) if request.user.has_perm(VIEW_ALERTS) else (),
        "strip": tuple(reversed(now.runs)),
        "may_operate": request.user.has_perm(OPERATE),
    }

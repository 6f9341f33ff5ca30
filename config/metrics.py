"""`/metrics`: the control plane's state for a monitoring system that knows the token."""

from __future__ import annotations

import secrets

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from lakehouse_admin.status.metrics import exposition
from lakehouse_admin.wiring import replication


@require_safe
@never_cache
def metrics(request: HttpRequest) -> HttpResponse:
    """Answer ``Authorization: Bearer <LAKEHOUSE_METRICS_TOKEN>`` and staff; to everyone else there is no such page."""
    user = request.user
    if not (_knows_token(request) or (user.is_authenticated and user.is_active and user.is_staff)):
        raise Http404
    now = timezone.now()
    text = exposition(now=now, replication=replication(now=now))
    return HttpResponse(text, content_type="text/plain; version=0.0.4; charset=utf-8")


def _knows_token(request: HttpRequest) -> bool:
    token = settings.LAKEHOUSE.metrics_token
    given = request.headers.get("Authorization", "")
    return bool(token) and secrets.compare_digest(given.encode(), f"Bearer {token}".encode())

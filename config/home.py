"""`/`: sends everybody where they belong."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect


def home(request: HttpRequest) -> HttpResponse:
    """Redirect staff to the console, members to their tenant's dashboards, everybody else to the login."""
    user = request.user
    if not user.is_authenticated:
        return redirect("login")
    return redirect("admin:index")

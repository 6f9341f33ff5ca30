"""`/`: sends everybody where they belong."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render

from saas.models import Tenant
from saas.tenancy.scope import user_scope


def home(request: HttpRequest) -> HttpResponse:
    """Redirect staff to the console, members to their tenant's dashboards, everybody else to the login."""
    user = request.user
    if not user.is_authenticated:
        return redirect("login")
    if user.is_staff:
        return redirect("admin:index")
    with user_scope(user):
        tenants = list(Tenant.objects.order_by("slug"))
    if len(tenants) == 1:
        return redirect(f"/t/{tenants[0].slug}/")
    return render(request, "choose_tenant.html", {"tenants": tenants})

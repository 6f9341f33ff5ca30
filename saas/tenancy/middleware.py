"""Gives every view below a tenant's address that tenant's scope, and only to its members.

The tenant comes from the address and the signed-in user's memberships, never from the
session. To everybody else the address does not exist.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from typing import Any, cast

from django.contrib.auth.views import redirect_to_login
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.http.response import HttpResponseBase

from saas.models import Membership, Tenant
from saas.tenancy.scope import tenant_scope, user_scope

API_PREFIX = "/api/"
_FIRST_ERROR_STATUS = 400


class TenantRequest(HttpRequest):
    """A request that has passed `TenantMiddleware`: in the scope of its tenant."""

    tenant: Tenant
    membership: Membership
    scopes: ExitStack


class TenantMiddleware:
    """Runs views that take a ``tenant_slug`` in one transaction, in that tenant's scope.

    The scope ends when the response is made; a response with an error status leaves
    nothing behind. A streaming response that reads rows later, in `StreamingHttpResponse`,
    is refused by the managers: it opens a scope of its own within its generator.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Answer the request; close the scope that `process_view` opened, if it did."""
        scoped = cast("TenantRequest", request)
        with ExitStack() as scoped.scopes:
            response = self.get_response(request)
            if hasattr(scoped, "tenant") and response.status_code >= _FIRST_ERROR_STATUS:
                transaction.set_rollback(True)
        return response

    def process_view(
        self,
        request: HttpRequest,
        view: Callable[..., HttpResponseBase],  # noqa: ARG002 - Django's signature
        arguments: tuple[Any, ...],  # noqa: ARG002 - Django's signature
        keywords: dict[str, Any],
    ) -> HttpResponse | None:
        """Enter the scope of the tenant that the address names; answer in the view's place where that is not allowed.

        Raises:
            Http404: There is no such tenant, or the user is not its member.
        """
        slug = keywords.get("tenant_slug")
        if slug is None:
            return None
        if not request.user.is_authenticated:
            return _ask_to_sign_in(request)
        scoped = cast("TenantRequest", request)
        scoped.scopes.enter_context(user_scope(request.user))
        membership = Membership.objects.select_related("tenant").filter(tenant__slug=slug).first()
        if membership is None:
            return _deny(request)
        scoped.scopes.enter_context(tenant_scope(membership.tenant))
        scoped.membership = membership
        scoped.tenant = membership.tenant
        return None


def _is_api(request: HttpRequest) -> bool:
    return request.path_info.startswith(API_PREFIX)


def _ask_to_sign_in(request: HttpRequest) -> HttpResponse:
    if _is_api(request):
        return JsonResponse({"detail": "Sign in first."}, status=401)
    return redirect_to_login(request.get_full_path())


def _deny(request: HttpRequest) -> HttpResponse:
    if _is_api(request):
        return JsonResponse({"detail": "Not found."}, status=404)
    raise Http404

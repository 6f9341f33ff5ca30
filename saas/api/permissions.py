"""What a member's role allows."""

from __future__ import annotations

from rest_framework.permissions import SAFE_METHODS, BasePermission
from rest_framework.request import Request
from rest_framework.views import APIView

from saas.models import Role


class MembersReadOwnersWrite(BasePermission):
    """Every member of the tenant reads; its owners write.

    Somebody who is no member never gets here: `TenantMiddleware` answers them.
    """

    message = "Only an owner may change this."

    def has_permission(self, request: Request, view: APIView) -> bool:  # noqa: ARG002 - the framework's signature
        """Say whether the request's method is within the member's role."""
        membership = getattr(request, "membership", None)
        if membership is None:
            return False
        return request.method in SAFE_METHODS or membership.role == Role.OWNER

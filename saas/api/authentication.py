"""Who asks: the session of somebody signed in."""

from __future__ import annotations

from drf_spectacular.authentication import SessionScheme
from rest_framework.authentication import SessionAuthentication
from rest_framework.request import Request


class SignedIn(SessionAuthentication):
    """A session, protected against forged requests; without one the answer is 401."""

    def authenticate_header(self, request: Request) -> str:  # noqa: ARG002 - the framework's signature
        """Return the WWW-Authenticate header that turns 403 into 401."""
        return "Session"


class SignedInScheme(SessionScheme):  # type: ignore[no-untyped-call] # the library's own hook
    """How the API's document describes it: the session's cookie."""

    target_class = "saas.api.authentication.SignedIn"

"""What a reader is told when gold cannot be read: that it passes, never what broke inside."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import structlog
from django.http import HttpRequest, JsonResponse
from django.http.response import HttpResponseBase

from etl.errors import LakehouseError

_View = Callable[..., HttpResponseBase]
_log = structlog.get_logger(__name__)


def log_unreadable(request: HttpRequest, error: LakehouseError) -> None:
    """Tell the operator what broke; call where the error is handled."""
    _log.error("gold_unreadable", path=request.path, error=type(error).__name__, reason=str(error))


def answers_503_as_json(view: _View) -> _View:
    """Answer with status 503 and a sentence where the view cannot read gold."""

    @functools.wraps(view)
    def wrapped(request: HttpRequest, **captured: Any) -> HttpResponseBase:
        try:
            return view(request, **captured)
        except LakehouseError as error:
            log_unreadable(request, error)
            detail = "The numbers cannot be read right now; try again in a minute."
            return JsonResponse({"detail": detail}, status=503)

    return wrapped

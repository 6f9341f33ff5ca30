"""Answers a browser may keep: private to one session, checked at every use.

A page is a pure function of who looks, the publication and the address, so its validator
is a hash of these, known before anything is computed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from http import HTTPStatus
from pathlib import Path

from django.http import HttpRequest, HttpResponse
from django.utils.cache import get_conditional_response, patch_cache_control, patch_vary_headers


def _build() -> str:
    """Return a text that differs when the dashboards' own files do."""
    files = sorted(path for path in Path(__file__).parent.rglob("*") if path.suffix in {".py", ".html", ".css", ".js"})
    return hashlib.sha256(repr([path.stat().st_mtime_ns for path in files]).encode()).hexdigest()


_BUILD = _build()


def answer(request: HttpRequest, *parts: object, make: Callable[[], HttpResponse]) -> HttpResponse:
    """Return 304 if the browser holds this very answer, else the one that ``make`` makes.

    Args:
        request: Whose session and address belong to the validator.
        parts: Everything else the answer depends on.
        make: Computes the answer.
    """
    who = (request.user.pk, request.session.session_key)
    text = repr((_BUILD, who, request.get_full_path(), parts))
    etag = f'"{hashlib.sha256(text.encode()).hexdigest()[:32]}"'
    response = get_conditional_response(request, etag=etag) or make()
    if response.status_code in {HTTPStatus.OK, HTTPStatus.NOT_MODIFIED}:
        response["ETag"] = etag
    patch_cache_control(response, private=True, no_cache=True)
    patch_vary_headers(response, ["Cookie"])
    return response

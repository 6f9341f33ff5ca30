"""Ask before acting: one page that says what would happen, and, if it cannot, why not."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.auth.base_user import AbstractBaseUser
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse

from etl.errors import LakehouseError

_REFUSED = 409
_INVALID = 400


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What a person is about to do."""

    title: str
    """Also what the button says."""
    consequence: str
    permission: str
    """Who has it may answer."""
    back: str
    """Address of the page they came from."""
    form: forms.Form | None = None
    """What may be chosen; bound to the request's data by whoever asks."""
    context: Mapping[str, Any] = field(default_factory=dict)
    """What else the page shows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """What was done: one sentence, and the address where it can be seen."""

    sentence: str
    address: str


def ask(request: HttpRequest, question: Question, *, act: Callable[[AbstractBaseUser], Done]) -> HttpResponse:
    """Say what would happen; on POST let it happen, or say why it cannot.

    Raises:
        PermissionDenied: This person may not do it.
    """
    if not request.user.is_authenticated or not request.user.has_perm(question.permission):
        raise PermissionDenied
    context: dict[str, Any] = {
        **admin.site.each_context(request),
        **question.context,
        "title": question.title,
        "verb": question.title,
        "consequence": question.consequence,
        "back": question.back,
        "form": question.form,
    }
    status = 200
    if request.method == "POST":
        if question.form is not None and not question.form.is_valid():
            return TemplateResponse(request, "lakehouse_admin/confirm.html", context, status=_INVALID)
        try:
            done = act(request.user)
        except LakehouseError as error:
            context |= {"problem": str(error), "guidance": error.guidance}
            status = _REFUSED
        else:
            messages.success(request, done.sentence)
            return HttpResponseRedirect(done.address)
    return TemplateResponse(request, "lakehouse_admin/confirm.html", context, status=status)

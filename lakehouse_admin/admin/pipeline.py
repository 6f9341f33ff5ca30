"""Pipelines: what travels."""

from __future__ import annotations

from django.contrib import admin
from django.db import transaction
from django.forms import ModelForm
from django.http import HttpRequest
from django.utils import timezone
from unfold.admin import ModelAdmin
from unfold.decorators import display

from lakehouse_admin.models import Pipeline
from lakehouse_admin.record_audit import record_audit
from lakehouse_admin.states import PipelineState
from lakehouse_admin.templatetags.lakehouse import state_badge
from lakehouse_admin.transition import transition


@admin.register(Pipeline)
class PipelineAdmin(ModelAdmin):  # type: ignore[misc]  # the package is untyped
    """Rename and pause; a pipeline itself is made by the product, its schedules are rows of their own."""

    list_display = ("name", "shown_state")
    fields = ("key", "name", "state", "tables", "created_at")
    readonly_fields = ("key", "tables", "created_at")

    @display(description="State", ordering="state")  # type: ignore[untyped-decorator]
    def shown_state(self, pipeline: Pipeline) -> str:
        """Print the state as everywhere."""
        return state_badge(PipelineState(pipeline.state))

    def has_add_permission(self, request: HttpRequest) -> bool:  # noqa: ARG002 - Django's signature
        """Refuse."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Pipeline | None = None) -> bool:  # noqa: ARG002
        """Refuse."""
        return False

    def save_model(self, request: HttpRequest, obj: Pipeline, form: ModelForm[Pipeline], change: bool) -> None:  # noqa: ARG002, FBT001
        """Save what was typed; a changed state goes the way of all states."""
        with transaction.atomic():
            if "state" in form.changed_data:
                wanted, obj.state = PipelineState(obj.state), form.initial["state"]
                transition(obj, to=wanted)
            obj.save(update_fields=["name"])
            changed = [name for name in ("name", "state") if name in form.changed_data]
            if changed:
                record_audit(
                    "pipeline_changed",
                    kind="pipeline",
                    subject=obj.key,
                    at=timezone.now(),
                    by=request.user if request.user.is_authenticated else None,
                    before={name: form.initial[name] for name in changed},
                    after={name: getattr(obj, name) for name in changed},
                )

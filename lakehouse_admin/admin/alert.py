"""Alerts: what is broken, who takes care of it, and who was told."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django import forms
from django.contrib import admin
from django.contrib.auth.base_user import AbstractBaseUser
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.safestring import SafeString
from unfold.decorators import display

from lakehouse_admin.actions.handle_alert import acknowledge_alert, mute_alert
from lakehouse_admin.admin.ask import Done, Question, ask
from lakehouse_admin.admin.read_only import ReadOnlyAdmin
from lakehouse_admin.models import Alert
from lakehouse_admin.states import AlertState
from lakehouse_admin.templatetags.lakehouse import moment, state_badge

OPERATE = "lakehouse_admin.operate_alert"
_CHANGE = "admin:lakehouse_admin_alert_change"
_NAME = "lakehouse_admin_alert"


class MuteForm(forms.Form):
    """For how long nothing is sent."""

    hours = forms.TypedChoiceField(
        label="For",
        choices=[(1, "1 hour"), (8, "8 hours"), (24, "1 day"), (168, "1 week"), (720, "30 days")],
        coerce=int,
    )


@admin.register(Alert)
class AlertAdmin(ReadOnlyAdmin):
    """Newest first."""

    list_display = ("alert", "shown_state", "rule", "since", "last_seen", "muted")
    list_display_links = ("alert",)
    list_filter = ("state", "rule")
    list_per_page = 50

    def get_queryset(self, request: HttpRequest) -> QuerySet[Alert]:
        """Fetch who acknowledged along with it."""
        alerts: QuerySet[Alert] = super().get_queryset(request)
        return alerts.select_related("acknowledged_by")

    @display(description="Alert", ordering="title")  # type: ignore[untyped-decorator]
    def alert(self, alert: Alert) -> str:
        """Say what is broken."""
        return alert.title

    @display(description="State", ordering="state")  # type: ignore[untyped-decorator]
    def shown_state(self, alert: Alert) -> SafeString:
        """Print the state as everywhere."""
        return state_badge(alert.state_choice)

    @display(description="Since", ordering="opened_at")  # type: ignore[untyped-decorator]
    def since(self, alert: Alert) -> SafeString | str:
        """Say since when."""
        return moment(alert.opened_at)

    @display(description="Last seen", ordering="seen_at")  # type: ignore[untyped-decorator]
    def last_seen(self, alert: Alert) -> SafeString | str:
        """Say when it was last found broken."""
        return moment(alert.seen_at)

    @display(description="Muted until")  # type: ignore[untyped-decorator]
    def muted(self, alert: Alert) -> SafeString | str:
        """Say until when nothing is sent."""
        return moment(alert.muted_until)

    def get_urls(self) -> list[URLPattern]:
        """Add the two things one can do about an alert."""
        view = self.admin_site.admin_view
        own = [
            path("<int:alert_id>/acknowledge/", view(self.acknowledge), name=f"{_NAME}_acknowledge"),
            path("<int:alert_id>/mute/", view(self.mute), name=f"{_NAME}_mute"),
        ]
        return own + list(super().get_urls())

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Show one alert and what was sent about it."""
        del form_url
        alert = self._alert(request, object_id)
        context = {
            **self.admin_site.each_context(request),
            **(extra_context or {}),
            "opts": self.opts,
            "title": alert.title,
            "original": alert,
            "alert": alert,
            "deliveries": alert.deliveries.all(),
            "is_unresolved": alert.state != AlertState.RESOLVED,
            "is_open": alert.state == AlertState.OPEN,
            "may_operate": request.user.has_perm(OPERATE),
        }
        return TemplateResponse(request, "lakehouse_admin/alert.html", context)

    def acknowledge(self, request: HttpRequest, alert_id: int) -> HttpResponse:
        """Take an alert on, after asking."""
        alert = self._alert(request, alert_id)

        def act(user: AbstractBaseUser) -> Done:
            acknowledge_alert(alert_id, now=timezone.now(), by=user)
            return Done(sentence="You take care of it.", address=reverse(_CHANGE, args=[alert_id]))

        question = Question(
            title="Acknowledge",
            consequence=f"“{alert.title}”: everybody sees that you take care of it. It ends when its cause does.",
            permission=OPERATE,
            back=reverse(_CHANGE, args=[alert_id]),
            context={"opts": self.opts},
        )
        return ask(request, question, act=act)

    def mute(self, request: HttpRequest, alert_id: int) -> HttpResponse:
        """Send nothing about it for a while, after asking."""
        alert = self._alert(request, alert_id)
        form = MuteForm(request.POST or None)

        def act(user: AbstractBaseUser) -> Done:
            now = timezone.now()
            muted = mute_alert(alert_id, until=now + timedelta(hours=form.cleaned_data["hours"]), now=now, by=user)
            sentence = f"Nothing is sent about it until {muted.muted_until:%Y-%m-%d %H:%M} UTC."
            return Done(sentence=sentence, address=reverse(_CHANGE, args=[alert_id]))

        question = Question(
            title="Mute",
            consequence=f"“{alert.title}”: nothing is sent, even if it ends and comes back. It is still shown here.",
            permission=OPERATE,
            back=reverse(_CHANGE, args=[alert_id]),
            form=form,
            context={"opts": self.opts},
        )
        return ask(request, question, act=act)

    def _alert(self, request: HttpRequest, alert_id: int | str) -> Alert:
        """Return an alert that this person may see.

        Raises:
            PermissionDenied: They may not see alerts.
            Http404: There is none.
        """
        if not self.has_view_permission(request):
            raise PermissionDenied
        alerts = Alert.objects.select_related("acknowledged_by")
        alert = alerts.filter(pk=alert_id).first() if str(alert_id).isdecimal() else None
        if alert is None:
            raise Http404
        return alert

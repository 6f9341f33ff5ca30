"""A broken promise that somebody should know of."""

from __future__ import annotations

from django.conf import settings
from django.db import models

from lakehouse_admin.states import AlertRule, AlertState, EventLevel, values

UNRESOLVED = (AlertState.OPEN, AlertState.ACKNOWLEDGED)


class Alert(models.Model):
    """One rule, broken for one subject. However often that is found again, it stays one row until it is resolved."""

    key = models.CharField(max_length=250, help_text="Rule and subject: what is grouped.")
    rule = models.CharField(max_length=20, choices=AlertRule.choices)
    level = models.CharField(max_length=10, choices=EventLevel.choices, default=EventLevel.ERROR)
    state = models.CharField(max_length=20, choices=AlertState.choices, default=AlertState.OPEN)
    title = models.CharField(max_length=250)
    detail = models.TextField(blank=True)
    guidance = models.TextField(blank=True)
    opened_at = models.DateTimeField()
    seen_at = models.DateTimeField(help_text="When the rule was last found broken.")
    times_seen = models.PositiveIntegerField(default=1)
    muted_until = models.DateTimeField(null=True, blank=True)
    acknowledged_at = models.DateTimeField(null=True, blank=True)
    acknowledged_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True, related_name="+"
    )
    resolved_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        db_table = "lakehouse_alerts"
        ordering = ["-id"]
        permissions = [("operate_alert", "Can acknowledge and mute alerts")]
        constraints = [
            models.CheckConstraint(name="lakehouse_alerts_state", condition=models.Q(state__in=values(AlertState))),
            models.CheckConstraint(name="lakehouse_alerts_rule", condition=models.Q(rule__in=values(AlertRule))),
            models.UniqueConstraint(
                name="lakehouse_alerts_one_unresolved",
                fields=["key"],
                condition=models.Q(state__in=values(UNRESOLVED)),
            ),
        ]

    def __str__(self) -> str:
        """Return the title."""
        return self.title

    @property
    def state_choice(self) -> AlertState:
        """The state, with its label."""
        return AlertState(self.state)

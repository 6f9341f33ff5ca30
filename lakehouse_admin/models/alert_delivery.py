"""One message about an alert, on its way to one receiver."""

from __future__ import annotations

from django.db import models


class AlertDelivery(models.Model):
    """A message that is tried until it arrives or its retries are used up."""

    class Channel(models.TextChoices):
        """How it travels."""

        EMAIL = "email", "E-mail"
        WEBHOOK = "webhook", "Webhook"

    class Outcome(models.TextChoices):
        """What became of it."""

        PENDING = "pending", "Pending"
        DELIVERED = "delivered", "Delivered"
        GIVEN_UP = "given_up", "Given up"

    alert = models.ForeignKey("lakehouse_admin.Alert", on_delete=models.CASCADE, related_name="deliveries")
    occasion = models.CharField(max_length=20, help_text="Why it is sent: opened or resolved.")
    channel = models.CharField(max_length=10, choices=Channel.choices)
    target = models.CharField(max_length=250, help_text="An address, or the number of a configured webhook.")
    outcome = models.CharField(max_length=10, choices=Outcome.choices, default=Outcome.PENDING)
    attempts = models.PositiveSmallIntegerField(default=0)
    due_at = models.DateTimeField()
    delivered_at = models.DateTimeField(null=True, blank=True)
    error = models.CharField(max_length=300, blank=True)

    class Meta:
        db_table = "lakehouse_alert_deliveries"
        ordering = ["id"]
        verbose_name_plural = "alert deliveries"
        constraints = [
            models.UniqueConstraint(
                name="lakehouse_alert_deliveries_once", fields=["alert", "occasion", "channel", "target"]
            ),
        ]
        indexes = [
            models.Index(name="lakehouse_deliveries_pending", fields=["due_at"], condition=models.Q(outcome="pending")),
        ]

    def __str__(self) -> str:
        """Return ``opened by email to ops@example.com``."""
        return f"{self.occasion} by {self.channel} to {self.target}"

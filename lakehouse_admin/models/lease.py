"""Who may write the lake now: one row a lease, one holder at a time."""

from __future__ import annotations

from django.db import models


class Lease(models.Model):
    """A right that exactly one holder has; `lakehouse_admin.lease` takes, keeps and proves it."""

    name = models.CharField(max_length=100, unique=True)
    holder = models.CharField(max_length=200, blank=True, help_text="Empty while nobody holds it.")
    token = models.PositiveBigIntegerField(default=0, help_text="Grows with every holder; an older one proves nothing.")
    expires_at = models.DateTimeField(null=True, blank=True)
    wanted_by = models.CharField(max_length=200, blank=True, help_text="Who asks the holder to give it up.")
    wanted_until = models.DateTimeField(null=True, blank=True)

    class Meta:
        db_table = "lakehouse_leases"
        ordering = ["name"]
        constraints = [
            models.CheckConstraint(
                name="lakehouse_leases_held",
                condition=models.Q(holder="", expires_at__isnull=True)
                | (~models.Q(holder="") & models.Q(expires_at__isnull=False)),
            ),
        ]

    def __str__(self) -> str:
        """Return ``lake, held by run-12``."""
        return f"{self.name}, held by {self.holder or 'nobody'}"

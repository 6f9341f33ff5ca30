"""Who did what to what: written once, never changed."""

from __future__ import annotations

from django.db import models


class AuditEntry(models.Model):
    """One act of a person, or of the product on a person's behalf.

    PostgreSQL refuses to update, delete or truncate these rows. The actor is kept by number
    and name rather than by a foreign key, so that an account may be removed and its acts stay.
    """

    at = models.DateTimeField()
    actor_id = models.BigIntegerField(null=True, blank=True, help_text="The user's number; empty for a command.")
    actor = models.CharField(max_length=254, help_text="The user's name then, or what acted.")
    action = models.CharField(max_length=60, help_text="Past tense, e.g. run_cancelled.")
    subject_kind = models.CharField(max_length=60)
    subject = models.CharField(max_length=200)
    before = models.JSONField(default=dict, blank=True)
    after = models.JSONField(default=dict, blank=True)

    class Meta:
        db_table = "lakehouse_audit_entries"
        ordering = ["-id"]
        verbose_name = "audit entry"
        verbose_name_plural = "audit entries"
        indexes = [models.Index(name="lakehouse_audit_subject", fields=["subject_kind", "subject"])]

    def __str__(self) -> str:
        """Return ``run_cancelled run 12``."""
        return f"{self.action} {self.subject_kind} {self.subject}"

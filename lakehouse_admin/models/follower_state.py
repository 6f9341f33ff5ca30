"""What the continuous follower says of itself: one row."""

from __future__ import annotations

from django.db import models

from lakehouse_admin.states import FollowerPhase, values


class FollowerState(models.Model):
    """The follower's latest word; `lakehouse_admin.follow` writes it, whoever watches reads it."""

    name = models.CharField(max_length=100, unique=True, help_text="Of the lease that it follows under.")
    state = models.CharField(max_length=20, choices=FollowerPhase.choices, default=FollowerPhase.WAITING)
    holder = models.CharField(max_length=200, blank=True, help_text="The process that wrote this.")
    written_at = models.DateTimeField(help_text="A follower that runs writes every few seconds.")
    slot = models.CharField(max_length=63, blank=True)
    source_lsn = models.PositiveBigIntegerField(
        default=0, help_text="Every change that ended up to here is published, but for the tables that lag."
    )
    as_of = models.DateTimeField(null=True, blank=True, help_text="Commit time of the newest change it published.")
    lag_bytes = models.PositiveBigIntegerField(
        default=0, help_text="Of the source's log, between what is published and what bronze holds."
    )
    publication = models.PositiveBigIntegerField(null=True, blank=True, help_text="Number of its last publication.")
    published_at = models.DateTimeField(null=True, blank=True)
    cycle_seconds = models.JSONField(default=dict, blank=True, help_text="Seconds of its last cycle, by step.")
    tables = models.JSONField(default=dict, blank=True, help_text="Tables that failed, and why, by schema.name.")
    gold_models = models.JSONField(
        default=dict, blank=True, help_text="Models that failed, and why, by qualified name."
    )
    error_class = models.CharField(max_length=200, blank=True)
    error_message = models.TextField(blank=True)
    guidance = models.TextField(blank=True)

    class Meta:
        db_table = "lakehouse_follower"
        verbose_name = "follower"
        constraints = [
            models.CheckConstraint(
                name="lakehouse_follower_state", condition=models.Q(state__in=values(FollowerPhase))
            ),
        ]

    def __str__(self) -> str:
        """Return ``Follower: Following``."""
        return f"Follower: {FollowerPhase(self.state).label}"

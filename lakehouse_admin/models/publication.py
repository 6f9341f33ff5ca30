"""One consistent version of every gold table: what dashboards read until the next."""

from __future__ import annotations

from django.db import models

from etl.contracts.publication import Publication, TablePin


class PublicationRecord(models.Model):
    """A row per publication, newest number last; written once, by `actions.publish`, and removed by retention alone."""

    number = models.PositiveBigIntegerField(unique=True)
    run = models.OneToOneField(
        "lakehouse_admin.PipelineRun",
        on_delete=models.PROTECT,
        related_name="publication",
        null=True,
        blank=True,
        help_text="The run that made it; empty if changes were followed without a run.",
    )
    published_at = models.DateTimeField()
    as_of = models.DateTimeField(help_text="Source time up to which the data is complete.")
    source_lsn = models.PositiveBigIntegerField()
    pins = models.JSONField(help_text="Every gold table's metadata file, snapshot and rows.")
    kept_reason = models.CharField(
        max_length=200, blank=True, help_text="Why retention leaves it alone; empty if it does not."
    )
    kept_until = models.DateTimeField(null=True, blank=True, help_text="Until when; empty means for ever.")

    class Meta:
        db_table = "lakehouse_publications"
        ordering = ["-number"]
        verbose_name = "publication"
        constraints = [
            models.CheckConstraint(name="lakehouse_publications_number", condition=models.Q(number__gte=1)),
            models.CheckConstraint(
                name="lakehouse_publications_kept",
                condition=models.Q(kept_until__isnull=True) | ~models.Q(kept_reason=""),
            ),
        ]

    def __str__(self) -> str:
        """Return ``Publication 3``."""
        return f"Publication {self.number}"

    def to_contract(self) -> Publication:
        """Return the publication as readers know it."""
        return Publication(
            number=self.number,
            published_at=self.published_at,
            as_of=self.as_of,
            source_lsn=self.source_lsn,
            pins=tuple(TablePin(**pin) for pin in self.pins),
        )

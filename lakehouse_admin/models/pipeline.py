"""A pipeline: which tables travel."""

from __future__ import annotations

from django.db import models

from lakehouse_admin.states import PipelineState, values

DEFAULT_KEY = "commerce"
MAINTENANCE_KEY = "maintenance"


class PipelineManager(models.Manager["Pipeline"]):
    """Finds pipelines."""

    def default(self) -> Pipeline:
        """Return the pipeline over every selected source table, made on first use."""
        pipeline, _ = self.get_or_create(key=DEFAULT_KEY, defaults={"name": "Commerce to lakehouse"})
        return pipeline

    def maintenance(self) -> Pipeline:
        """Return what maintenance runs belong to, made on first use: their schedule and their history are their own."""
        pipeline, _ = self.get_or_create(key=MAINTENANCE_KEY, defaults={"name": "Maintenance of the lake"})
        return pipeline


class Pipeline(models.Model):
    """Tables that travel together. A passage of their data is a `PipelineRun`; a `Schedule` starts them."""

    key = models.SlugField(max_length=63, unique=True)
    name = models.CharField(max_length=200)
    state = models.CharField(max_length=20, choices=PipelineState.choices, default=PipelineState.ACTIVE)
    tables = models.JSONField(
        default=list, blank=True, help_text="Source tables as schema.name; empty means every selected table."
    )
    created_at = models.DateTimeField(auto_now_add=True)

    objects = PipelineManager()

    class Meta:
        db_table = "lakehouse_pipelines"
        ordering = ["key"]
        constraints = [
            models.CheckConstraint(
                name="lakehouse_pipelines_state", condition=models.Q(state__in=values(PipelineState))
            ),
        ]

    def __str__(self) -> str:
        """Return the name."""
        return self.name

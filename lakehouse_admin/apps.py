"""The control plane as a Django application."""

from __future__ import annotations

from django.apps import AppConfig


class LakehouseAdminConfig(AppConfig):
    """Runs, stages, publications, and the pages that show them."""

    name = "lakehouse_admin"
    verbose_name = "Lakehouse"
    default_auto_field = "django.db.models.BigAutoField"

"""Names the source application to Django."""

from __future__ import annotations

from django.apps import AppConfig


class SaasConfig(AppConfig):
    """The multi-tenant commerce application whose rows the lakehouse carries."""

    name = "saas"
    default_auto_field = "django.db.models.BigAutoField"
    verbose_name = "Shops"

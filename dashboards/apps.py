"""Django's entry for the tenant dashboards."""

from __future__ import annotations

from django.apps import AppConfig


class DashboardsConfig(AppConfig):
    """The pages a tenant's people look at."""

    name = "dashboards"
    label = "dashboards"
    verbose_name = "Dashboards"

"""The map of the site."""

from __future__ import annotations

from django.contrib import admin
from django.contrib.auth import views as auth
from django.urls import include, path

from config.health import healthz, readyz
from config.home import home
from config.metrics import metrics
from lakehouse_admin.admin.costs import costs
from lakehouse_admin.admin.lineage import lineage
from lakehouse_admin.admin.queue import queue

urlpatterns = [
    path("", home, name="home"),
    path("login/", auth.LoginView.as_view(redirect_authenticated_user=True), name="login"),
    path("logout/", auth.LogoutView.as_view(), name="logout"),
    path("healthz", healthz, name="healthz"),
    path("readyz", readyz, name="readyz"),
    path("metrics", metrics, name="metrics"),
    path("admin/queue/", admin.site.admin_view(queue), name="queue"),
    path("admin/costs/", admin.site.admin_view(costs), name="costs"),
    path("admin/lineage/", admin.site.admin_view(lineage), name="lineage"),
    path("admin/", admin.site.urls),
    path("api/v1/", include("saas.api.urls")),
    path("t/<slug:tenant_slug>/", include("dashboards.urls")),
]

"""The map of the site."""

from __future__ import annotations

from importlib.util import find_spec

from django.contrib import admin
from django.contrib.auth import views as auth
from django.urls import include, path

from config.health import healthz
from config.home import home

urlpatterns = [
    path("", home, name="home"),
    path("login/", auth.LoginView.as_view(redirect_authenticated_user=True), name="login"),
    path("logout/", auth.LogoutView.as_view(), name="logout"),
    path("healthz", healthz, name="healthz"),
    path("admin/", admin.site.urls),
    *(
        path(prefix, include(module))
        for prefix, module in (("api/v1/", "saas.api.urls"), ("t/<slug:tenant_slug>/", "dashboards.urls"))
        if find_spec(module)
    ),
]

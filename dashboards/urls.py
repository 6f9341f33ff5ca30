"""Addresses below ``/t/<tenant slug>/``."""

from __future__ import annotations

from django.urls import path

from dashboards.views.chart_data import chart_csv, chart_json
from dashboards.views.definitions import definitions
from dashboards.views.model_data import model_csv, model_json, model_list
from dashboards.views.pages import overview, page

app_name = "dashboards"

urlpatterns = [
    path("", overview, name="overview"),
    path("definitions/", definitions, name="definitions"),
    path("data/<slug:chart_name>.json", chart_json, name="chart-json"),
    path("data/<slug:chart_name>.csv", chart_csv, name="chart-csv"),
    path("models.json", model_list, name="model-list"),
    path("models/<slug:model_name>.json", model_json, name="model-json"),
    path("models/<slug:model_name>.csv", model_csv, name="model-csv"),
    path("<slug:page_name>/", page, name="page"),
]

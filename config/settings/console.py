"""How the staff console (django-unfold) presents itself."""

from __future__ import annotations

from django.templatetags.static import static
from django.urls import reverse_lazy

UNFOLD = {
    "SITE_TITLE": "Lakeside",
    "SITE_HEADER": "Lakeside",
    "SITE_SUBHEADER": "Lakehouse console",
    "SITE_SYMBOL": "water",
    "SITE_URL": "/",
    "SITE_FAVICONS": [
        {"rel": "icon", "type": "image/svg+xml", "href": lambda _request: static("dashboards/mark.svg")},
    ],
    "SHOW_HISTORY": True,
    "SHOW_VIEW_ON_SITE": False,
    "STYLES": [lambda _request: static("lakehouse_admin/console.css")],
    "DASHBOARD_CALLBACK": "lakehouse_admin.admin.overview.add_overview",
    "COLORS": {
        "primary": {
            "50": "#eff8fa",
            "100": "#d8eef2",
            "200": "#b3dde5",
            "300": "#84c9d5",
            "400": "#62c3d3",
            "500": "#2a9db4",
            "600": "#0f7184",
            "700": "#0b6477",
            "800": "#0b4552",
            "900": "#0c3a45",
            "950": "#06222a",
        },
    },
    "SIDEBAR": {
        "show_search": False,
        "show_all_applications": False,
        "navigation": [
            {
                "title": "Lakehouse",
                "items": [
                    {"title": "Overview", "icon": "water", "link": reverse_lazy("admin:index")},
                    {
                        "title": "Runs",
                        "icon": "conversion_path",
                        "link": reverse_lazy("admin:lakehouse_admin_pipelinerun_changelist"),
                    },
                    {
                        "title": "Queue",
                        "icon": "low_priority",
                        "link": reverse_lazy("queue"),
                    },
                    {
                        "title": "Tables",
                        "icon": "table_rows",
                        "link": reverse_lazy("admin:lakehouse_admin_tablestate_changelist"),
                    },
                    {
                        "title": "Alerts",
                        "icon": "notifications",
                        "link": reverse_lazy("admin:lakehouse_admin_alert_changelist"),
                    },
                    {
                        "title": "Publications",
                        "icon": "publish",
                        "link": reverse_lazy("admin:lakehouse_admin_publicationrecord_changelist"),
                    },
                    {"title": "Costs", "icon": "payments", "link": reverse_lazy("costs")},
                    {"title": "Lineage", "icon": "account_tree", "link": reverse_lazy("lineage")},
                    {
                        "title": "Schedules",
                        "icon": "schedule",
                        "link": reverse_lazy("admin:lakehouse_admin_schedule_changelist"),
                    },
                    {
                        "title": "Pipelines",
                        "icon": "linear_scale",
                        "link": reverse_lazy("admin:lakehouse_admin_pipeline_changelist"),
                    },
                    {
                        "title": "Audit log",
                        "icon": "history",
                        "link": reverse_lazy("admin:lakehouse_admin_auditentry_changelist"),
                    },
                ],
            },
        ],
    },
}

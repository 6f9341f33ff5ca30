"""How the staff console (django-unfold) presents itself."""

from __future__ import annotations

UNFOLD = {
    "SITE_TITLE": "Lakeside",
    "SITE_HEADER": "Lakeside",
    "SITE_SUBHEADER": "Lakehouse console",
    "SITE_SYMBOL": "water",
    "SITE_URL": "/",
    "SHOW_HISTORY": True,
    "SHOW_VIEW_ON_SITE": False,
    "SIDEBAR": {"show_search": False, "show_all_applications": False},
}

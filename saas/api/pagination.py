"""Lists come in pages."""

from __future__ import annotations

from rest_framework.pagination import LimitOffsetPagination


class Pages(LimitOffsetPagination):
    """`?limit=` rows from `?offset=`."""

    default_limit = 50
    max_limit = 200

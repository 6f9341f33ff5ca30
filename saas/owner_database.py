"""How commands that act for all tenants reach the database: as the owner, past row-level security."""

from __future__ import annotations

from django.conf import settings
from django.db import connections
from psycopg.conninfo import make_conninfo

from saas.tenancy.scope import OWNER_ALIAS


def owner_conninfo() -> str | None:
    """Return the owner's connection string; None if DATABASE_URL is not set, as in web and workers."""
    if OWNER_ALIAS not in settings.DATABASES:
        return None
    database = connections[OWNER_ALIAS].settings_dict
    names = {"HOST": "host", "PORT": "port", "NAME": "dbname", "USER": "user", "PASSWORD": "password"}
    given = {names[name]: database[name] for name in names if database.get(name)}
    return make_conninfo(**{**database.get("OPTIONS", {}), **given})

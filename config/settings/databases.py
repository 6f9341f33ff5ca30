"""The databases: `default` is the application's role, `owner` migrates, provisions and seeds.

Web and workers run without `owner`. An alias whose URL is unset refuses connections with a
sentence, so that commands which need no database run without one.
"""

from __future__ import annotations

from psycopg.conninfo import conninfo_to_dict

from config import env

_ENV = env.load()


def _database(url: str | None, variable: str) -> dict[str, object]:
    """Return Django's settings of one connection.

    Args:
        url: A PostgreSQL URL, or `None`.
        variable: The variable the URL came from, named when there is none.
    """
    if url is None:
        return {"ENGINE": "config.missing_database", "NAME": variable}
    parts = conninfo_to_dict(url)
    known = {"dbname": "NAME", "user": "USER", "password": "PASSWORD", "host": "HOST", "port": "PORT"}
    return {
        "ENGINE": "django.db.backends.postgresql",
        **{known[name]: str(value) for name, value in parts.items() if name in known},
        "OPTIONS": {
            "connect_timeout": 5,
            "application_name": "lakeside",
            **{name: value for name, value in parts.items() if name not in known},
        },
        "CONN_MAX_AGE": 60,
        "CONN_HEALTH_CHECKS": True,
    }


DATABASES = {"default": _database(_ENV.app_database_url, "APP_DATABASE_URL")}
if _ENV.database_url is not None:
    DATABASES["owner"] = _database(_ENV.database_url, "DATABASE_URL")

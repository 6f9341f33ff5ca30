"""Stand-in until the real one lands: roles with passwords, grants."""

from __future__ import annotations

import secrets
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
from psycopg import sql

from config.private_files import read_or_create

_ROLES = {
    "APP_DATABASE_URL": ("lakeside_app", "NOSUPERUSER NOBYPASSRLS"),
    "LAKEHOUSE_SOURCE_URL": ("lakeside_replicator", "REPLICATION BYPASSRLS"),
    "LAKEHOUSE_CATALOG_URL": ("lakeside_catalog", "NOSUPERUSER"),
}


def provision(owner_url: str, *, home: Path) -> dict[str, str]:
    """Create or update the roles; return every URL by variable."""
    urls = {"DATABASE_URL": owner_url}
    parts = urlsplit(owner_url)
    with psycopg.connect(owner_url) as connection:
        for variable, (role, attributes) in _ROLES.items():
            password = read_or_create(home / "private" / f"{role}_password", lambda: secrets.token_urlsafe(24))
            if not connection.execute("SELECT FROM pg_roles WHERE rolname = %s", [role]).fetchone():
                connection.execute(sql.SQL("CREATE ROLE {}").format(sql.Identifier(role)))
            connection.execute(
                sql.SQL("ALTER ROLE {} LOGIN " + attributes + " PASSWORD {}").format(
                    sql.Identifier(role), sql.Literal(password)
                )
            )
            urls[variable] = parts._replace(netloc=f"{role}:{password}@{parts.hostname}:{parts.port}").geturl()
        connection.execute("CREATE SCHEMA IF NOT EXISTS lake AUTHORIZATION lakeside_catalog")
        connection.execute("ALTER ROLE lakeside_catalog SET search_path = lake")
        for kind, rights in (("TABLES", "SELECT, INSERT, UPDATE, DELETE"), ("SEQUENCES", "USAGE, SELECT")):
            connection.execute(f"GRANT {rights} ON ALL {kind} IN SCHEMA public TO lakeside_app")
            connection.execute(f"ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT {rights} ON {kind} TO lakeside_app")
        connection.execute("GRANT SELECT ON ALL TABLES IN SCHEMA public TO lakeside_replicator")
        connection.execute("ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT ON TABLES TO lakeside_replicator")
    return urls

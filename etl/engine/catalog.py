"""Open the Iceberg catalog: pyiceberg's `SqlCatalog`, kept in PostgreSQL.

Spark's `JdbcCatalog` sees the same tables, given the same catalog name and warehouse.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from pyiceberg.catalog.sql import SqlCatalog
from sqlalchemy.engine import make_url
from sqlalchemy.exc import IntegrityError, OperationalError, ProgrammingError

from etl.engine.lake import LakeConfig
from etl.ports.catalog import CatalogUnavailableError

CATALOG_NAME = "lake"


def open_catalog(config: LakeConfig) -> SqlCatalog:
    """Return the catalog of the lake, its own two tables created if missing.

    Raises:
        CatalogUnavailableError: PostgreSQL did not answer.
        ValueError: The configuration names no catalog.
    """
    if config.catalog_url is None:
        message = "this LakeConfig has no catalog_url"
        raise ValueError(message)
    url = make_url(config.catalog_url).set(drivername="postgresql+psycopg")
    properties = {
        "uri": url.render_as_string(hide_password=False),
        "warehouse": config.warehouse,
        "pool_pre_ping": "true",
    }
    with catalog_errors():
        try:
            return SqlCatalog(CATALOG_NAME, **properties)
        except (IntegrityError, ProgrammingError):
            # Two processes created the tables at once; the second attempt finds them.
            return SqlCatalog(CATALOG_NAME, **properties)


@contextmanager
def catalog_errors() -> Iterator[None]:
    """Turn a lost or refused connection into our error; every other error passes.

    Raises:
        CatalogUnavailableError: PostgreSQL did not answer.
    """
    try:
        yield
    except OperationalError as error:
        raise CatalogUnavailableError from error

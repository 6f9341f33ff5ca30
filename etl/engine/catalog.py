"""Open the Iceberg catalog: pyiceberg's `SqlCatalog`, kept in PostgreSQL.

Spark's `JdbcCatalog` sees the same tables, given the same catalog name and warehouse.
"""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager

from pyiceberg.catalog.sql import SqlCatalog, SqlCatalogBaseTable
from sqlalchemy import URL, create_engine
from sqlalchemy.engine import make_url
from sqlalchemy.exc import IntegrityError, OperationalError, ProgrammingError
from sqlalchemy.pool import NullPool

from etl.engine.lake import LakeConfig
from etl.ports.catalog import CatalogUnavailableError
from etl.ports.object_store import StoreFullError

CATALOG_NAME = "lake"

FILE_IO = {"py-io-impl": "etl.engine.durable.DurableFileIO"}
"""How pyiceberg reads and writes files."""


def open_catalog(config: LakeConfig) -> SqlCatalog:
    """Return the catalog of the lake, its own two tables created if missing.

    Use it as a context manager: its end closes the connections.

    Raises:
        CatalogUnavailableError: PostgreSQL did not answer.
        ValueError: The configuration names no catalog.
    """
    if config.catalog_url is None:
        message = "this LakeConfig has no catalog_url"
        raise ValueError(message)
    url = make_url(config.catalog_url).set(drivername="postgresql+psycopg")
    with catalog_errors():
        try:
            _create_tables(url)
        except (IntegrityError, ProgrammingError):
            # Two processes created them at once; the second attempt finds them.
            _create_tables(url)
        return SqlCatalog(
            CATALOG_NAME,
            uri=url.render_as_string(hide_password=False),
            warehouse=config.warehouse,
            init_catalog_tables="false",
            pool_pre_ping="true",
            **FILE_IO,
        )


@contextmanager
def catalog_errors() -> Iterator[None]:
    """Turn a lost connection, or a full disk under the metadata, into our errors; others pass.

    Raises:
        CatalogUnavailableError: PostgreSQL did not answer.
        StoreFullError: No room for a metadata file.
    """
    try:
        yield
    except OperationalError as error:
        raise CatalogUnavailableError from error
    except OSError as error:
        if error.errno in {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}:
            raise StoreFullError from error
        raise


def _create_tables(url: URL) -> None:
    # Not left to SqlCatalog, which would keep its connections open where it fails.
    SqlCatalogBaseTable.metadata.create_all(create_engine(url, poolclass=NullPool))

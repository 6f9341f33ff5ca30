"""Full disks, lost connections and exhausted memory, in our own words."""

import errno

import duckdb
import pytest
from sqlalchemy.exc import OperationalError

from etl.engine.catalog import catalog_errors
from etl.engine.session import MemoryExhaustedError, duckdb_errors
from etl.ports.catalog import CatalogUnavailableError
from etl.ports.object_store import StoreFullError


@pytest.mark.parametrize(
    ("raised", "expected"),
    [
        (duckdb.OutOfMemoryException("failed to allocate"), MemoryExhaustedError),
        (duckdb.IOException('Could not write file "x": No space left on device'), StoreFullError),
        (duckdb.IOException('Could not write file "x": Disk quota exceeded'), StoreFullError),
        (duckdb.IOException('Could not write file "x": File too large'), StoreFullError),
        (duckdb.IOException("Could not read file"), duckdb.IOException),
        (duckdb.BinderException("no such column"), duckdb.BinderException),
    ],
)
def test_duckdb(raised: Exception, expected: type[Exception]) -> None:
    with pytest.raises(expected), duckdb_errors():
        raise raised


@pytest.mark.parametrize(
    ("raised", "expected"),
    [
        (OperationalError("SELECT 1", {}, Exception("connection refused")), CatalogUnavailableError),
        (OSError(errno.ENOSPC, "No space left on device"), StoreFullError),
        (FileNotFoundError(errno.ENOENT, "gone"), FileNotFoundError),
    ],
)
def test_catalog(raised: Exception, expected: type[Exception]) -> None:
    with pytest.raises(expected), catalog_errors():
        raise raised

"""DuckDB as the jobs use it: bounded, in UTC, and with no way out of the lake."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from tempfile import TemporaryDirectory
from typing import ClassVar

import duckdb

from etl.engine.lake import LakeConfig
from etl.engine.sql import text_list
from etl.errors import OperatorError
from etl.ports.object_store import StoreFullError


class MemoryExhaustedError(OperatorError):
    """A query needs more memory than the job may use, even with spilling to disk."""

    guidance: ClassVar[str] = "Raise LAKEHOUSE_JOB_MEMORY_BYTES, then retry the run."


@contextmanager
def duckdb_session(config: LakeConfig) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open an in-memory DuckDB that spills to a temporary folder and sees only the lake.

    Threads of one job share the session's memory limit through ``connection.cursor()``.
    The configuration is locked: SQL that runs here can neither widen it nor read a file
    outside the lake. The spill folder follows ``TMPDIR`` and is gone afterwards.

    Raises:
        MemoryExhaustedError: The block ran out of its memory limit.
        StoreFullError: The block ran out of disk.
    """
    with TemporaryDirectory(prefix="lakeside-spill-", ignore_cleanup_errors=True) as spill:
        connection = duckdb.connect(
            ":memory:",
            config={
                "memory_limit": f"{config.memory_limit_bytes}B",
                "threads": config.threads,
                "temp_directory": spill,
                "preserve_insertion_order": False,
                "autoinstall_known_extensions": False,
                "autoload_known_extensions": False,
            },
        )
        try:
            connection.execute("SET TimeZone = 'UTC'")
            connection.execute("SET python_enable_replacements = false")
            connection.execute(f"SET allowed_directories = {text_list([config.lake_uri, spill])}")
            connection.execute("SET enable_external_access = false")
            connection.execute("SET lock_configuration = true")
            with duckdb_errors():
                yield connection
        finally:
            connection.close()


_NO_ROOM = tuple(os.strerror(number) for number in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG))
"""Words in which DuckDB passes on that a disk, a quota or a file's permitted size is exhausted."""


@contextmanager
def duckdb_errors() -> Iterator[None]:
    """Turn DuckDB's resource errors into ours; every other error passes.

    Raises:
        MemoryExhaustedError: DuckDB ran out of its memory limit.
        StoreFullError: DuckDB ran out of disk, for data or for spilling.
    """
    try:
        yield
    except duckdb.OutOfMemoryException as error:
        raise MemoryExhaustedError from error
    except duckdb.IOException as error:
        if any(words in str(error) for words in _NO_ROOM):
            raise StoreFullError from error
        raise

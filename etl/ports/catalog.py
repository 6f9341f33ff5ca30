"""Port: which Iceberg tables exist and what their current snapshots are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Protocol

from etl.contracts.publication import TablePin
from etl.errors import OperatorError, TransientError


class TableMissingError(OperatorError):
    """The catalog has no such table."""

    guidance: ClassVar[str] = "Run the pipeline once: `manage.py lakehouse run`."


class CatalogUnavailableError(TransientError):
    """The catalog did not answer."""


class Catalog(Protocol):
    """Reads the lake's table list; jobs write tables through Iceberg itself."""

    def tables(self, namespace: str) -> Sequence[str]:
        """Return the qualified table names of ``silver`` or ``gold``, sorted.

        Raises:
            CatalogUnavailableError: No answer.
        """

    def pin(self, tables: Sequence[str]) -> tuple[TablePin, ...]:
        """Return the current snapshot of each table, in the order asked.

        Raises:
            TableMissingError: One does not exist.
            CatalogUnavailableError: No answer.
        """

"""Port: answers questions about published gold. DuckDB over pinned snapshots, or Athena."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import ClassVar, LiteralString, Protocol

from etl.contracts.publication import Publication, Withheld
from etl.errors import OperatorError, TransientError

Value = bool | int | float | str | Decimal | date | datetime | None


class QueryRefusedError(OperatorError):
    """The query is not one this engine runs."""


class QueryUnavailableError(TransientError):
    """The query engine did not answer."""


class SnapshotGoneError(OperatorError):
    """A published snapshot's files are no longer in the lake."""

    guidance: ClassVar[str] = "Publish again with `manage.py lakehouse run`."


@dataclass(frozen=True, slots=True, kw_only=True)
class QueryResult:
    """Rows in column order, with what they cost."""

    columns: tuple[str, ...]
    rows: tuple[tuple[Value, ...], ...]
    seconds: float
    bytes_scanned: int | None = None


class QueryEngine(Protocol):
    """Runs one SELECT for one tenant against one publication."""

    def query(
        self,
        sql: LiteralString,
        *,
        tenant_id: int,
        publication: Publication,
        parameters: Sequence[Value] = (),
    ) -> QueryResult:
        """Answer ``sql``, in which ``gold.<model>`` names are the tenant's rows only.

        The engine itself narrows every gold table to ``tenant_id`` before the query sees
        it, so a forgotten predicate returns less, never another tenant's rows. ``?``
        placeholders take ``parameters`` in order.

        Raises:
            QueryRefusedError: It is not one SELECT over published gold tables.
            SnapshotGoneError: Files of the publication are missing.
            QueryUnavailableError: No answer in time.
        """


class PublicationReader(Protocol):
    """Tells readers which publication is current."""

    def current(self) -> Publication | None:
        """Return the newest publication; None before the first."""

    def at(self, number: int) -> Publication | None:
        """Return publication ``number``; None if there is none."""

    def withheld(self) -> Withheld | None:
        """Return the newer data that broke a check and was not published; None if there is none."""

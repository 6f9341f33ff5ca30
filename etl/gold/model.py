"""What a gold model is: the promise it makes to readers, and the SELECT that keeps it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar

from sqlglot import exp

from etl.errors import OperatorError
from etl.quality.checks import Check

MODEL_SCHEMA = "gold"
"""Schema of every model's table; silver's tables are the only other input."""
SILVER_SCHEMA = "silver"
TENANT_COLUMN = "tenant_id"
"""The column that says whose a row is."""
LIVE_SECONDS = 60
"""A model that promises to be at most this old is live: brought up to date with every publication."""


class ModelError(OperatorError):
    """A gold model cannot be used as it is written."""

    guidance: ClassVar[str] = "Correct the file at the line given, then retry the run; nothing was written."

    def __init__(self, problem: str, /, *, file: str, line: int) -> None:
        """Place the problem in its file.

        Args:
            problem: What is wrong and what to write instead.
            file: Name of the model file.
            line: Line in it, counted from 1.
        """
        super().__init__(f"{file}:{line}: {problem}")
        self.file = file
        self.line = line


class FrontMatterError(ModelError):
    """The comment at the head of a model file is incomplete or wrong."""


class ModelSyntaxError(ModelError):
    """The SQL of a model cannot be read."""


class NotPortableError(ModelError):
    """The SQL uses a construct that does not mean the same on every engine."""


class UnknownReferenceError(ModelError):
    """The SQL names a table or column that does not exist."""


class OutputMismatchError(ModelError):
    """The SELECT's columns are not the declared ones."""


class ModelCycleError(ModelError):
    """Models depend on each other in a circle."""


class Audience(StrEnum):
    """Who may read a model."""

    TENANT = "tenant"
    """Every tenant, its own rows."""
    PLATFORM = "platform"
    """The platform's own staff alone: its rows compare tenants."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GoldColumn:
    """One column of a model's table."""

    name: str
    type: str
    """Logical type, see `etl.contracts.types`."""
    description: str
    unit: str | None = None
    """What one means, e.g. ``orders``, ``tenant currency``, ``ratio``. Every number that is not a key has one."""
    formula: str | None = None
    """How it follows from other numbers, for readers. Every quotient has one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GoldModel:
    """One model file, read but not yet compared with the others."""

    name: str
    """File name without ``.sql``; the table is ``gold.<name>``."""
    file: str
    title: str
    question: str
    """What a reader learns from it, as a question."""
    grain: tuple[str, ...]
    """What one row stands for: these columns are never NULL and together unique."""
    columns: tuple[GoldColumn, ...]
    freshness_seconds: int
    """The data promises to be at most this old."""
    incremental_key: tuple[str, ...]
    """Rows with one value of these columns depend only on silver rows with the same value."""
    checks: tuple[Check, ...]
    audience: Audience
    query: exp.Query
    """The SELECT, parsed in DuckDB's dialect; node positions are lines of the file."""
    transform: str | None = None
    """Module of `etl.gold.transforms` that turns the SELECT's rows into the model's."""
    selected: tuple[tuple[str, str], ...] = ()
    """Name and logical type of each column of the SELECT: the model's own, or what its transform takes."""

    @property
    def table(self) -> str:
        """Qualified name of the model's table."""
        return f"{MODEL_SCHEMA}.{self.name}"

    @property
    def column_names(self) -> tuple[str, ...]:
        """Names of the output columns, in order."""
        return tuple(column.name for column in self.columns)

    @property
    def is_live(self) -> bool:
        """Whether it is brought up to date with every publication."""
        return self.freshness_seconds <= LIVE_SECONDS

    @property
    def partition_by(self) -> str | None:
        """Column by which its table is partitioned: the query engine shows tenants such tables alone."""
        return TENANT_COLUMN if self.audience is Audience.TENANT else None

    def column(self, name: str) -> GoldColumn:
        """Return the column called ``name``.

        Raises:
            KeyError: The model has no such column.
        """
        for column in self.columns:
            if column.name == name:
                return column
        raise KeyError(name)

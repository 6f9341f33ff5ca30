"""What keeps a source, or one of its tables, from being replicated, and the SQL that mends it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from etl.contracts.table import TableId


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One thing that is missing at the source."""

    text: str
    """What is wrong; and what to do, where no SQL does it. Whole sentences."""
    sql: str = ""
    """What mends it."""
    by: str = ""
    """Who has to run it, if not anybody may: "as a superuser"."""
    then: str = ""
    """What is to be done after it."""
    table: TableId | None = None
    """The one table that it concerns; None if it concerns all."""

    def __str__(self) -> str:
        """Return sentences for a person."""
        if not self.sql:
            return self.text
        return f"{self.text} Run{self.by and f' {self.by}'}: {self.sql}{self.then and f' {self.then}'}"


def sentences(problems: Iterable[Problem]) -> str:
    """Return all problems as one text."""
    return " ".join(map(str, problems))

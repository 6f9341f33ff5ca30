"""The account of a seeding: rows, bytes, checksum and time of every table."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

from saas.seeding.plan import Plan
from saas.seeding.scale import Table


@dataclass(frozen=True, slots=True, kw_only=True)
class TableAccount:
    """What one table received."""

    table: Table
    rows: int
    size_bytes: int
    """Of the text that was copied in."""
    sha256: str
    """Of that text, tenant after tenant."""
    seconds: float
    """Until its rows were in; references are checked for all tables at the end."""

    def as_json(self) -> dict[str, Any]:
        """Return the account as JSON values."""
        return {
            "table": str(self.table),
            "rows": self.rows,
            "bytes": self.size_bytes,
            "sha256": self.sha256,
            "seconds": round(self.seconds, 3),
            "rows_per_second": _rate(self.rows, self.seconds),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What was seeded from which inputs. Apart from the times, equal plans give equal manifests."""

    plan: Plan
    tables: tuple[TableAccount, ...]
    seconds: float
    """From the first statement to the commit."""

    @property
    def rows(self) -> int:
        """Rows of all tables."""
        return sum(each.rows for each in self.tables)

    @property
    def size_bytes(self) -> int:
        """Text of all tables."""
        return sum(each.size_bytes for each in self.tables)

    def as_json(self) -> dict[str, Any]:
        """Return the manifest as JSON values."""
        return {
            "scale": self.plan.scale.name,
            "factor": str(self.plan.scale.factor),
            "seed": self.plan.seed,
            "as_of": self.plan.as_of.isoformat(),
            "first_day": self.plan.period.first_day.isoformat(),
            "tables": [each.as_json() for each in self.tables],
            "rows": self.rows,
            "bytes": self.size_bytes,
            "seconds": round(self.seconds, 3),
            "rows_per_second": _rate(self.rows, self.seconds),
        }

    def as_lines(self) -> list[str]:
        """Return the manifest as a table for people."""
        plan = self.plan
        lines = [
            f"scale {plan.scale.name}, seed {plan.seed}, {plan.period.first_day} up to {plan.as_of} (excluded)",
            f"{'table':<14}{'rows':>12}{'bytes':>15}{'seconds':>9}{'rows/s':>11}  sha256",
        ]
        lines += [
            f"{each.table:<14}{each.rows:>12,}{each.size_bytes:>15,}{each.seconds:>9.2f}"
            f"{_rate(each.rows, each.seconds):>11,}  {each.sha256}"
            for each in self.tables
        ]
        total = f"{self.rows:>12,}{self.size_bytes:>15,}{self.seconds:>9.2f}{_rate(self.rows, self.seconds):>11,}"
        return [*lines, f"{'all':<14}{total}"]


class Ledger:
    """Adds up a manifest while chunks go by."""

    def __init__(self, plan: Plan) -> None:
        """Begin with nothing for each table."""
        self._plan = plan
        self._rows = dict.fromkeys(Table, 0)
        self._sizes = dict.fromkeys(Table, 0)
        self._seconds = dict.fromkeys(Table, 0.0)
        self._hashes = {table: hashlib.sha256() for table in Table}

    def add(self, table: Table, rows: int, text: memoryview) -> None:
        """Count a chunk's rows and its text."""
        self._rows[table] += rows
        self._sizes[table] += len(text)
        self._hashes[table].update(text)

    def spend(self, table: Table, seconds: float) -> None:
        """Count time that a table took."""
        self._seconds[table] += seconds

    def close(self, seconds: float) -> Manifest:
        """Return the manifest; ``seconds`` is the time of the whole."""
        return Manifest(
            plan=self._plan,
            seconds=seconds,
            tables=tuple(
                TableAccount(
                    table=table,
                    rows=self._rows[table],
                    size_bytes=self._sizes[table],
                    sha256=self._hashes[table].hexdigest(),
                    seconds=self._seconds[table],
                )
                for table in Table
            ),
        )


def _rate(rows: int, seconds: float) -> int:
    return round(rows / seconds) if seconds > 0 else 0

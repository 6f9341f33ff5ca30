"""The data contract of a source table: what its bronze files and its silver table hold.

A contract is read from the source's own catalog (`etl.contracts.source`), in physical
column order; nobody types a column list by hand. It gets a new version when the source's
table changes, and every bronze file names the version it was written under.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import asdict, dataclass
from typing import Any, Self

_PART = r'("(?:[^"]|"")+"|[^".]+)'
_QUOTED = re.compile(rf"(?:{_PART}\.)?{_PART}")
_NEEDS_QUOTES = re.compile(r'[".,]|^\s|\s$')


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class TableId:
    """A table of the source: PostgreSQL schema and name."""

    schema: str
    name: str

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read ``schema.name`` or ``name`` (schema ``public``); names may stand in double quotes, as in SQL."""
        quoted = _QUOTED.fullmatch(text)
        if quoted is not None and '"' in text:
            schema, name = (_unquoted(part) for part in quoted.groups(default="public"))
            return cls(schema=schema, name=name)
        schema, dot, name = text.rpartition(".")
        return cls(schema=schema if dot else "public", name=name)

    @property
    def lake_name(self) -> str:
        """The table's name in silver: bare for ``public``, else ``schema__name``.

        It names folders too, and stands in patterns and addresses: what is no letter, digit
        or underscore is written as its number.
        """
        name = self.name if self.schema == "public" else f"{self.schema}__{self.name}"
        return re.sub(r"\W", lambda sign: f"_x{ord(sign[0]):X}_", name)

    def __str__(self) -> str:
        """Return ``schema.name``, in quotes only where it could not be read back without."""
        return ".".join(_quoted(part) for part in (self.schema, self.name))


def _quoted(name: str) -> str:
    return f'"{name.replace(chr(34), chr(34) * 2)}"' if _NEEDS_QUOTES.search(name) else name


def _unquoted(part: str) -> str:
    return part[1:-1].replace('""', '"') if part.startswith('"') else part


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One column: its place, its type at the source and what that means in the lake."""

    name: str
    attnum: int
    source_type: str
    """As PostgreSQL's ``format_type`` prints it, e.g. ``numeric(12,2)``."""
    type: str
    """Logical type, see `etl.contracts.types`."""
    nullable: bool
    fill: str | None = None
    """Text of the value that rows older than the column have; None: NULL."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TableContract:
    """The promised shape of one source table."""

    table: TableId
    version: int
    columns: tuple[Column, ...]
    """In ``attnum`` order, which is the order of fields in bronze files."""
    key: tuple[str, ...]
    """Primary-key column names, in key order."""

    @property
    def column_names(self) -> tuple[str, ...]:
        """The columns' names, in file order."""
        return tuple(column.name for column in self.columns)

    @property
    def tenant_column(self) -> str | None:
        """``tenant_id`` where the table has one: the partition column of silver."""
        return "tenant_id" if "tenant_id" in self.column_names else None

    def column(self, name: str) -> Column:
        """Return the column called ``name``.

        Raises:
            KeyError: The table has no such column.
        """
        for column in self.columns:
            if column.name == name:
                return column
        raise KeyError(name)

    @property
    def fingerprint(self) -> str:
        """16 hexadecimal digits over everything but the version: equal shape, equal text."""
        shape = self._fields()
        del shape["version"]
        return hashlib.sha256(json.dumps(shape, sort_keys=True).encode()).hexdigest()[:16]

    def to_json(self) -> str:
        """Return the contract as an indented JSON document."""
        return json.dumps(self._fields(), indent=1, sort_keys=True)

    def _fields(self) -> dict[str, Any]:
        """Return the contract as a document; a column that fills nothing does not mention it."""
        document = asdict(self)
        for column in document["columns"]:
            if column["fill"] is None:
                del column["fill"]
        return document

    @classmethod
    def from_json(cls, text: str | bytes) -> Self:
        """Read what `to_json` wrote.

        Raises:
            ValueError: The text is not JSON.
            KeyError: A field is missing.
        """
        data = json.loads(text)
        return cls(
            table=TableId(**data["table"]),
            version=data["version"],
            columns=tuple(Column(**column) for column in data["columns"]),
            key=tuple(data["key"]),
        )

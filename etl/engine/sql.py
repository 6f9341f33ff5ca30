"""Quoting: the one way a name or a constant becomes SQL text for DuckDB or PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterable


def identifier(name: str) -> str:
    """Return ``name`` as a quoted SQL identifier: ``a"b`` gives ``"a""b"``."""
    return '"' + name.replace('"', '""') + '"'


def qualified(name: str) -> str:
    """Return a dotted name with each part quoted: ``silver.orders`` gives ``"silver"."orders"``."""
    return ".".join(identifier(part) for part in name.split("."))


def literal(text: str) -> str:
    """Return ``text`` as an SQL text constant: ``it's`` gives ``'it''s'``."""
    return "'" + text.replace("'", "''") + "'"


def text_list(texts: Iterable[str]) -> str:
    """Return DuckDB's list constant of texts: ``['a', 'b']``."""
    return "[" + ", ".join(literal(text) for text in texts) + "]"

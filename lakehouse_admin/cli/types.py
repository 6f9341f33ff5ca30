"""Print what becomes of each PostgreSQL type as Markdown: docs/types.md."""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Mapping

from lakehouse_admin.cli.verb import SUCCESS, Output


def add_arguments(parser: ArgumentParser) -> None:
    """Declare no options."""


def handle(options: Mapping[str, object], output: Output) -> int:  # noqa: ARG001 - every verb's signature
    """Print the page."""
    from lakehouse_admin.status.types_page import types_page  # noqa: PLC0415 - the other verbs start quicker

    output.out.write(types_page())
    return SUCCESS

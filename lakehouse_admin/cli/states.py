"""Print every state and transition as Markdown: docs/states.md."""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Mapping

from lakehouse_admin.cli.verb import SUCCESS, Output
from lakehouse_admin.status.states_page import states_page


def add_arguments(parser: ArgumentParser) -> None:
    """Declare no options."""


def handle(options: Mapping[str, object], output: Output) -> int:  # noqa: ARG001 - every verb's signature
    """Print the page."""
    output.out.write(states_page())
    return SUCCESS

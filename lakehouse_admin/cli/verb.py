"""What a verb is, and what every verb may do."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

SUCCESS, FAILURE = 0, 1


class Sink(Protocol):
    """Takes text: standard output, standard error, or a test's buffer."""

    def write(self, text: str, /) -> object:
        """Take some text."""

    def flush(self) -> None:
        """Pass on what was taken."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """Where a verb writes: its answer to ``out``, what it tells on the way to ``progress``."""

    out: Sink
    progress: Sink
    as_json: bool

    def document(self, document: Mapping[str, object] | Sequence[object]) -> None:
        """Print the one JSON document."""
        self.out.write(json.dumps(document, indent=1) + "\n")

    def lines(self, *lines: str) -> None:
        """Print the answer for people."""
        self.out.write("".join(f"{line}\n" for line in lines))

    def tell(self, line: str) -> None:
        """Print a line of progress at once."""
        self.progress.write(f"{line}\n")
        self.progress.flush()

    def table(
        self, header: Sequence[str], rows: Sequence[Sequence[str]], *, right: frozenset[int] = frozenset()
    ) -> None:
        """Print aligned columns; the columns in ``right`` to the right, as numbers want."""
        widths = [max(len(row[column]) for row in [header, *rows]) for column in range(len(header))]
        for row in [header, *rows]:
            cells = [
                text.rjust(width) if column in right else text.ljust(width)
                for column, (text, width) in enumerate(zip(row, widths, strict=True))
            ]
            self.lines("  ".join(cells).rstrip())


class Verb(Protocol):
    """A module of this package: its docstring's first line is its help."""

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare what follows the verb."""

    def handle(self, options: Mapping[str, object], output: Output) -> int:
        """Do it; return the exit code.

        Raises:
            LakehouseError: It cannot be done; the command prints the sentence and the guidance.
        """

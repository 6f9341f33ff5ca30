"""Print Athena's named queries, from the gold models, as variables of infra/terraform."""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Mapping

from lakehouse_admin.cli.generated_file import add_file_arguments, put
from lakehouse_admin.cli.verb import Output


def add_arguments(parser: ArgumentParser) -> None:
    """Declare the options."""
    add_file_arguments(parser)


def handle(options: Mapping[str, object], output: Output) -> int:
    """Print, write or compare them; exit 1 if a compared file is out of date.

    Raises:
        FileNotWrittenError: The file cannot be read or written.
        ModelError: A model file is wrong; the message says where and what to write instead.
    """
    from etl.gold.compile import load_models  # noqa: PLC0415 - the other verbs start quicker
    from etl.gold.named_queries import gold_variables  # noqa: PLC0415

    return put(gold_variables(load_models()), options, output)

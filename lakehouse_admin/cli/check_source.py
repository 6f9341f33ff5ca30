"""Name everything the source lacks to be replicated, with the SQL that mends it; exit 1 if anything is missing."""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Mapping
from contextlib import closing
from dataclasses import asdict

from lakehouse_admin.cli.verb import FAILURE, SUCCESS, Output
from lakehouse_admin.wiring import replicator_config


def add_arguments(parser: ArgumentParser) -> None:
    """Declare no options."""


def handle(options: Mapping[str, object], output: Output) -> int:  # noqa: ARG001 - every verb's signature
    """Print one problem after another.

    Raises:
        SettingMissingError: LAKEHOUSE_SOURCE_URL is not set.
        SourceUnavailableError: The source did not answer.
    """
    from etl.contracts.source import open_source  # noqa: PLC0415 - the other verbs start quicker
    from etl.replicate.preflight import all_problems  # noqa: PLC0415

    config = replicator_config()
    with closing(open_source(config.source_url)) as connection:
        problems = all_problems(connection, config.tables, slot=config.slot, publication=config.publication)
    if output.as_json:
        found = [{**asdict(each), "table": str(each.table) if each.table else None} for each in problems]
        output.document({"ready": not problems, "problems": found})
    else:
        for problem in problems:
            output.lines(str(problem))
        if not problems:
            output.lines(f"The source is ready: {len(config.tables)} tables can be replicated.")
    return FAILURE if problems else SUCCESS

"""Show what the lake holds: bytes and files by layer and table, and why they are still there."""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Mapping
from dataclasses import asdict
from datetime import timedelta

from django.conf import settings
from django.utils import timezone

from lakehouse_admin.actions.retire_publications import kept_pins
from lakehouse_admin.cli.verb import SUCCESS, Output
from lakehouse_admin.wiring import bronze, lake_config


def add_arguments(parser: ArgumentParser) -> None:
    """Declare nothing: the verb has no options."""


def handle(options: Mapping[str, object], output: Output) -> int:  # noqa: ARG001 - the protocol's signature
    """Look through every folder of the lake.

    Raises:
        EmbeddedOnlyError: The lake is not in a folder.
        CatalogUnavailableError: The catalog did not answer.
        StoreUnavailableError: Bronze did not answer.
    """
    from etl.engine.catalog import open_catalog  # noqa: PLC0415 - only this asks for engines
    from etl.maintain.storage import stored_in_bronze, stored_in_tables  # noqa: PLC0415

    with open_catalog(lake_config()) as catalog:
        safe_age = timedelta(seconds=settings.LAKEHOUSE.safe_age_seconds)
        tables = stored_in_tables(catalog, pins=kept_pins(), now=timezone.now(), safe_age=safe_age)
    stored = [*stored_in_bronze(bronze()), *tables]
    layers = {each.layer: 0 for each in stored}
    for each in stored:
        layers[each.layer] += each.size_bytes
    if output.as_json:
        output.document({"layers": layers, "stored": [asdict(each) for each in stored]})
        return SUCCESS
    output.table(
        ("layer", "table", "kept for", "files", "bytes"),
        [(each.layer, each.table, each.retained_by, f"{each.files:,}", f"{each.size_bytes:,}") for each in stored],
        right=frozenset({3, 4}),
    )
    output.lines(*(f"{layer}: {size_bytes:,} bytes" for layer, size_bytes in layers.items()))
    return SUCCESS

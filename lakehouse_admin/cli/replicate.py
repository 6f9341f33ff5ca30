"""Copy the source into bronze once, without a run; exit 0 only if the load is complete."""

from __future__ import annotations

import time
from argparse import ArgumentParser
from collections.abc import Mapping
from typing import ClassVar

from django.utils import timezone

from etl.errors import LakehouseError
from etl.ports.replicator import LoadState, LoadStatus, Replicator
from lakehouse_admin.cli.verb import SUCCESS, Output
from lakehouse_admin.wiring import lakehouse

_POLL_SECONDS = 0.1


class LoadFailedError(LakehouseError):
    """The full load did not complete."""

    guidance: ClassVar[str] = (
        "What was written is ignored by readers, and removed by the next load. Correct the cause and repeat."
    )


def add_arguments(parser: ArgumentParser) -> None:
    """Declare no options."""


def handle(options: Mapping[str, object], output: Output) -> int:  # noqa: ARG001 - every verb's signature
    """Land one full load of every replicated table and print what it holds.

    Raises:
        SettingMissingError: A connection URL is not set.
        LoadFailedError: It failed or was cancelled.
    """
    replicator = lakehouse().replicator
    request_id = f"command-{timezone.now():%Y%m%dT%H%M%S%f}"
    replicator.start_full_load(request_id=request_id)
    try:
        load = _follow(replicator, request_id)
    except KeyboardInterrupt:
        replicator.cancel_full_load(request_id)
        raise
    if load.state is not LoadState.SUCCEEDED:
        raise LoadFailedError(load.error_message or None, request=request_id)
    if output.as_json:
        tables = {str(each.table): {"rows": each.rows, "size_bytes": each.size_bytes} for each in load.tables}
        output.document({"load_id": load.load_id, "tables": tables})
    else:
        rows = [(str(each.table), f"{each.rows:,}", f"{each.size_bytes:,}") for each in load.tables]
        output.table(("table", "rows", "bytes"), rows, right=frozenset({1, 2}))
        output.lines(f"Load {load.load_id} is in bronze.")
    return SUCCESS


def _follow(replicator: Replicator, request_id: str) -> LoadStatus:
    while (status := replicator.load_status(request_id)).state is LoadState.RUNNING:
        time.sleep(_POLL_SECONDS)
    return status

"""Follow the source: take the full load if there is none, then bring every change to bronze, until stopped."""

from __future__ import annotations

import json
import signal
import threading
import time
from argparse import ArgumentParser
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import FrameType
from typing import ClassVar

from django.utils import timezone

from etl.errors import LakehouseError
from etl.ports.replicator import LoadState, LoadStatus, Replicator
from etl.replicate.lsn import Lsn
from etl.replicate.status import ReplicatorState, ReplicatorStatus
from lakehouse_admin.cli.verb import SUCCESS, Output
from lakehouse_admin.wiring import bronze, lakehouse, replicator_config, replicator_status

_POLL_SECONDS = 0.1
_STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class LoadFailedError(LakehouseError):
    """The full load did not complete."""

    guidance: ClassVar[str] = (
        "What was written is ignored by readers, and removed by the next load. Correct the cause and repeat."
    )


def add_arguments(parser: ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument(
        "--once", action="store_true", help="land one full load, which changes go on around, and end; follow nothing"
    )


def handle(options: Mapping[str, object], output: Output) -> int:
    """Replicate until a signal; with ``--json``, print a status a line, about one a second.

    Raises:
        SettingMissingError: A connection URL is not set.
        LoadFailedError: With ``--once``: it failed or was cancelled.
        Whatever `etl.replicate.serve.serve` raises.
    """
    if options.get("once"):
        return _load_once(output)
    from etl.quality.fingerprint import source_fingerprint_sql  # noqa: PLC0415 - the other verbs start quicker
    from etl.replicate.serve import serve  # noqa: PLC0415

    config, store, file = replicator_config(), bronze(), replicator_status()
    teller = _Teller(output)

    def put(status: ReplicatorStatus) -> None:
        file.write(status)
        teller.tell(status)

    with _stopped_by_signals() as stop:
        serve(config, store, stop=stop, put=put, fingerprint_sql=source_fingerprint_sql)
    return SUCCESS


class _Teller:
    """Prints each status for a program; for people, what changed."""

    def __init__(self, output: Output) -> None:
        self._output = output
        self._told: tuple[object, ...] = ()

    def tell(self, status: ReplicatorStatus) -> None:
        if self._output.as_json:
            self._output.out.write(json.dumps(json.loads(status.to_json()), sort_keys=True) + "\n")
            self._output.out.flush()
            return
        told = (status.state, status.error_message, status.tables)
        if told == self._told:
            return
        before, self._told = self._told, told
        if told[:2] != before[:2]:
            self._output.tell(f"{timezone.now():%Y-%m-%d %H:%M:%S} {_sentence(status)}")
        for trouble in status.tables:
            if not before or trouble not in before[2]:  # type: ignore[operator]
                self._output.tell(f"{trouble.table} is left out: {trouble.message} {trouble.guidance}")


def _sentence(status: ReplicatorStatus) -> str:
    match status.state:
        case ReplicatorState.STREAMING:
            return f"Following slot {status.slot} from {Lsn(status.durable_lsn)}."
        case ReplicatorState.WAITING:
            return f"Waiting: {status.error_message} {status.guidance}"
        case ReplicatorState.FAILED:
            return f"Failed: {status.error_message}"
        case other:
            return f"{other.capitalize()}."


@contextmanager
def _stopped_by_signals() -> Iterator[threading.Event]:
    """Give what the signals that end a process set; what runs drains and ends by itself."""
    stop = threading.Event()

    def note(_number: int, _frame: FrameType | None) -> None:
        stop.set()

    previous = {number: signal.signal(number, note) for number in _STOP_SIGNALS}
    try:
        yield stop
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


def _load_once(output: Output) -> int:
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

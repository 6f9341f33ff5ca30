"""Publish what changes at the source as it comes, cycle by cycle, until stopped."""

from __future__ import annotations

import logging
import signal
import threading
from argparse import ArgumentParser
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import FrameType

from lakehouse_admin.cli.verb import SUCCESS, Output
from lakehouse_admin.models import FollowerState
from lakehouse_admin.wiring import following

_STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def add_arguments(parser: ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--once", action="store_true", help="publish what is in bronze now, and end")


def handle(options: Mapping[str, object], output: Output) -> int:
    """Follow; a signal ends it between two steps.

    Raises:
        SettingMissingError: LAKEHOUSE_CATALOG_URL is not set.
        BackendIncompleteError: The lake is not in a folder.
        LakehouseError: With ``--once``: what went wrong.
    """
    logging.getLogger("lakeside").setLevel(logging.INFO)  # A service: its log is what it tells.
    once = bool(options.get("once"))
    with _stopped_by_signals() as stop:
        following().run(stop, once=once)
    if once:
        state = FollowerState.objects.get()
        if output.as_json:
            output.document({"publication": state.publication, "source_lsn": state.source_lsn, "tables": state.tables})
        else:
            output.lines(f"Publication {state.publication} is what readers see now.")
    return SUCCESS


@contextmanager
def _stopped_by_signals() -> Iterator[threading.Event]:
    """Give what the signals that end a process set; the follower ends by itself then."""
    stop = threading.Event()

    def note(_number: int, _frame: FrameType | None) -> None:
        stop.set()

    previous = {number: signal.signal(number, note) for number in _STOP_SIGNALS}
    try:
        yield stop
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)

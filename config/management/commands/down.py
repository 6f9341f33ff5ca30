"""Stops a running stack from another terminal."""

from __future__ import annotations

import sys
from typing import Any

from django.core.management.base import BaseCommand

from config import env
from config.embedded.run_folder import RunFolder

_STOP_SECONDS = 120.0
"""Longer than all the supervisor's own limits together."""


class Command(BaseCommand):
    """`manage.py down`: asks the supervisor to stop, and waits until it has."""

    help = "Stop the stack that `up` or `demo` runs, and wait until it has stopped."
    requires_system_checks = ()

    def handle(self, *_arguments: Any, **_options: Any) -> None:
        """Stop it; exit with 1 if it does not end in time."""
        folder = RunFolder(env.load().lakehouse.home)
        record = folder.record()
        supervisor = record.supervisor.process() if record else None
        if not folder.is_claimed() or supervisor is None:
            print("Lakeside does not run.")
            return
        supervisor.terminate()
        if not folder.wait_until_free(timeout_seconds=_STOP_SECONDS):
            sys.exit(f"Lakeside (process {supervisor.pid}) has not stopped within {_STOP_SECONDS:.0f} s; see its log.")
        print("Lakeside has stopped.")

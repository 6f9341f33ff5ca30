"""Starts jobs without their start-up: ``python -m etl.jobs.warm`` imports what jobs need once, then forks.

Importing the engines and reading the models takes more than a second of processor time; a
fork takes milliseconds.
The process reads one JSON line per request from standard input and answers on standard output::

    -> {"name": "reconcile", "log": ".../log", "exit": ".../exit.json"}
    <- {"pid": 4711}
    -> {"document": "..."}        the job's document, as `etl.jobs` describes it; null to drop the job

The first answer, ``{"ready": true}``, comes unasked once everything is imported. A forked
job waits for its document, in a session of its own, with the log as its output; when it
ends, ``exit`` gets its exit status. At the end of standard input this process ends; jobs go on.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import pkgutil
import signal
import sys
import traceback
from contextlib import suppress
from pathlib import Path
from types import FrameType
from typing import NoReturn

import etl.jobs
from etl.gold.compile import load_models
from etl.gold.model import ModelError
from etl.jobs.__main__ import UNUSABLE, main

_NOT_JOBS = {"__main__", "glue", "warm"}
_LAZY = ("pyarrow.parquet", "pyiceberg.io.pyarrow", "sqlalchemy.dialects.postgresql.psycopg")
"""What the jobs' libraries import only when first used."""


def serve() -> None:
    """Answer requests until standard input ends."""
    for module in pkgutil.iter_modules(etl.jobs.__path__):
        if module.name not in _NOT_JOBS:
            importlib.import_module(f"etl.jobs.{module.name}")
    for name in _LAZY:
        importlib.import_module(name)
    with suppress(ModelError, OSError):  # A job that needs the models will say what is wrong with them.
        load_models()
    gc.freeze()  # What is loaded by now is never garbage: jobs then share its memory pages.
    exits: dict[int, Path] = {}

    def reap(_signal: int, _frame: FrameType | None) -> None:
        with suppress(ChildProcessError):
            while (ended := os.waitpid(-1, os.WNOHANG))[0]:
                _write_exit(exits.pop(ended[0], None), os.waitstatus_to_exitcode(ended[1]))

    signal.signal(signal.SIGCHLD, reap)
    _answer({"ready": True})
    while request := sys.stdin.readline():
        _start(json.loads(request), exits)


def _start(request: dict[str, str], exits: dict[int, Path]) -> None:
    reading, writing = os.pipe()
    # A job that ends at once must not be reaped before it is known.
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGCHLD})
    pid = os.fork()
    if pid == 0:
        os.close(writing)
        _run(request["name"], Path(request["log"]), reading)
    exits[pid] = Path(request["exit"])
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGCHLD})
    os.close(reading)
    _answer({"pid": pid})
    document = json.loads(sys.stdin.readline() or '{"document": null}')["document"]
    with suppress(BrokenPipeError), os.fdopen(writing, "wb") as pipe:
        pipe.write((document or "").encode())


def _run(name: str, log: Path, reading: int) -> NoReturn:
    """Become the job: the forked process never returns to the server's code."""
    code = UNUSABLE
    try:
        os.setsid()
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGCHLD})
        nothing = os.open(os.devnull, os.O_RDONLY)
        output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        os.dup2(nothing, 0)
        os.dup2(output, 1)
        os.dup2(output, 2)
        with os.fdopen(reading, "rb") as pipe:
            document = pipe.read().decode()
        if document:
            code = main(name, document)
    except BaseException:  # noqa: BLE001 - nothing above this may run in the forked process
        traceback.print_exc()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def _answer(line: dict[str, object]) -> None:
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()


def _write_exit(path: Path | None, status: int) -> None:
    if path is not None:
        with suppress(OSError):  # The job's folder may be gone already.
            path.write_text(json.dumps({"status": status}), encoding="utf-8")


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl+C is for the supervisor, which ends us in order.
    serve()

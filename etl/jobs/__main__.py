"""Entry point of every job: ``python -m etl.jobs NAME``; see `etl.jobs` for what goes in and out."""

from __future__ import annotations

import importlib
import json
import os
import pkgutil
import re
import sys
import traceback
import typing
from collections.abc import Iterable, Mapping
from pathlib import Path
from urllib.parse import unquote

import etl.jobs
from etl.errors import LakehouseError
from etl.jobs.document import build, dump
from etl.jobs.progress import Progress
from etl.ports.job_runner import JobRefusedError

SUCCEEDED, FAILED, UNUSABLE = 0, 1, 2
_PASSWORD = re.compile(r"://[^:@/]*:([^@]+)@")  # Also within a URL too broken to parse.
_MACHINERY = {"__main__", "document", "glue", "progress", "warm"}


def main(name: str, text: str) -> int:
    """Run one job from its document; return the exit code."""
    try:
        document = json.loads(text)
        result_path = Path(document["result_path"])
        progress_path = Path(document["progress_path"])
        arguments: Mapping[str, object] = document["arguments"]
        secrets: Mapping[str, str] = document.get("secrets", {})
    except (ValueError, TypeError, KeyError) as error:
        sys.stderr.write(f"The job's document is unusable: {type(error).__name__}: {error}\n")
        return UNUSABLE
    hide = _Hider(secrets.values())
    try:
        with Progress(progress_path) as progress:
            result = dump(_run(name, {**secrets, **arguments}, progress))
    except Exception as error:  # noqa: BLE001 - the border of the process: every failure becomes a result
        sys.stderr.write(hide("".join(traceback.format_exception(error))) + "\n")
        failure = {
            "state": "failed",
            "error_class": f"{type(error).__module__}.{type(error).__qualname__}",
            "error_message": hide(str(error)),
            "guidance": error.guidance if isinstance(error, LakehouseError) else LakehouseError.guidance,
        }
        _write(result_path, json.dumps(failure, indent=1))
        return FAILED
    _write(result_path, f'{{"state": "succeeded", "result": {result}}}')
    return SUCCEEDED


def _run(name: str, values: Mapping[str, object], progress: Progress) -> object:
    """Import the job, build its arguments and run it.

    Raises:
        JobRefusedError: There is no such job, or an argument is missing or wrong.
        Whatever the job raises.
    """
    names = sorted({module.name for module in pkgutil.iter_modules(etl.jobs.__path__)} - _MACHINERY)
    if name not in names:
        raise JobRefusedError(f"There is no job {name}; there are: {', '.join(names)}.")
    module = importlib.import_module(f"etl.jobs.{name}")
    kind = typing.get_type_hints(module.run)["arguments"]
    return module.run(build(kind, values), progress)


def _write(path: Path, text: str) -> None:
    """Put a file in place, whole and durable, or not at all."""
    temporary = path.with_name(f"{path.name}.tmp")
    with temporary.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)


class _Hider:
    """Blacks out secrets, and the passwords within them, in text meant for people."""

    def __init__(self, secrets: Iterable[str]) -> None:
        """Collect what must not be seen, longest first."""
        hidden = set()
        for secret in secrets:
            hidden.add(secret)
            for password in _PASSWORD.findall(secret):
                hidden |= {password, unquote(password)}
        self._hidden = sorted(hidden - {""}, key=len, reverse=True)

    def __call__(self, text: str) -> str:
        for secret in self._hidden:
            text = text.replace(secret, "***")
        return text


if __name__ == "__main__":
    if len(sys.argv) != 2:  # noqa: PLR2004 - the program and one name
        sys.stderr.write("usage: python -m etl.jobs NAME < document.json\n")
        sys.exit(UNUSABLE)
    sys.exit(main(sys.argv[1], sys.stdin.read()))

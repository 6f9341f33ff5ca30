"""Files that are generated and committed: written in one step, or compared with what they should be."""

from __future__ import annotations

import difflib
import json
import os
import tempfile
from argparse import ArgumentParser
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar, cast

from etl.errors import OperatorError
from lakehouse_admin.cli.verb import FAILURE, SUCCESS, Output


class FileNotWrittenError(OperatorError):
    """The file cannot be read or written."""

    guidance: ClassVar[str] = "Name a file in a folder that exists and may be written to."


def add_file_arguments(parser: ArgumentParser) -> None:
    """Declare ``--write`` and ``--check``; without either, the document is printed."""
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--write", type=Path, metavar="FILE", help="replace the file in one step")
    which.add_argument("--check", type=Path, metavar="FILE", help="exit 1 if the file says something else")


def put(document: Mapping[str, object], options: Mapping[str, object], output: Output) -> int:
    """Print, write or compare the document, as the options say; return the exit code.

    Raises:
        FileNotWrittenError: The file cannot be read or written.
    """
    text = json.dumps(document, indent=2, sort_keys=True, ensure_ascii=False) + "\n"
    written, checked = cast("Path | None", options.get("write")), cast("Path | None", options.get("check"))
    if written is not None:
        _replace(written, text)
        output.tell(f"{written} is written.")
        return SUCCESS
    if checked is not None:
        return _compare(checked, text, output)
    output.out.write(text)
    return SUCCESS


def _compare(path: Path, text: str, output: Output) -> int:
    try:
        found = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise FileNotWrittenError(f"{path} cannot be read: {error}.") from error
    differences = list(difflib.unified_diff(found.splitlines(), text.splitlines(), "the file", "now", lineterm="", n=0))
    if output.as_json:
        output.document({"equal": not differences, "differences": differences})
    elif differences:
        output.lines(*differences)
        output.tell(f"{path} is out of date: write it anew with --write.")
    else:
        output.tell(f"{path} is up to date.")
    return FAILURE if differences else SUCCESS


def _replace(path: Path, text: str) -> None:
    try:
        descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                file.write(text)
            Path(temporary).chmod(0o644)
            Path(temporary).replace(path)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise FileNotWrittenError(f"{path} cannot be written: {error.strerror}.") from error

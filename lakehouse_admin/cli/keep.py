"""Keep a publication, whatever its age, or release it to retention."""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import ClassVar, cast

from django.utils import timezone
from django.utils.dateparse import parse_datetime

from etl.errors import OperatorError
from lakehouse_admin.actions.keep_publication import keep_publication
from lakehouse_admin.cli.verb import SUCCESS, Output


class KeepRefusedError(OperatorError):
    """It is not clear what to keep, or until when."""

    guidance: ClassVar[str] = "Write `manage.py lakehouse keep 12 --reason 'closing 2026'`, or `... keep 12 --release`."


def add_arguments(parser: ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("publication", type=int, help="its number")
    parser.add_argument("--reason", default="", help="why: up to 200 characters")
    parser.add_argument("--until", default="", help="until when, ISO 8601; for ever if left out")
    parser.add_argument("--release", action="store_true", help="let retention have it again")


def handle(options: Mapping[str, object], output: Output) -> int:
    """Keep or release it.

    Raises:
        KeepRefusedError: Neither a reason nor ``--release``, or both; or a time that is none, or is past.
        PublicationMissingError: It is not there.
    """
    reason, release = str(options["reason"]).strip(), bool(options["release"])
    if bool(reason) == release:
        raise KeepRefusedError("Give a reason to keep it, or --release, and not both.")
    if len(reason) > 200:  # noqa: PLR2004 - as the column is wide
        raise KeepRefusedError("The reason is longer than 200 characters.")
    now = timezone.now()
    until = _moment(str(options["until"]), now)
    record = keep_publication(cast("int", options["publication"]), reason=reason, until=until, now=now)
    if output.as_json:
        output.document(
            {
                "publication": record.number,
                "kept_reason": record.kept_reason or None,
                "kept_until": record.kept_until.isoformat() if record.kept_until else None,
            }
        )
    elif release:
        output.lines(f"{record} is retention's again.")
    else:
        output.lines(f"{record} is kept {f'until {until:%Y-%m-%d %H:%M} UTC' if until else 'until it is released'}.")
    return SUCCESS


def _moment(text: str, now: datetime) -> datetime | None:
    """Read a time; one without a zone is UTC.

    Raises:
        KeepRefusedError: It is none, or is past.
    """
    if not text:
        return None
    try:
        found = parse_datetime(text)
    except ValueError:
        found = None
    if found is None:
        raise KeepRefusedError(f"{text!r} is no time: write 2026-12-31T23:59:59Z.")
    at = (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC)
    if at <= now:
        raise KeepRefusedError(f"{text} is past.")
    return at

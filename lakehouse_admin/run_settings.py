"""What may be changed for one run alone: the settings of its jobs."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from django.conf import settings

from etl.errors import OperatorError

_MEBIBYTE = 1024**2


class RunSettingsError(OperatorError):
    """A setting of the run is unknown or out of range."""

    guidance: ClassVar[str] = "Nothing was changed: correct the value the message names, and ask again."


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSetting:
    """One setting, its label and its bounds."""

    label: str
    lowest: int
    highest: int


RUN_SETTINGS: Mapping[str, RunSetting] = {
    "memory_limit_bytes": RunSetting(label="Memory of a job, bytes", lowest=64 * _MEBIBYTE, highest=2**40),
    "threads": RunSetting(label="Threads of a job", lowest=1, highest=256),
}
"""By the name of the job's argument."""


def parsed_settings(texts: Sequence[str]) -> dict[str, int]:
    """Return the settings written as ``name=value``, as a command line has them.

    Raises:
        RunSettingsError: One is not of that form, is given twice, unknown, or out of range.
    """
    found: dict[str, int] = {}
    for text in texts:
        name, equals, value = (part.strip() for part in text.partition("="))
        if not name or not equals:
            raise RunSettingsError(f"{text!r} sets nothing; write name=value, such as threads=2.")
        if name in found:
            raise RunSettingsError(f"{name} is set twice.")
        # What is no number is refused below, in the same words as one out of range.
        found[name] = int(value) if value.isascii() and value.isdecimal() else -1
    return checked_settings(found)


def installed_settings() -> dict[str, int]:
    """Return what a run's jobs get unless it says otherwise; nothing where the jobs run on AWS."""
    if settings.AWS is not None:
        return {}
    return {"memory_limit_bytes": settings.LAKEHOUSE.job_memory_bytes, "threads": os.cpu_count() or 1}


def checked_settings(chosen: Mapping[str, int]) -> dict[str, int]:
    """Return the settings if a job would take them.

    Raises:
        RunSettingsError: One is unknown, no whole number, or out of range.
    """
    for name, value in chosen.items():
        known = RUN_SETTINGS.get(name)
        if known is None:
            raise RunSettingsError(f"{name} is no setting of a run; there are {', '.join(RUN_SETTINGS)}.")
        if type(value) is not int or not known.lowest <= value <= known.highest:
            raise RunSettingsError(f"{name} must be a whole number from {known.lowest} to {known.highest}.")
    return dict(chosen)

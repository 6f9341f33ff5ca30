"""What may be changed for one run alone: the settings of its jobs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

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


def checked_settings(settings: Mapping[str, int]) -> dict[str, int]:
    """Return the settings if a job would take them.

    Raises:
        RunSettingsError: One is unknown, no whole number, or out of range.
    """
    for name, value in settings.items():
        known = RUN_SETTINGS.get(name)
        if known is None:
            raise RunSettingsError(f"{name} is no setting of a run; there are {', '.join(RUN_SETTINGS)}.")
        if type(value) is not int or not known.lowest <= value <= known.highest:
            raise RunSettingsError(f"{name} must be a whole number from {known.lowest} to {known.highest}.")
    return dict(settings)

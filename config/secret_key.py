"""The signing key of a machine that was not given one."""

from __future__ import annotations

import secrets
from pathlib import Path

from config.env import SettingsError
from config.private_files import read_or_create


def generated_secret_key(home: Path) -> str:
    """Return the key in ``<home>/private/secret_key``, generated the first time.

    Raises:
        SettingsError: It can be neither read nor written.
    """
    file = home / "private" / "secret_key"
    try:
        return read_or_create(file, lambda: secrets.token_urlsafe(50))
    except OSError as error:
        raise SettingsError(
            f"{file} can be neither read nor written ({error.strerror}): correct LAKEHOUSE_HOME or its permissions."
        ) from error

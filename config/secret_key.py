"""The signing key of a machine that was not given one."""

from __future__ import annotations

import secrets
from pathlib import Path

from config.private_files import read_or_create


def generated_secret_key(home: Path) -> str:
    """Return the key in ``<home>/private/secret_key``, generated the first time."""
    return read_or_create(home / "private" / "secret_key", lambda: secrets.token_urlsafe(50))

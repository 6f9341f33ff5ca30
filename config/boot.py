"""Loads the settings for every entry point, or ends the process with one sentence.

`manage.py`, `config.celery`, `config.wsgi`, `config.asgi` and `gunicorn.conf.py` all start here, so a
broken value reads the same and exits with the same code wherever it is met.
"""

from __future__ import annotations

import sys
from typing import NoReturn

from config import env

BROKEN_SETTINGS_EXIT_CODE = 2


def boot() -> None:
    """Choose and load Django's settings; exit with code 2 if a value is broken."""
    try:
        env.choose_settings()
        from django.conf import settings  # noqa: PLC0415 - the settings were chosen on the line above

        settings.INSTALLED_APPS  # noqa: B018 - reading any setting loads them all
    except env.SettingsError as error:
        _refuse(error)


def _refuse(error: env.SettingsError) -> NoReturn:
    sys.stderr.write(f"{error}\n")
    sys.exit(BROKEN_SETTINGS_EXIT_CODE)

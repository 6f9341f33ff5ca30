"""The test suite; `tests/servers.py` has put its own servers' URLs into the environment."""

from __future__ import annotations

from config.settings.base import *

SECRET_KEY = "tests-sign-with-a-key-that-protects-nothing-and-is-long-enough"  # noqa: S105
ALLOWED_HOSTS = ["localhost", "127.0.0.1", "testserver"]
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]  # Fast: every test signs somebody in.
WHITENOISE_USE_FINDERS = True
WHITENOISE_AUTOREFRESH = True

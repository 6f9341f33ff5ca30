"""Outgoing mail, for alerts: through EMAIL_URL; without it, written to the log of whoever sends."""

from __future__ import annotations

from urllib.parse import unquote, urlsplit

from config import env

_URL = urlsplit(env.load().email_url or "")

EMAIL_BACKEND = f"django.core.mail.backends.{'smtp' if _URL.scheme else 'console'}.EmailBackend"
EMAIL_HOST = _URL.hostname or "localhost"
EMAIL_USE_SSL = _URL.scheme == "smtps"
EMAIL_USE_TLS = _URL.scheme == "smtp" and EMAIL_HOST not in {"localhost", "127.0.0.1", "::1"}
EMAIL_PORT = _URL.port or (465 if EMAIL_USE_SSL else 587)
EMAIL_HOST_USER = unquote(_URL.username or "")
EMAIL_HOST_PASSWORD = unquote(_URL.password or "")
EMAIL_TIMEOUT = 10
DEFAULT_FROM_EMAIL = env.load().email_from

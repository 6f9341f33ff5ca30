"""Behind a TLS-terminating proxy; every secret comes from the environment."""

from __future__ import annotations

from config import env
from config.settings.base import *

if ENV.secret_key is None:
    raise env.SettingsError("DJANGO_SECRET_KEY is required in production: set at least 50 random characters.")
if not ALLOWED_HOSTS:
    raise env.SettingsError("DJANGO_ALLOWED_HOSTS is required in production: list the host names you serve.")
if DEBUG:
    raise env.SettingsError("DJANGO_DEBUG must be false in production: error pages would show the settings.")

SECRET_KEY = ENV.secret_key

SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
SECURE_SSL_REDIRECT = True
SECURE_REDIRECT_EXEMPT = [r"^healthz$"]  # Load balancers ask over plain HTTP.
SECURE_HSTS_SECONDS = 365 * 24 * 60 * 60
SECURE_HSTS_INCLUDE_SUBDOMAINS = True
SECURE_HSTS_PRELOAD = True
SESSION_COOKIE_SECURE = True
SESSION_COOKIE_NAME = "__Host-sessionid"
CSRF_COOKIE_SECURE = True
CSRF_COOKIE_NAME = "__Host-csrftoken"

STATIC_ROOT = BASE_DIR / "staticfiles"
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
}

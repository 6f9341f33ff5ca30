"""A person's own machine: loopback only, no preparation needed."""

from __future__ import annotations

from config.secret_key import generated_secret_key
from config.settings.base import *

SECRET_KEY = ENV.secret_key or generated_secret_key(LAKEHOUSE.home)
ALLOWED_HOSTS = ALLOWED_HOSTS or ["localhost", "127.0.0.1", "[::1]"]
# Static files come straight from the applications, without collectstatic.
WHITENOISE_USE_FINDERS = True

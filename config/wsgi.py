"""The WSGI application that a web server imports."""

from __future__ import annotations

from config.boot import boot

boot()

from django.core.wsgi import get_wsgi_application  # noqa: E402 - settings come first

application = get_wsgi_application()

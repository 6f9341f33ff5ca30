"""The ASGI application that a web server imports."""

from __future__ import annotations

from config.boot import boot

boot()

from django.core.asgi import get_asgi_application  # noqa: E402 - settings come first

application = get_asgi_application()

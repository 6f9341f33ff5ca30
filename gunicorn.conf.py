"""How gunicorn serves Lakeside; read by `gunicorn config.wsgi` on its own."""

from __future__ import annotations

from config.boot import boot

boot()  # In the master, so that a broken setting ends gunicorn at once instead of its workers again and again.

worker_class = "gthread"
workers = 2
threads = 8
preload_app = True
timeout = 60
graceful_timeout = 10
max_requests = 5000
max_requests_jitter = 500
accesslog = None

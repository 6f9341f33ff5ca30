"""Celery: short, idempotent JSON tasks, acknowledged when done, redelivered when a worker is lost."""

from __future__ import annotations

from kombu import Queue

from config.settings.cache import REDIS_URL

CELERY_BROKER_URL = REDIS_URL
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
# A task outlives no lost worker by more than this; far above the hard time limit, so nothing runs twice at once.
CELERY_BROKER_TRANSPORT_OPTIONS = {
    "visibility_timeout": 30 * 60,
    "socket_connect_timeout": 2,
    # Who sends is told at once that nobody answers; nothing is lost by it, for the tick sends again.
    "max_retries": 1,
    "interval_start": 0,
    "interval_step": 0.2,
    "interval_max": 0.2,
}
CELERY_RESULT_BACKEND = None
CELERY_TASK_IGNORE_RESULT = True
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_TASK_SERIALIZER = "json"
CELERY_RESULT_SERIALIZER = "json"
CELERY_TIMEZONE = "UTC"

CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_CANCEL_LONG_RUNNING_TASKS_ON_CONNECTION_LOSS = True
CELERY_TASK_SOFT_TIME_LIMIT = 4 * 60
CELERY_TASK_TIME_LIMIT = 5 * 60

# One queue per kind of work; a name missing here is an error, not a queue that nobody reads.
CELERY_TASK_DEFAULT_QUEUE = "control"
CELERY_TASK_QUEUES = [Queue("control")]
CELERY_TASK_CREATE_MISSING_QUEUES = False
CELERY_TASK_ROUTES = {"lakehouse_admin.*": {"queue": "control"}}

CELERY_BEAT_SCHEDULER = "django_celery_beat.schedulers:DatabaseScheduler"
CELERY_BEAT_MAX_LOOP_INTERVAL = 5
CELERY_BEAT_SYNC_EVERY = 10  # Ticks, so every half minute the database learns that beat beats.
# Every message may be lost: the tick finds runs that nobody moved. Both expire, so that they never pile up.
CELERY_BEAT_SCHEDULE = {
    "tick": {"task": "lakehouse_admin.tick", "schedule": 3.0, "options": {"expires": 3.0}},
    "watch": {"task": "lakehouse_admin.watch", "schedule": 10.0, "options": {"expires": 10.0}},
}
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_WORKER_SEND_TASK_EVENTS = False

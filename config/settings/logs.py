"""Logging: structlog's events and the libraries' records leave through one handler on standard error."""

from __future__ import annotations

import structlog

from config import env

_COMMON = (
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_log_level,
    structlog.stdlib.add_logger_name,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
)
_PRODUCTION = env.load().lakehouse.environment is env.Environment.PRODUCTION
_RENDERERS = (
    (structlog.processors.format_exc_info, structlog.processors.JSONRenderer())
    if _PRODUCTION
    # Plain: the default prints local variables, connection strings among them.
    else (structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback),)
)

structlog.configure(
    processors=[*_COMMON, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
    logger_factory=structlog.stdlib.LoggerFactory(),
    wrapper_class=structlog.stdlib.BoundLogger,
    cache_logger_on_first_use=True,
)

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "events": {
            "()": structlog.stdlib.ProcessorFormatter,
            "foreign_pre_chain": _COMMON,
            "processors": [structlog.stdlib.ProcessorFormatter.remove_processors_meta, *_RENDERERS],
        },
    },
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "events"}},
    "root": {"handlers": ["stderr"], "level": "INFO"},
    "loggers": {
        # One line per message, poll and file: the runs' own events say what happened.
        "celery.app.trace": {"level": "WARNING"},
        "celery.worker.strategy": {"level": "WARNING"},
        "pyiceberg": {"level": "WARNING"},
        # Of a rollback that an interruption already made needless it only repeats what the command says.
        "psycopg": {"level": "ERROR"},
        "django.server": {"handlers": ["stderr"], "level": "INFO", "propagate": False},
        "django": {"handlers": ["stderr"], "level": "INFO", "propagate": False},
    },
}

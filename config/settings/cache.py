"""The cache: Valkey, beside the broker's messages, under a prefix of its own."""

from __future__ import annotations

from config import env

_UNREACHABLE = "redis://127.0.0.1:1/0"  # Nothing listens there: using it says at once that no Valkey is configured.

REDIS_URL = env.load().redis_url or _UNREACHABLE

CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.redis.RedisCache",
        "LOCATION": REDIS_URL,
        "KEY_PREFIX": "lakeside",
        "OPTIONS": {"socket_connect_timeout": 2, "socket_timeout": 5},
    },
}

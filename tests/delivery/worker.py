"""The worker under test: the product's own, with leases and redelivery short enough to be waited for.

No test imports this: it changes the process it is loaded into.

Redelivery by kombu happens only when both its scans and its timeout are short: by default
the scan runs about every hundred seconds, and a test would see none.
"""

from __future__ import annotations

from datetime import timedelta

import django

from config.celery import app
from tests.delivery import LEASE_SECONDS

django.setup()

from lakehouse_admin import claim  # noqa: E402 - needs the applications

claim.LEASE = timedelta(seconds=LEASE_SECONDS)
app.conf.broker_transport_options = {
    **app.conf.broker_transport_options,
    "visibility_timeout": 2,
    "unacked_restore_interval": 1,
    "unacked_restore_throttle": 1,
}

__all__ = ["app"]

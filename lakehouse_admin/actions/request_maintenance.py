"""Request maintenance: a run that keeps the lake small."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar

from django.conf import settings
from django.contrib.auth.base_user import AbstractBaseUser

from etl.errors import OperatorError
from lakehouse_admin.actions.trigger_run import trigger_run
from lakehouse_admin.models import Pipeline, PipelineRun
from lakehouse_admin.states import Trigger


class MaintainedByAwsError(OperatorError):
    """The lake is on AWS, whose own services maintain its tables."""

    guidance: ClassVar[str] = (
        "Let Glue's table optimizers compact and expire, with a retention longer than publications are kept."
    )


def request_maintenance(now: datetime, user: AbstractBaseUser | None = None) -> PipelineRun:
    """Ask for maintenance; it waits behind every other run, and the follower makes way for it.

    Args:
        now: When (UTC).
        user: Who asks; None if nobody in person.

    Raises:
        MaintainedByAwsError: The lake is not in a folder.
        RunActiveError: A maintenance has been asked for and has not ended.
    """
    if settings.AWS is not None:
        raise MaintainedByAwsError
    return trigger_run(pipeline=Pipeline.objects.maintenance(), trigger=Trigger.MAINTENANCE, now=now, requested_by=user)

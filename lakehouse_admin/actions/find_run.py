"""Find a run by its number, locked, or say that there is none."""

from __future__ import annotations

from typing import ClassVar

from etl.errors import OperatorError
from lakehouse_admin.models import PipelineRun


class RunMissingError(OperatorError):
    """There is no such run."""

    guidance: ClassVar[str] = "`manage.py lakehouse runs` lists them."


def locked_run(run_id: int) -> PipelineRun:
    """Return the run, its row locked until the current transaction ends.

    Raises:
        RunMissingError: There is none with this number.
    """
    run = PipelineRun.objects.select_for_update(of=("self",)).select_related("pipeline").filter(pk=run_id).first()
    if run is None:
        raise RunMissingError(run=run_id)
    return run

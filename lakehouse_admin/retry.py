"""The one table from an error's class to what the control plane does about it.

An error is looked up by its class, then by its bases, so a new concrete error behaves as
its base class promises until someone decides otherwise here.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from importlib import import_module

from etl.errors import LakehouseError, OperatorError, TransientError
from etl.ports.job_runner import JobLostError, JobRunnerUnavailableError
from etl.ports.object_store import StoreUnavailableError
from etl.ports.replicator import ReplicatorBusyError, SourceUnavailableError
from lakehouse_admin.stages.quality import NotReconciledError, SilverCheckFailedError
from lakehouse_admin.states import Stage


class Verdict(Enum):
    """What happens after a failed attempt."""

    RETRY = "retry"
    WAIT_FOR_OPERATOR = "wait for operator"
    FAIL = "fail"


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """What to do about one class of error."""

    verdict: Verdict
    backoff_seconds: tuple[float, ...] = ()
    """How long to wait before each further attempt; its length is the number of attempts. Exhausted: FAIL."""
    resume_at: Stage | None = None
    """Where a person's retry begins, if not at the stage that failed."""

    def backoff_before(self, retry: int) -> float | None:
        """Return the wait before automatic retry number ``retry`` (from 1); None if there is no such retry."""
        if self.verdict is not Verdict.RETRY or retry > len(self.backoff_seconds):
            return None
        return self.backoff_seconds[retry - 1]


POLICIES: dict[type[BaseException], Policy] = {
    # A bug, or something nobody foresaw: trying again would only hide it.
    BaseException: Policy(verdict=Verdict.FAIL),
    LakehouseError: Policy(verdict=Verdict.FAIL),
    OperatorError: Policy(verdict=Verdict.WAIT_FOR_OPERATOR),
    TransientError: Policy(verdict=Verdict.RETRY, backoff_seconds=(1, 5, 20)),
    # Servers restart: keep trying for two minutes before giving up.
    SourceUnavailableError: Policy(verdict=Verdict.RETRY, backoff_seconds=(1, 5, 15, 30, 60)),
    StoreUnavailableError: Policy(verdict=Verdict.RETRY, backoff_seconds=(1, 5, 15, 30, 60)),
    JobRunnerUnavailableError: Policy(verdict=Verdict.RETRY, backoff_seconds=(1, 5, 15, 30, 60)),
    # A managed replication takes minutes from one state to the next.
    ReplicatorBusyError: Policy(verdict=Verdict.RETRY, backoff_seconds=(15, 30, 60, 120, 300, 300)),
    # Comparing the same rows again finds the same difference: copy the source anew.
    NotReconciledError: Policy(verdict=Verdict.FAIL, resume_at=Stage.REPLICATE),
    # So does checking the same rows again. The next scheduled run may find them corrected, so none waits.
    SilverCheckFailedError: Policy(verdict=Verdict.FAIL, resume_at=Stage.REPLICATE),
    # Killed, most likely for memory: a job that dies three times will die a fourth time.
    JobLostError: Policy(verdict=Verdict.RETRY, backoff_seconds=(1, 5)),
}


_OUR_MODULES = ("etl.", "lakehouse_admin.")


def find_class(error_class: str) -> type[BaseException]:
    """Return the exception class of a qualified name; `BaseException` if there is none of that name."""
    module_name, _, name = error_class.rpartition(".")
    if not module_name.startswith(_OUR_MODULES):
        return BaseException  # A job's result is data: it names our errors, it does not choose what we import.
    try:
        found = getattr(import_module(module_name), name)
    except (ImportError, AttributeError):
        return BaseException
    return found if isinstance(found, type) and issubclass(found, BaseException) else BaseException


def policy_for(error_class: str) -> Policy:
    """Return what to do about an error, by its class's qualified name."""
    return next(POLICIES[kind] for kind in find_class(error_class).__mro__ if kind in POLICIES)


def guidance_for(error_class: str) -> str:
    """Return what a person does next."""
    kind = find_class(error_class)
    return kind.guidance if issubclass(kind, LakehouseError) else LakehouseError.guidance

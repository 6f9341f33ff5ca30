"""Every error the product can raise has a known consequence, and tells a person what to do."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from types import ModuleType

import pytest

import etl
import lakehouse_admin
from etl.errors import LakehouseError, OperatorError, TransientError
from etl.ports.job_runner import JobLostError
from etl.ports.object_store import StoreFullError
from etl.ports.replicator import SourceUnavailableError
from lakehouse_admin.retry import POLICIES, Policy, Verdict, find_class, guidance_for, policy_for
from lakehouse_admin.stages.quality import NotReconciledError
from lakehouse_admin.states import Stage

BASES = (LakehouseError, TransientError, OperatorError)
OTHER_ENGINES = (
    "etl.jobs.__main__",
    "etl.engine.spark",
    "etl.gold.spark_engine",
    "etl.gold.spark_materialise",
    "etl.jobs.glue",
    "etl.silver.spark_bronze",
    "etl.silver.spark_load",
)


def qualified(kind: type[BaseException]) -> str:
    return f"{kind.__module__}.{kind.__qualname__}"


def modules(package: ModuleType) -> list[str]:
    found = pkgutil.walk_packages(package.__path__, f"{package.__name__}.")
    return [module.name for module in found if ".migrations" not in module.name and module.name not in OTHER_ENGINES]


def concrete_errors() -> list[type[LakehouseError]]:
    for name in [*modules(etl), *modules(lakehouse_admin)]:
        importlib.import_module(name)
    found, todo = set(), [LakehouseError]
    while todo:
        for kind in todo.pop().__subclasses__():
            todo.append(kind)
            found.add(kind)
    return sorted(found - set(BASES), key=qualified)


@pytest.mark.parametrize("kind", concrete_errors(), ids=lambda kind: kind.__name__)
class TestEveryError:
    def test_is_found_by_its_name(self, kind: type[LakehouseError]):
        assert find_class(qualified(kind)) is kind

    def test_has_the_consequence_its_base_promises(self, kind: type[LakehouseError]):
        verdict = policy_for(qualified(kind)).verdict

        if issubclass(kind, TransientError):
            assert verdict is Verdict.RETRY
        elif issubclass(kind, OperatorError):
            assert verdict is Verdict.WAIT_FOR_OPERATOR
        else:
            assert verdict is Verdict.FAIL

    def test_says_what_is_wrong_and_what_to_do(self, kind: type[LakehouseError]):
        sentence = (inspect.getdoc(kind) or "").splitlines()[0]

        assert sentence.endswith(".")
        assert not sentence.startswith("LakehouseError")
        assert guidance_for(qualified(kind)).endswith(".")


def test_the_walk_finds_the_errors_of_the_path():
    assert {StoreFullError, SourceUnavailableError, JobLostError, NotReconciledError} <= set(concrete_errors())


def test_an_unknown_error_fails():
    assert policy_for("builtins.ValueError").verdict is Verdict.FAIL
    assert policy_for("nowhere.AtAll").verdict is Verdict.FAIL
    assert policy_for("").verdict is Verdict.FAIL
    assert guidance_for("builtins.ValueError") == LakehouseError.guidance


def test_a_name_in_a_result_imports_nothing_of_others(monkeypatch: pytest.MonkeyPatch):
    imported: list[str] = []
    monkeypatch.setattr("lakehouse_admin.retry.import_module", imported.append)

    assert find_class("antigravity.Error") is BaseException
    assert imported == []


def test_a_name_that_is_no_error_is_not_taken_for_one():
    assert find_class("etl.contracts.table.TableId") is BaseException
    assert find_class("etl.errors.Missing") is BaseException


def test_retries_wait_longer_each_time_and_end():
    for policy in POLICIES.values():
        if policy.verdict is Verdict.RETRY:
            assert policy.backoff_seconds
            assert list(policy.backoff_seconds) == sorted(policy.backoff_seconds)
            assert policy.backoff_before(len(policy.backoff_seconds) + 1) is None


def test_only_retries_have_a_back_off():
    assert Policy(verdict=Verdict.FAIL, backoff_seconds=(1,)).backoff_before(1) is None


def test_a_difference_is_retried_from_the_first_stage():
    assert policy_for(qualified(NotReconciledError)).resume_at is Stage.REPLICATE

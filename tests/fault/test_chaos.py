"""A short chaos run; `make chaos` runs long ones, `make mutants` proves that it would find something."""

from __future__ import annotations

import pytest

from config import env
from tests.fault.chaos import run
from tests.fault.mutants import MUTANTS, Mutant, check_places

pytestmark = pytest.mark.integration


def test_whatever_is_killed_what_was_committed_arrives_once():
    report = run(8, seed=1, say=lambda _line: None)
    assert report.verdict.problems == []
    assert (report.verdict.lost, report.verdict.doubled) == (0, 0)
    assert report.verdict.events > 500
    assert report.kills.total() == 8


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_every_mutant_still_has_its_place_in_the_source(mutant: Mutant):
    check_places(mutant, env.PROJECT)

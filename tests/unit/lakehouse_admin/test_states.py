from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from lakehouse_admin.states import (
    ACTIVE_RUN_STATES,
    ALERT,
    HEALTH_MEANINGS,
    MOVING_RUN_STATES,
    PIPELINE,
    RUN,
    STAGE,
    TABLE,
    Health,
    Machine,
    RunState,
    StageState,
)
from lakehouse_admin.status.states_page import states_page

DOCS = Path(__file__).parents[3] / "docs"


@pytest.mark.parametrize("machine", [RUN, STAGE, TABLE, PIPELINE, ALERT], ids=lambda machine: machine.title)
class TestMachines:
    def test_every_state_is_explained(self, machine: Machine[Any]):
        assert list(machine.meanings) == list(type(machine.first))

    def test_every_state_can_be_reached(self, machine: Machine[Any]):
        reached = {machine.first}
        for _ in machine.meanings:
            reached |= {after for before in reached for after in machine.moves.get(before, ())}

        assert reached == set(machine.meanings)

    def test_no_state_follows_itself(self, machine: Machine[Any]):
        assert not [state for state in machine.meanings if machine.allows(state, state)]


def test_final_states():
    assert RUN.final == {RunState.SUCCEEDED, RunState.CANCELLED}
    assert STAGE.final == {StageState.SUCCEEDED, StageState.FAILED, StageState.CANCELLED}


def test_success_is_reached_from_running_alone():
    assert [state for state in RunState if RUN.allows(state, RunState.SUCCEEDED)] == [RunState.RUNNING]


def test_moving_runs_are_active():
    assert set(MOVING_RUN_STATES) < set(ACTIVE_RUN_STATES)
    assert not set(ACTIVE_RUN_STATES) & RUN.final


def test_every_health_is_explained():
    assert list(HEALTH_MEANINGS) == list(Health)


def test_the_page_is_what_the_code_says():
    page = (DOCS / "states.md").read_text(encoding="utf-8")

    assert page == states_page(), "docs/states.md is out of date: manage.py lakehouse states > docs/states.md"

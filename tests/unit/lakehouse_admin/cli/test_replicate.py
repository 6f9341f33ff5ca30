"""`manage.py lakehouse replicate`."""

import io
import json
from collections.abc import Callable

import pytest

from etl.ports.replicator import LoadState, LoadStatus
from lakehouse_admin.cli import replicate
from lakehouse_admin.cli.verb import Output
from tests.fakes import FakeReplicator, fake_lakehouse


@pytest.fixture
def replicator(monkeypatch: pytest.MonkeyPatch) -> FakeReplicator:
    fake = fake_lakehouse()
    monkeypatch.setattr(replicate, "lakehouse", lambda: fake.ports)
    return fake.replicator


@pytest.fixture
def output() -> Callable[..., Output]:
    return lambda *, as_json=False: Output(out=io.StringIO(), progress=io.StringIO(), as_json=as_json)


def printed(output: Output) -> str:
    assert isinstance(output.out, io.StringIO)
    return output.out.getvalue()


def test_one_load_is_landed_and_described(replicator: FakeReplicator, output: Callable[..., Output]):
    people, machine = output(), output(as_json=True)
    assert replicate.handle({"once": True}, people) == 0
    assert replicate.handle({"once": True}, machine) == 0
    assert len(set(replicator.requests)) == 2
    assert "public.orders" in printed(people)
    assert "is in bronze." in printed(people)
    document = json.loads(printed(machine))
    assert {name: table["rows"] for name, table in document["tables"].items()} == {
        "public.tenants": 2,
        "public.orders": 5,
    }


def test_a_failed_load_says_why(replicator: FakeReplicator, output: Callable[..., Output]):
    replicator.answers = [LoadStatus(state=LoadState.FAILED, load_id=None, error_message="The source went away.")]
    with pytest.raises(replicate.LoadFailedError, match=r"The source went away\."):
        replicate.handle({"once": True}, output())


def test_ctrl_c_ends_the_load(
    replicator: FakeReplicator, output: Callable[..., Output], monkeypatch: pytest.MonkeyPatch
):
    replicator.answers = [LoadStatus(state=LoadState.RUNNING, load_id=None)]

    def interrupt(_seconds: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(replicate.time, "sleep", interrupt)
    with pytest.raises(KeyboardInterrupt):
        replicate.handle({"once": True}, output())
    assert [load.state for load in replicator.loads.values()] == [LoadState.CANCELLED]

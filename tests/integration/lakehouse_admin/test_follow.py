"""The follower: what bronze gets becomes what readers see, once, whoever interferes."""

from __future__ import annotations

import resource
import shutil
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pyiceberg.table import StaticTable

from etl.bronze.directory import DirectoryStore
from etl.bronze.window import WindowBrokenError
from etl.contracts.publication import Publication
from etl.contracts.table import TableContract
from etl.engine.lake import LakeConfig
from etl.follow.cycle import Follower
from etl.gold.compile import MODELS_FOLDER, load_models
from etl.gold.materialise import materialise
from etl.gold.refresh import Refresher
from etl.gold.results import ModelResult, Outcome
from etl.jobs.progress import Progress
from lakehouse_admin.actions.find_table import register_tables
from lakehouse_admin.actions.publish import publish_version
from lakehouse_admin.follow import Following
from lakehouse_admin.lease import LAKE, LASTING, LeaseLostError, ask_for, take, withdraw
from lakehouse_admin.models import FollowerState, Lease, PublicationRecord, TableState
from lakehouse_admin.states import FollowerPhase, TablePhase
from tests.change_files import Bronze, Change
from tests.contracts import contract
from tests.lakes import apply, lake_in
from tests.servers import Database
from tests.unit.etl.gold.silver import TABLES

pytestmark = pytest.mark.integration

NOW = datetime(2026, 11, 24, tzinfo=UTC)
_TYPES = {"TEXT": "text", "TIMESTAMPTZ": "timestamptz", "BIGINT": "bigint", "INTEGER": "integer", "DATE": "date"}
_READ = ("tenants", "orders")
_KEYS = {"tenants": ("id",), "orders": ("tenant_id", "id")}
MODELS = [model for model in load_models() if model.name in {"daily_revenue", "customer_days"}]

Row = Mapping[str, str | None]


def contract_of(table: str) -> TableContract:
    columns = [(name, _TYPES.get(kind, kind.lower())) for name, kind in TABLES[table].items()]
    return contract(table, *columns, key=_KEYS[table])


def tenant(number: int) -> Row:
    return {
        "id": str(number), "slug": f"shop-{number}", "name": f"Shop {number}", "plan": "growth", "currency": "EUR",
        "timezone": "UTC", "created_at": "2026-01-01 00:00:00+00",
    }  # fmt: skip


def order(number: int, total: str = "10.00", *, tenant_id: int = 1, status: str = "completed") -> Row:
    at = "2026-11-01 12:00:00+00"
    return {
        "id": str(number), "tenant_id": str(tenant_id), "number": f"A-{number}", "customer_id": "1", "status": status,
        "order_date": at, "subtotal": total, "discount": "0.00", "tax": "0.00", "total": total, "created_at": at,
        "updated_at": at,
    }  # fmt: skip


class World:
    """A lake that a run has loaded and published, and what follows it."""

    def __init__(self, lake: LakeConfig) -> None:
        self.lake = lake
        self.store = DirectoryStore(Path(lake.bronze_root))
        self.bronze = Bronze(self.store)
        self.contracts = {table: contract_of(table) for table in _READ}

    def load(self) -> None:
        rows = {"tenants": [tenant(1), tenant(2)], "orders": [order(1), order(2, tenant_id=2)]}
        manifest = self.bronze.load({self.contracts[table]: rows[table] for table in _READ})
        self.bronze.flushed_lsn = self.bronze.lsn
        apply(self.lake, manifest.load_id)

    def publish(self) -> None:
        """Publish as a run does."""
        folder = Path(self.lake.lake_uri).with_name("models")
        folder.mkdir(exist_ok=True)
        for model in MODELS:
            shutil.copy(MODELS_FOLDER / model.file, folder)
        results = materialise(self.lake, Progress(), models_folder=folder)
        held = take(LAKE, holder="run-1", now=NOW)
        assert held is not None
        publish_version(
            held=held,
            pins=[asdict(result.pin) for result in results if result.pin is not None],
            as_of=datetime(2026, 11, 23, tzinfo=UTC) + timedelta(seconds=self.bronze.lsn),
            source_lsn=self.bronze.lsn,
            now=NOW,
        )
        withdraw(LAKE, holder="run-1")

    def insert(self, table: str, *rows: Row) -> None:
        self.bronze.flush([[Change(contract=self.contracts[table], op="I", values=row) for row in rows]])

    def following(self) -> Following:
        return Following(
            self.store,
            open_follower=lambda slot: Follower(self.lake, self.store, slot=slot, models=MODELS),
            clock=lambda: NOW,
        )


@pytest.fixture
def world(control_plane: object, scratch_database: Callable[[], Database], tmp_path: Path) -> World:
    world = World(lake_in(tmp_path, scratch_database().catalog_url))
    world.load()
    world.publish()
    return world


@pytest.fixture
def following(world: World) -> Iterator[Following]:
    started = world.following()
    yield started
    started.close()


def catch_up(following: Following) -> None:
    """Work until there is nothing to do."""
    while following.step():
        pass


def seen() -> Publication:
    """What readers see."""
    record = PublicationRecord.objects.first()
    assert record is not None
    return record.to_contract()


def revenue(publication: Publication) -> dict[int, str]:
    """Read what a publication pins as any reader does."""
    pin = publication.pin("gold.daily_revenue")
    rows = StaticTable.from_metadata(pin.metadata_location).scan(snapshot_id=pin.snapshot_id).to_arrow().to_pylist()
    return {row["tenant_id"]: str(row["revenue"]) for row in rows}


def test_changes_become_a_publication_and_no_changes_none(world: World, following: Following) -> None:
    catch_up(following)
    first = seen()
    assert revenue(first) == {1: "10.00", 2: "10.00"}
    assert not following.step()
    world.insert("orders", order(3, "5.00"))
    assert following.step()
    second = seen()
    assert second.number == first.number + 1
    assert revenue(second) == {1: "15.00", 2: "10.00"}
    assert revenue(first) == {1: "10.00", 2: "10.00"}, "an older publication stays what it was"
    assert second.source_lsn == world.bronze.flushed_lsn
    assert second.as_of > first.as_of
    assert not following.step()
    assert seen() == second
    state = FollowerState.objects.get()
    assert (state.state, state.publication, state.source_lsn) == ("following", second.number, second.source_lsn)
    assert set(state.cycle_seconds) == {"read", "silver", "gold", "publish", "tidy", "all"}


def test_a_model_that_rests_on_its_promise_is_asked_once_more_when_the_source_rests_and_not_for_ever(
    world: World, following: Following, monkeypatch: pytest.MonkeyPatch
) -> None:
    catch_up(following)
    monkeypatch.setattr("etl.follow.cycle._REST_SECONDS", -1.0)
    refresh = Refresher.refresh
    patience: list[bool] = []

    def deferring(refresher: Refresher, *given: Any, patient: bool, **options: Any) -> tuple[ModelResult, ...]:
        patience.append(patient)
        results = refresh(refresher, *given, patient=patient, **options)
        return tuple(replace(each, outcome=Outcome.DEFERRED) for each in results)

    monkeypatch.setattr(Refresher, "refresh", deferring)
    world.insert("orders", order(3, "5.00"))

    worked = [following.step() for _ in range(5)]

    assert worked == [True, True, False, False, False]
    assert patience == [True, False]


def test_whoever_is_killed_the_next_one_goes_on_and_doubles_nothing(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    class KilledError(BaseException):
        pass

    def killed(*_: object, **__: object) -> None:
        raise KilledError

    for number, moment in enumerate(
        ("etl.follow.cycle.Follower._open_silver", "lakehouse_admin.follow.publish_version"), start=3
    ):
        world.insert("orders", order(number, "5.00"))
        dying = world.following()
        with monkeypatch.context() as patch:
            patch.setattr(moment, killed)
            with pytest.raises(KilledError):
                catch_up(dying)
        dying._resources.close()  # As the system closes what a dead process had open.
        before = seen()
        Lease.objects.update(holder="", expires_at=None)  # Its lease has ended.
        heir = world.following()
        catch_up(heir)
        heir.close()
        assert seen().number == before.number + 1
    assert revenue(seen()) == {1: "20.00", 2: "10.00"}


def test_one_that_wakes_up_late_publishes_nothing(world: World, following: Following) -> None:
    catch_up(following)
    before = seen()
    world.insert("orders", order(3, "5.00"))
    assert take(LAKE, holder="somebody", now=NOW + 2 * LASTING) is not None
    with pytest.raises(LeaseLostError):
        following.step()
    assert seen() == before


def test_a_second_follower_waits_and_does_not_speak_for_the_first(world: World, following: Following) -> None:
    catch_up(following)
    second = world.following()
    world.insert("orders", order(3, "5.00"))
    assert not second.step()
    second.close()
    state = FollowerState.objects.get()
    assert (state.state, state.holder) == (FollowerPhase.FOLLOWING, following.holder)
    catch_up(following)
    assert revenue(seen()) == {1: "15.00", 2: "10.00"}


def test_it_makes_way_for_a_run_and_sees_what_the_run_made(world: World, following: Following) -> None:
    catch_up(following)
    ask_for(LAKE, holder="run-1", now=NOW)
    following._kept_at = float("-inf")
    assert not following.step()
    assert take(LAKE, holder="run-1", now=NOW) is not None
    assert not following.step()
    assert FollowerState.objects.get().state == FollowerPhase.YIELDING
    manifest = world.bronze.load({world.contracts["orders"]: [order(9, "1.00"), order(8, "2.00", tenant_id=2)]})
    apply(world.lake, manifest.load_id)
    world.publish()
    world.insert("orders", order(10, "3.00"))
    catch_up(following)
    assert revenue(seen()) == {1: "4.00", 2: "2.00"}


def test_a_table_that_fails_or_is_paused_stops_no_other_and_its_models_say_their_age(
    world: World, following: Following
) -> None:
    catch_up(following)
    first = seen()
    register_tables([world.contracts["orders"].table], now=NOW)
    TableState.objects.update(state=TablePhase.PAUSED)
    world.insert("orders", order(3, "5.00"))
    world.insert("tenants", tenant(3))
    catch_up(following)
    paused = seen()
    assert revenue(paused) == {1: "10.00", 2: "10.00"}
    assert paused.as_of > first.as_of
    assert paused.pin("gold.daily_revenue").as_of == first.as_of.isoformat()
    TableState.objects.update(state=TablePhase.FOLLOWING)
    catch_up(following)
    resumed = seen()
    assert revenue(resumed) == {1: "15.00", 2: "10.00"}
    assert resumed.pin("gold.daily_revenue").as_of is None


def test_a_damaged_file_fails_its_table_alone_and_is_tried_again(world: World, following: Following) -> None:
    catch_up(following)
    world.insert("orders", order(3, "5.00"))
    (damaged,) = [path for path in Path(world.lake.bronze_root).rglob("*.csv.gz") if "LOAD" not in path.name]
    good = damaged.read_bytes()
    damaged.chmod(0o600)
    damaged.write_bytes(good[:-1] + b"x")
    catch_up(following)
    state = FollowerState.objects.get()
    assert list(state.tables) == ["public.orders"]
    assert state.state == FollowerPhase.FOLLOWING
    assert revenue(seen()) == {1: "10.00", 2: "10.00"}
    damaged.write_bytes(good)
    assert following._follower is not None
    for lag in following._follower._lagging.values():
        lag.backoff.succeeded()
    catch_up(following)
    assert revenue(seen()) == {1: "15.00", 2: "10.00"}
    assert FollowerState.objects.get().tables == {}


def test_a_full_disk_is_told_nothing_half_written_is_seen_and_with_room_it_goes_on(
    world: World, following: Following
) -> None:
    catch_up(following)
    before = seen()
    world.insert("orders", *(order(number, "5.00") for number in range(3, 40)))
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000, hard))  # Longer files of silver cannot be written now.
    try:
        following.step()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, hard))
    state = FollowerState.objects.get()
    assert "StoreFullError" in state.tables["public.orders"]
    assert revenue(seen()) == revenue(before)
    assert following._follower is not None
    for lag in following._follower._lagging.values():
        lag.backoff.succeeded()
    catch_up(following)
    assert revenue(seen()) == {1: "195.00", 2: "10.00"}
    assert FollowerState.objects.get().tables == {}


def test_a_clock_set_back_takes_no_reader_back(world: World) -> None:
    hour = timedelta(hours=1)
    moments = iter([NOW + hour, *[NOW] * 200])
    following = world.following()
    following._clock = lambda: next(moments)
    catch_up(following)
    first = seen()
    world.insert("orders", order(3, "5.00"))
    catch_up(following)
    second = seen()
    following.close()
    assert (second.number, second.as_of >= first.as_of) == (first.number + 1, True)
    assert revenue(second) == {1: "15.00", 2: "10.00"}


def test_a_model_that_fails_keeps_its_last_version_and_says_its_age(world: World, following: Following) -> None:
    catch_up(following)
    first = seen()
    world.insert("orders", order(3, "5.00", status="lost"))
    catch_up(following)
    second = seen()
    assert second.number > first.number
    pin = second.pin("gold.daily_revenue")
    assert (pin.snapshot_id, pin.as_of) == (first.pin("gold.daily_revenue").snapshot_id, first.as_of.isoformat())
    assert "every_order_has_one_known_status" in FollowerState.objects.get().gold_models["gold.daily_revenue"]


def test_what_goes_wrong_is_recorded_and_tried_again(world: World) -> None:
    world.bronze.flushed_lsn += 1
    world.insert("orders", order(3, "5.00"))
    following = world.following()
    with pytest.raises(WindowBrokenError):
        following.run(threading.Event(), once=True)
    stop = threading.Event()
    thread = threading.Thread(target=lambda: _run(world.following(), stop))
    thread.start()
    deadline = threading.Event()
    for _ in range(200):
        if FollowerState.objects.get().state == FollowerPhase.FAILING:
            break
        deadline.wait(0.05)
    state = FollowerState.objects.get()
    stop.set()
    thread.join()
    assert state.error_class == "WindowBrokenError"
    assert "lakehouse resync" in state.guidance
    assert FollowerState.objects.get().state == FollowerPhase.STOPPED


def test_it_waits_for_a_first_publication(
    control_plane: object, scratch_database: Callable[[], Database], tmp_path: Path
) -> None:
    world = World(lake_in(tmp_path, scratch_database().catalog_url))
    following = world.following()
    assert not following.step()
    state = FollowerState.objects.get()
    assert (state.state, Lease.objects.get().holder) == (FollowerPhase.WAITING, "")
    assert "a run has to load the lake first" in state.error_message


def _run(following: Following, stop: threading.Event) -> None:
    from django.db import connections

    try:
        following.run(stop)
    finally:
        connections.close_all()

"""One writer of the lake at a time: the follower, or a run."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from lakehouse_admin.actions.publish import PublicationRefusedError, publish_version
from lakehouse_admin.flow import advance
from lakehouse_admin.lease import LAKE, LASTING, Held, LeaseLostError, ask_for, give_up, keep, proving, take, withdraw
from lakehouse_admin.models import Lease, PipelineRun, PublicationRecord
from lakehouse_admin.states import RunState
from tests.fakes import RUNNING, FakeLakehouse, succeeded
from tests.integration.lakehouse_admin.conftest import NOW
from tests.integration.lakehouse_admin.test_claims import in_threads

pytestmark = [pytest.mark.integration, pytest.mark.usefixtures("control_plane")]

FOLLOWER = "follower-host-7"
LATER = NOW + LASTING + timedelta(seconds=1)


def taken(holder: str = FOLLOWER, now: datetime = NOW) -> Held:
    held = take(LAKE, holder=holder, now=now)
    assert held is not None
    return held


def published(held: Held, *, lsn: int = 10, now: datetime = NOW) -> PublicationRecord:
    return publish_version(held=held, pins=[], as_of=NOW + timedelta(seconds=lsn), source_lsn=lsn, now=now)


class TestALease:
    def test_of_many_takers_at_once_one_has_it(self):
        numbers = iter(range(100))
        outcomes = in_threads(16, lambda: take(LAKE, holder=f"follower-{next(numbers)}", now=NOW))

        held = [outcome for outcome in outcomes if isinstance(outcome, Held)]
        assert len(held) == 1
        assert [outcome for outcome in outcomes if outcome is not None] == held

    def test_holds_until_it_ends_then_goes_on_with_a_higher_token(self):
        first = taken()

        assert take(LAKE, holder="other", now=NOW + LASTING / 2) is None
        second = taken("other", LATER)
        assert second.token > first.token

    def test_a_dead_holder_of_before_the_clock_was_set_back_stops_nobody_and_proves_nothing(self):
        dead = taken(now=NOW + timedelta(hours=1))
        ask_for(LAKE, holder="dead too", now=NOW + timedelta(hours=1))

        heir = taken("other")
        with pytest.raises(LeaseLostError), proving(dead):
            pass
        with proving(heir):
            pass

    def test_its_holder_finds_it_again_with_the_same_token(self):
        assert taken() == taken(now=NOW + timedelta(seconds=5))

    def test_kept_it_lasts_longer(self):
        held = taken()

        assert keep(held, now=NOW + LASTING / 2).ours
        assert take(LAKE, holder="other", now=NOW + LASTING) is None

    def test_a_late_holder_can_neither_keep_nor_prove_it(self):
        late = taken()
        taken("other", LATER)

        assert not keep(late, now=LATER).ours
        with pytest.raises(LeaseLostError), proving(late):
            pytest.fail("a lost lease opened a transaction")
        give_up(late)
        assert Lease.objects.get(name=LAKE).holder == "other"

    def test_one_that_has_ended_but_was_taken_by_nobody_still_proves(self):
        held = taken()

        assert published(held, now=LATER).number == 1


class TestYielding:
    def test_the_holder_hears_of_a_wish_and_the_wisher_gets_it_next(self):
        held = taken()
        ask_for(LAKE, holder="run-1", now=NOW)

        assert keep(held, now=NOW).wanted_by == "run-1"
        give_up(held)
        assert take(LAKE, holder=FOLLOWER, now=NOW) is None
        assert take(LAKE, holder="run-1", now=NOW) is not None

    def test_a_wish_that_is_not_renewed_lapses(self):
        ask_for(LAKE, holder="run-1", now=NOW)

        assert take(LAKE, holder=FOLLOWER, now=NOW + timedelta(seconds=20)) is not None

    def test_the_first_to_ask_is_served(self):
        held = taken()
        ask_for(LAKE, holder="run-1", now=NOW)
        ask_for(LAKE, holder="run-2", now=NOW)
        give_up(held)

        assert take(LAKE, holder="run-2", now=NOW) is None
        assert take(LAKE, holder="run-1", now=NOW) is not None

    def test_withdrawn_it_is_free(self):
        held = taken("run-1")
        withdraw(LAKE, holder="run-1")

        assert not keep(held, now=NOW).ours
        assert take(LAKE, holder=FOLLOWER, now=NOW) is not None


class TestPublishingWithoutARun:
    def test_numbers_go_on(self):
        held = taken()

        assert [published(held, lsn=lsn).number for lsn in (1, 2, 3)] == [1, 2, 3]
        assert not PublicationRecord.objects.filter(run__isnull=False).exists()

    def test_older_data_is_refused(self):
        held = taken()
        published(held, lsn=9)

        with pytest.raises(PublicationRefusedError):
            published(held, lsn=8)
        assert PublicationRecord.objects.count() == 1

    def test_a_late_publisher_is_refused(self):
        late = taken()
        taken("run-5", LATER)

        with pytest.raises(LeaseLostError):
            published(late)
        assert not PublicationRecord.objects.exists()


class TestRunAndFollower:
    def test_a_run_waits_for_the_follower_to_finish_its_cycle(self, run: PipelineRun, lakehouse: FakeLakehouse):
        held = taken()

        following = advance(run.pk, lakehouse=lakehouse.ports, now=NOW)

        assert following is not None
        run.refresh_from_db()
        assert run.state == RunState.QUEUED
        assert keep(held, now=NOW).wanted_by == f"run-{run.pk}"
        give_up(held)
        assert advance(run.pk, lakehouse=lakehouse.ports, now=NOW) is None
        run.refresh_from_db()
        assert run.state == RunState.SUCCEEDED
        assert take(LAKE, holder=FOLLOWER, now=NOW) is not None

    def test_a_run_takes_over_from_a_dead_follower(self, run: PipelineRun, lakehouse: FakeLakehouse):
        late = taken()

        advance(run.pk, lakehouse=lakehouse.ports, now=LATER)

        run.refresh_from_db()
        assert run.state == RunState.SUCCEEDED
        with pytest.raises(LeaseLostError):
            published(late)

    def test_the_follower_cannot_write_while_a_run_goes(self, run: PipelineRun, lakehouse: FakeLakehouse):
        lakehouse.jobs.script["bronze_to_silver"] = lambda _spec: RUNNING
        advance(run.pk, lakehouse=lakehouse.ports, now=NOW)

        assert take(LAKE, holder=FOLLOWER, now=NOW) is None

    def test_a_run_that_lost_the_lake_takes_it_back_and_never_publishes_older_data(
        self, run: PipelineRun, lakehouse: FakeLakehouse
    ):
        lakehouse.jobs.script["silver_to_gold"] = lambda _spec: RUNNING
        advance(run.pk, lakehouse=lakehouse.ports, now=NOW)
        follower = taken(now=LATER)  # No worker moved the run for longer than its lease.
        run.refresh_from_db()
        publish_version(
            held=follower, pins=[], as_of=NOW + timedelta(hours=1), source_lsn=(run.source_lsn or 0) + 1, now=LATER
        )
        gold = next(job for job in lakehouse.jobs.jobs if "gold" in job)
        lakehouse.jobs.end(gold, succeeded({"models": []}))

        assert advance(run.pk, lakehouse=lakehouse.ports, now=LATER) is not None
        give_up(follower)
        advance(run.pk, lakehouse=lakehouse.ports, now=LATER + timedelta(seconds=1))

        run.refresh_from_db()
        assert run.state == RunState.FAILED
        assert run.error_class.endswith("PublicationRefusedError")
        assert PublicationRecord.objects.count() == 1

"""Alerts: one per cause, told to everybody once, until it is resolved."""

from __future__ import annotations

import dataclasses
import hashlib
import hmac
import json
import smtplib
import threading
from collections.abc import Iterator
from datetime import datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from django.core import mail
from pytest_django import Settings

from etl.replicate.status import Standing
from lakehouse_admin.actions.change_table import fail_table
from lakehouse_admin.actions.handle_alert import (
    AlertMissingError,
    MuteTooLongError,
    acknowledge_alert,
    mute_alert,
)
from lakehouse_admin.actions.retry_run import retry_run
from lakehouse_admin.actions.trigger_run import trigger_run
from lakehouse_admin.actions.watch import watch
from lakehouse_admin.alerts.deliver import Receivers, deliver_due
from lakehouse_admin.alerts.rules import Finding, Limits, findings
from lakehouse_admin.flow import advance
from lakehouse_admin.models import Alert, AlertDelivery, AuditEntry, Pipeline, PipelineRun
from lakehouse_admin.stages.quality import NotReconciledError, SilverCheckFailedError
from lakehouse_admin.states import AlertRule, AlertState, Trigger
from lakehouse_admin.status.overview import overview
from lakehouse_admin.status.replication import Replication, TableTrouble
from lakehouse_admin.transition import TransitionRefusedError
from tests.fakes import FakeLakehouse, failed
from tests.integration.lakehouse_admin.conftest import NOW
from tests.integration.lakehouse_admin.test_flow import drive

pytestmark = [pytest.mark.integration, pytest.mark.usefixtures("control_plane")]

ABSENT = Replication(standing=Standing.ABSENT)
WELL = Replication(standing=Standing.WELL)
LIMITS = Limits(lag_bytes=100, left_bytes=1000)
SECRET = "a-secret-of-tests-that-protects-nothing"
MINUTE = timedelta(minutes=1)


class Receiver:
    """A web server that takes webhooks, or refuses them."""

    def __init__(self) -> None:
        self.answers: list[int] = []
        """What it answers in turn; 204 once they are used up."""
        self.received: list[tuple[str, dict[str, str], bytes]] = []
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                receiver.received.append((self.path, dict(self.headers), body))
                status = receiver.answers.pop(0) if receiver.answers else 204
                self.send_response(status)
                if status == 302:
                    self.send_header("Location", "/elsewhere")
                self.end_headers()

            def log_message(self, *_arguments: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/hooks?to=data"
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    found = Receiver()
    yield found
    found.close()


@pytest.fixture
def routes(settings: Settings, receiver: Receiver) -> None:
    settings.LAKEHOUSE = dataclasses.replace(
        settings.LAKEHOUSE,
        alert_emails=("data@example.com",),
        alert_webhooks=(receiver.url,),
        alert_webhook_secret=SECRET,
    )


def fail_run(run: PipelineRun, lakehouse: FakeLakehouse, error: type[Exception] = ValueError) -> None:
    lakehouse.jobs.script["bronze_to_silver"] = lambda _spec: failed(error, "A value is\nwrong.")
    drive(run, lakehouse)
    run.refresh_from_db()


def found(replication: Replication = ABSENT, *, now: datetime = NOW, disk: int | None = None) -> list[Finding]:
    state = overview(Pipeline.objects.default(), now=now, replication=replication)
    return list(findings(state, limits=LIMITS, disk_free_bytes=disk))


class TestRules:
    def test_nothing_is_wrong_with_a_fresh_installation(self, pipeline: Pipeline):
        assert found() == []
        assert pipeline.runs.count() == 0

    def test_a_failed_run(self, run: PipelineRun, lakehouse: FakeLakehouse):
        fail_run(run, lakehouse)

        (finding,) = found()
        assert (finding.rule, finding.subject) == (AlertRule.RUN, run.request_key)
        assert (finding.title, finding.detail) == (f"{run} failed", run.error_message)

    @pytest.mark.parametrize(
        ("error", "rule"), [(NotReconciledError, AlertRule.DRIFT), (SilverCheckFailedError, AlertRule.CHECK)]
    )
    def test_a_comparison_or_a_check_that_failed_has_its_own_rule(
        self, run: PipelineRun, lakehouse: FakeLakehouse, error: type[Exception], rule: AlertRule
    ):
        fail_run(run, lakehouse, error)

        assert found()[0].rule is rule

    def test_broken_promises_are_one_finding(self, run: PipelineRun, lakehouse: FakeLakehouse):
        drive(run, lakehouse)
        assert found() == []

        (finding,) = found(now=NOW + timedelta(days=3))
        assert finding.rule is AlertRule.FRESHNESS
        assert finding.title == "1 gold table is older than promised"
        assert "gold.daily_revenue: at most 60 s old" in finding.detail

    @pytest.mark.parametrize(
        ("replication", "rules"),
        [
            (WELL, []),
            (dataclasses.replace(WELL, lag_bytes=101), [AlertRule.LAG]),
            (Replication(standing=Standing.FAILED, message="No route."), [AlertRule.LAG]),
            (Replication(standing=Standing.WAITING), [AlertRule.LAG]),
            (Replication(standing=Standing.SILENT), [AlertRule.MOVEMENT]),
            (Replication(standing=Standing.NOT_MOVING), [AlertRule.MOVEMENT]),
            (Replication(standing=Standing.STOPPED), []),
            (dataclasses.replace(WELL, log_left_bytes=499), [AlertRule.SLOT]),
            (
                dataclasses.replace(WELL, tables=(TableTrouble(table="public.orders", message="m", guidance="g"),)),
                [AlertRule.TABLE],
            ),
        ],
    )
    def test_replication(self, replication: Replication, rules: list[AlertRule]):
        assert [each.rule for each in found(replication)] == rules

    def test_a_failed_table_and_a_full_disk(self):
        fail_table("orders", reason="A column was narrowed.", guidance="Resync it.", now=NOW)

        assert [each.key for each in found(disk=999)] == ["table:public.orders", "disk:lake"]
        assert [each.key for each in found(disk=1000)] == ["table:public.orders"]

    def test_a_run_that_no_worker_moves(self, run: PipelineRun):
        (finding,) = found(now=NOW + 2 * MINUTE)

        assert finding.rule is AlertRule.MOVEMENT
        assert str(run) in finding.detail


@pytest.mark.usefixtures("routes")
class TestOneAlertACause:
    def test_is_opened_once_however_often_it_is_found(self, run: PipelineRun, lakehouse: FakeLakehouse):
        fail_run(run, lakehouse)
        for second in range(5):
            watch(replication=ABSENT, now=NOW + timedelta(seconds=second))

        alert = Alert.objects.get()
        assert (alert.times_seen, alert.seen_at) == (5, NOW + timedelta(seconds=4))
        assert alert.deliveries.count() == 2
        assert len(mail.outbox) == 1

    def test_many_evaluations_at_once_open_one(self, run: PipelineRun, lakehouse: FakeLakehouse):
        from django.db import connections

        fail_run(run, lakehouse)

        def look() -> None:
            watch(replication=ABSENT, now=NOW)
            connections.close_all()

        threads = [threading.Thread(target=look) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        assert Alert.objects.count() == 1
        assert len(mail.outbox) == 1

    def test_a_retry_neither_resolves_nor_reopens_it_before_it_ends(self, run: PipelineRun, lakehouse: FakeLakehouse):
        works = dict(lakehouse.jobs.script)
        fail_run(run, lakehouse)
        watch(replication=ABSENT, now=NOW)
        retry_run(run_id=run.pk, now=NOW)
        watch(replication=ABSENT, now=NOW)
        assert Alert.objects.get().state == AlertState.OPEN

        drive(run, lakehouse)  # Fails again.
        watch(replication=ABSENT, now=NOW)
        assert Alert.objects.get().state == AlertState.OPEN
        assert len(mail.outbox) == 1

        lakehouse.jobs.script |= works
        retry_run(run_id=run.pk, now=NOW)
        drive(run, lakehouse)
        watch(replication=ABSENT, now=NOW)
        assert Alert.objects.get().state == AlertState.RESOLVED
        assert mail.outbox[1].subject == f"[Lakeside] Resolved: {run} failed"

    def test_broken_again_it_is_a_new_one(self, pipeline: Pipeline, lakehouse: FakeLakehouse):
        works = dict(lakehouse.jobs.script)
        for _ in range(2):
            first = trigger_run(pipeline=pipeline, trigger=Trigger.CONSOLE, now=NOW)
            fail_run(first, lakehouse)
            watch(replication=ABSENT, now=NOW)
            lakehouse.jobs.script |= works
            advance(
                trigger_run(pipeline=pipeline, trigger=Trigger.CONSOLE, now=NOW).pk, lakehouse=lakehouse.ports, now=NOW
            )
            watch(replication=ABSENT, now=NOW)

        assert [alert.state for alert in Alert.objects.all()] == [AlertState.RESOLVED] * 2

    def test_is_acknowledged_by_somebody_and_that_is_kept(self, run: PipelineRun, lakehouse: FakeLakehouse):
        fail_run(run, lakehouse)
        watch(replication=ABSENT, now=NOW)
        alert = Alert.objects.get()

        acknowledge_alert(alert.pk, now=NOW)
        acknowledge_alert(alert.pk, now=NOW)

        assert Alert.objects.get().state == AlertState.ACKNOWLEDGED
        entry = AuditEntry.objects.get(action="alert_acknowledged")
        assert (entry.before, entry.after) == ({"state": "open"}, {"state": "acknowledged"})
        watch(replication=ABSENT, now=NOW + MINUTE)
        assert Alert.objects.get().state == AlertState.ACKNOWLEDGED
        with pytest.raises(AlertMissingError):
            acknowledge_alert(0, now=NOW)

    def test_a_resolved_one_can_not_be_acknowledged(self, pipeline: Pipeline):
        watch(replication=Replication(standing=Standing.FAILED), now=NOW)
        watch(replication=WELL, now=NOW)

        with pytest.raises(TransitionRefusedError):
            acknowledge_alert(Alert.objects.get().pk, now=NOW)
        assert pipeline.runs.count() == 0

    def test_a_muted_one_is_told_once_the_mute_ends_and_only_then(self):
        broken = Replication(standing=Standing.FAILED)
        watch(replication=broken, now=NOW)
        watch(replication=WELL, now=NOW)
        assert len(mail.outbox) == 2
        mute_alert(Alert.objects.get().pk, until=NOW + 5 * MINUTE, now=NOW)

        watch(replication=broken, now=NOW + MINUTE)  # A new alert of the same rule: muted as well.
        watch(replication=broken, now=NOW + 4 * MINUTE)
        assert Alert.objects.count() == 2
        assert len(mail.outbox) == 2
        for minute in (6, 7):
            watch(replication=broken, now=NOW + minute * MINUTE)
        assert len(mail.outbox) == 3

    def test_what_nobody_heard_of_is_not_resolved_aloud(self):
        broken = Replication(standing=Standing.FAILED)
        watch(replication=broken, now=NOW)
        watch(replication=WELL, now=NOW)
        mute_alert(Alert.objects.get().pk, until=NOW + MINUTE, now=NOW)
        watch(replication=broken, now=NOW)
        watch(replication=WELL, now=NOW + 2 * MINUTE)

        assert len(mail.outbox) == 2

    def test_is_muted_for_a_month_at_most(self):
        watch(replication=Replication(standing=Standing.FAILED), now=NOW)
        with pytest.raises(MuteTooLongError):
            mute_alert(Alert.objects.get().pk, until=NOW + timedelta(days=31), now=NOW)


@pytest.mark.usefixtures("routes")
class TestDelivery:
    @pytest.fixture(autouse=True)
    def broken(self, control_plane: list[dict[str, object]], routes: None, receiver: Receiver) -> None:
        """An alert of which the mail was taken and the webhook was not."""
        del control_plane, routes
        receiver.answers = [503]
        watch(replication=Replication(standing=Standing.FAILED, message="No route.\nAt all."), now=NOW)

    def test_a_mail_says_what_is_wrong_and_what_to_do(self):
        (message,) = mail.outbox
        assert message.subject == "[Lakeside] The replicator is not running"
        assert message.to == ["data@example.com"]
        assert "No route.\nAt all." in message.body
        assert "Since 2026-11-23 08:00:00 UTC." in message.body

    def test_a_refused_webhook_is_tried_again_and_signed(self, receiver: Receiver):
        receivers = Receivers(webhooks=(receiver.url,), secret=SECRET)
        assert AlertDelivery.objects.get(channel="webhook").error == "The webhook answered 503."
        assert deliver_due(receivers, now=NOW + timedelta(seconds=9)) == 0
        assert deliver_due(receivers, now=NOW + timedelta(seconds=10)) == 1
        assert deliver_due(receivers, now=NOW + timedelta(days=1)) == 0

        first, second = receiver.received
        path, headers, body = second
        assert path == "/hooks?to=data"
        assert body == first[2]
        signed = headers["X-Lakeside-Timestamp"].encode() + b"." + body
        expected = hmac.new(SECRET.encode(), signed, hashlib.sha256).hexdigest()
        assert headers["X-Lakeside-Signature"] == f"sha256={expected}"
        document = json.loads(body)
        assert (document["rule"], document["occasion"]) == ("lag", "opened")
        assert document["title"] == "The replicator is not running"

    def test_a_redirect_is_not_followed(self, receiver: Receiver):
        receiver.answers = [302]
        assert deliver_due(Receivers(webhooks=(receiver.url,), secret=SECRET), now=NOW + MINUTE) == 0
        assert [path for path, _, _ in receiver.received] == ["/hooks?to=data"] * 2

    def test_a_webhook_that_was_taken_out_of_the_settings_is_not_called(self, receiver: Receiver):
        assert deliver_due(Receivers(), now=NOW + MINUTE) == 0
        assert len(receiver.received) == 1

    def test_after_six_attempts_it_is_given_up(self, receiver: Receiver):
        receivers = Receivers(webhooks=("http://127.0.0.1:1/?token=hunter2",), secret=SECRET)
        for day in range(1, 9):
            deliver_due(receivers, now=NOW + timedelta(days=day))

        delivery = AlertDelivery.objects.get(channel="webhook")
        assert (delivery.outcome, delivery.attempts) == (AlertDelivery.Outcome.GIVEN_UP, 6)
        assert delivery.error == "ConnectionRefusedError"
        assert len(receiver.received) == 1

    def test_a_mail_server_that_is_away_loses_nothing(self, monkeypatch: pytest.MonkeyPatch):
        watch(replication=WELL, now=NOW)
        AlertDelivery.objects.filter(channel="email").update(outcome="pending", attempts=0, due_at=NOW)

        def refuse(*_arguments: object) -> None:
            raise smtplib.SMTPServerDisconnected

        with monkeypatch.context() as patch:
            patch.setattr("lakehouse_admin.alerts.deliver.send_mail", refuse)
            assert deliver_due(Receivers(), now=NOW) == 0
        assert len(mail.outbox) == 2
        deliver_due(Receivers(), now=NOW + MINUTE)
        assert len(mail.outbox) == 4

    def test_a_message_that_a_dead_worker_took_is_sent_by_another(self, receiver: Receiver):
        delivery = AlertDelivery.objects.get(channel="webhook")
        AlertDelivery.objects.filter(pk=delivery.pk).update(due_at=NOW + 2 * MINUTE)  # As taking it does.
        receivers = Receivers(webhooks=(receiver.url,), secret=SECRET)

        assert deliver_due(receivers, now=NOW + MINUTE) == 0
        assert deliver_due(receivers, now=NOW + 2 * MINUTE) == 1

"""Schedules in the console: what may be written, who may write it, and what is said otherwise."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import Permission
from django.test import Client
from django.urls import reverse
from django_celery_beat.models import CrontabSchedule

from lakehouse_admin.models import AuditEntry, Pipeline, Schedule
from saas.models import User
from tests.integration.lakehouse_admin.conftest import NOW
from tests.integration.lakehouse_admin.test_schedules import minutely

pytestmark = [pytest.mark.integration, pytest.mark.django_db]

ADD = "admin:lakehouse_admin_schedule_add"


class TestTheConsole:
    @pytest.fixture
    def staff(self, db: None) -> Client:  # noqa: ARG002 - the database has to be there
        client = Client()
        client.force_login(User.objects.create_superuser("clock@lakeside.example", "a long pass phrase"))
        return client

    @pytest.fixture
    def pipeline(self, db: None) -> Pipeline:  # noqa: ARG002 - as above
        return Pipeline.objects.default()

    def test_a_schedule_is_added_changed_and_deleted_and_the_audit_log_knows(self, staff: Client, pipeline: Pipeline):
        form = {
            "name": "Nightly",
            "kind": "pipeline",
            "is_enabled": "on",
            "cron": "30 2 * * *",
            "time_zone": "Europe/Berlin",
        }
        answer = staff.post(reverse(ADD), form)
        assert answer.status_code == 302, answer.context["errors"]
        schedule = Schedule.objects.get()
        assert (schedule.crontab.hour, str(schedule.crontab.timezone)) == ("2", "Europe/Berlin")
        assert schedule.pipeline == pipeline
        page = staff.get(reverse("admin:lakehouse_admin_schedule_changelist")).text
        assert "30 2 * * *, Europe/Berlin" in page
        address = reverse("admin:lakehouse_admin_schedule_change", args=[schedule.pk])
        assert 'value="30 2 * * *"' in staff.get(address).text

        changed = {"name": "Nightly", "kind": "resync", "resync": "orders", "every": "6", "period": "hours"}
        assert staff.post(address, changed).status_code == 302
        schedule.refresh_from_db()
        assert (schedule.crontab, schedule.interval.every, schedule.tables) == (None, 6, ["public.orders"])
        assert not schedule.is_enabled

        staff.post(reverse("admin:lakehouse_admin_schedule_delete", args=[schedule.pk]), {"post": "yes"})
        assert not Schedule.objects.exists()
        entries = {entry.action: entry for entry in AuditEntry.objects.filter(subject_kind="schedule")}
        assert entries.keys() == {"schedule_added", "schedule_changed", "schedule_deleted"}
        assert entries["schedule_changed"].before["times"] == "30 2 * * *, Europe/Berlin"
        assert entries["schedule_changed"].after["tables"] == ["public.orders"]
        assert {entry.actor for entry in entries.values()} == {"clock@lakeside.example"}

    def test_renaming_leaves_the_interval_where_it_stands(self, staff: Client, pipeline: Pipeline):
        schedule = minutely(pipeline)
        address = reverse("admin:lakehouse_admin_schedule_change", args=[schedule.pk])

        staff.post(address, {"name": "New", "kind": "pipeline", "is_enabled": "on", "every": "1", "period": "minutes"})

        schedule.refresh_from_db()
        assert (schedule.name, schedule.begins_at) == ("New", NOW)

    @pytest.mark.parametrize(
        ("form", "sentence"),
        [
            ({}, "Give either times of a clock or an interval, and not both."),
            ({"cron": "0 2 * * *", "every": "2"}, "Give either times of a clock or an interval, and not both."),
            ({"cron": "99 * * * *"}, "cannot be read: bad minute."),
            ({"cron": "0 0 31 2 *"}, "cannot be read: bad day-of-month."),
            ({"cron": "0 2 * * *", "time_zone": "Mars/Olympus"}, "Select a valid choice"),
            ({"every": "0"}, "greater than or equal to 1"),
            ({"every": "1", "kind": "nonsense"}, "Select a valid choice"),
            ({"every": "1", "kind": "resync"}, "Say which tables are to be loaded anew."),
            ({"every": "1", "kind": "resync", "resync": "nowhere"}, "public.nowhere is not selected"),
            ({"every": "1", "resync": "orders"}, "Only a resync has tables of its own"),
        ],
    )
    def test_what_makes_no_schedule_is_one_sentence(self, staff: Client, form: dict[str, str], sentence: str):
        answer = staff.post(reverse(ADD), {"name": "X", "kind": "pipeline", **form})

        assert answer.status_code == 200
        assert sentence in answer.text.replace("&#x27;", "'")
        assert not Schedule.objects.exists()
        assert not CrontabSchedule.objects.filter(minute="99").exists()

    def test_who_may_only_look_changes_nothing(self, pipeline: Pipeline):
        viewer = User.objects.create_user("viewer@lakeside.example", "a long pass phrase", is_staff=True)
        viewer.user_permissions.add(Permission.objects.get(codename="view_schedule"))
        client = Client()
        client.force_login(viewer)
        schedule = minutely(pipeline)

        assert client.get(reverse("admin:lakehouse_admin_schedule_changelist")).status_code == 200
        assert client.post(reverse(ADD), {"name": "X", "every": "1"}).status_code == 403
        assert client.post(reverse("admin:lakehouse_admin_schedule_delete", args=[schedule.pk])).status_code == 403
        assert Schedule.objects.count() == 1

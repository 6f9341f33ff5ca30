"""The staff console: an overview, runs, tables, alerts, publications, pipelines, schedules and the audit log."""

from django.contrib import admin

from lakehouse_admin.admin.alert import AlertAdmin
from lakehouse_admin.admin.audit import AuditEntryAdmin
from lakehouse_admin.admin.pipeline import PipelineAdmin
from lakehouse_admin.admin.publication import PublicationAdmin
from lakehouse_admin.admin.run import PipelineRunAdmin
from lakehouse_admin.admin.schedule import ScheduleAdmin
from lakehouse_admin.admin.table import TableStateAdmin

__all__ = [
    "AlertAdmin",
    "AuditEntryAdmin",
    "PipelineAdmin",
    "PipelineRunAdmin",
    "PublicationAdmin",
    "ScheduleAdmin",
    "TableStateAdmin",
]

admin.site.index_template = "lakehouse_admin/index.html"

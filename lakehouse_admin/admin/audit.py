"""The audit log: who did what to what, before and after."""

from __future__ import annotations

import json

from django.contrib import admin
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.decorators import display

from lakehouse_admin.admin.read_only import ReadOnlyAdmin
from lakehouse_admin.models import AuditEntry
from lakehouse_admin.templatetags.lakehouse import moment


@admin.register(AuditEntry)
class AuditEntryAdmin(ReadOnlyAdmin):
    """Newest first."""

    list_display = ("what", "of", "actor", "when")
    list_display_links = ("what",)
    list_filter = ("action", "subject_kind")
    list_per_page = 50
    search_fields = ("actor", "subject")
    fields = ("what", "of", "actor", "when", "was", "became")
    readonly_fields = fields

    @display(description="Action", ordering="action")  # type: ignore[untyped-decorator]
    def what(self, entry: AuditEntry) -> str:
        """Say what was done."""
        return entry.action.replace("_", " ").capitalize()

    @display(description="To", ordering="subject")  # type: ignore[untyped-decorator]
    def of(self, entry: AuditEntry) -> str:
        """Say to what."""
        return f"{entry.subject_kind} {entry.subject}"

    @display(description="When", ordering="id")  # type: ignore[untyped-decorator]
    def when(self, entry: AuditEntry) -> SafeString | str:
        """Say when."""
        return moment(entry.at)

    @display(description="Before")  # type: ignore[untyped-decorator]
    def was(self, entry: AuditEntry) -> SafeString:
        """Print the fields as they were."""
        return _fields(entry.before)

    @display(description="After")  # type: ignore[untyped-decorator]
    def became(self, entry: AuditEntry) -> SafeString:
        """Print the fields as they became."""
        return _fields(entry.after)


def _fields(fields: object) -> SafeString:
    return format_html('<pre class="lk-log">{}</pre>', json.dumps(fields, indent=2, ensure_ascii=False, sort_keys=True))

"""Publications: which versions of gold readers have seen."""

from __future__ import annotations

from django.contrib import admin
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.decorators import display

from etl.replicate.lsn import Lsn
from lakehouse_admin.admin.read_only import ReadOnlyAdmin
from lakehouse_admin.models import PublicationRecord
from lakehouse_admin.templatetags.lakehouse import moment


@admin.register(PublicationRecord)
class PublicationAdmin(ReadOnlyAdmin):
    """Newest first; each names its run and its tables."""

    list_display = ("publication", "published", "complete_until", "tables_count", "run_link", "kept")
    list_display_links = ("publication",)
    list_select_related = ("run",)
    fields = ("published", "complete_until", "source_position", "run_link", "kept", "tables")
    readonly_fields = fields

    @display(description="Publication", ordering="number")  # type: ignore[untyped-decorator]
    def publication(self, record: PublicationRecord) -> str:
        """Name it."""
        return str(record)

    @display(description="Published", ordering="published_at")  # type: ignore[untyped-decorator]
    def published(self, record: PublicationRecord) -> SafeString | str:
        """Say when readers got it."""
        return moment(record.published_at)

    @display(description="Data as of", ordering="as_of")  # type: ignore[untyped-decorator]
    def complete_until(self, record: PublicationRecord) -> SafeString | str:
        """Say up to which source time it is complete."""
        return moment(record.as_of)

    @display(description="Source position")  # type: ignore[untyped-decorator]
    def source_position(self, record: PublicationRecord) -> str:
        """Print the LSN as PostgreSQL does."""
        return str(Lsn(record.source_lsn))

    @display(description="Tables")  # type: ignore[untyped-decorator]
    def tables_count(self, record: PublicationRecord) -> int:
        """Count its tables."""
        return len(record.pins)

    @display(description="Kept")  # type: ignore[untyped-decorator]
    def kept(self, record: PublicationRecord) -> str:
        """Say for how long it stays, if somebody keeps it by name."""
        if not record.kept_reason:
            return "By retention"
        until = f"until {record.kept_until:%Y-%m-%d %H:%M} UTC" if record.kept_until else "until released"
        return f"{record.kept_reason}, {until}"

    @display(description="Run")  # type: ignore[untyped-decorator]
    def run_link(self, record: PublicationRecord) -> SafeString | str:
        """Lead to the run that made it, if one did."""
        if record.run is None:
            return "Followed"
        address = reverse("admin:lakehouse_admin_pipelinerun_change", args=[record.run_id])
        return format_html(
            '<a class="text-primary-700 underline dark:text-primary-400" href="{}">{}</a>', address, record.run
        )

    @display(description="Tables")  # type: ignore[untyped-decorator]
    def tables(self, record: PublicationRecord) -> SafeString:
        """List its tables, rows and snapshots."""
        return render_to_string("lakehouse_admin/pins.html", {"pins": record.pins})

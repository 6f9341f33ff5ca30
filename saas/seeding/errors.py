"""What stops seeding."""

from __future__ import annotations


class SeedError(Exception):
    """Seeding was refused or failed; the message is one sentence that says what to do."""

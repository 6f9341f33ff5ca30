"""What stops traffic."""

from __future__ import annotations


class TrafficError(Exception):
    """Traffic was refused or failed; the message is one sentence that says what to do."""

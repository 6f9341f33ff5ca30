"""What silver writes into a snapshot's summary: where in the source's log the snapshot stands."""

from __future__ import annotations

LOAD_ID = "lakeside.load-id"
"""The full load that the table's rows go back to."""
WATERMARK = "lakeside.watermark"
"""Highest change sequence that the snapshot holds."""
SOURCE_LSN = "lakeside.source-lsn"
"""Every change of transactions that ended up to here is in the snapshot; a decimal number."""
CONTRACT_VERSION = "lakeside.contract-version"
"""The version of the source's contract that the snapshot's columns follow."""
REJECTS = "lakeside.rejects"
"""Rows of the load, and of the changes since, that were quarantined."""
COMPACTION = "lakeside.compaction"
"""Set on a snapshot that wrote rows anew and changed none."""

"""Where the lake is and what a job may use of the machine."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class LakeConfig:
    """Everything a job needs to open the lake; JSON-ready but for the catalog's password."""

    lake_uri: str
    """Root of the lake: an absolute folder, or ``s3://bucket/prefix``; no trailing slash."""
    catalog_url: str | None = field(repr=False)
    """``postgresql://...`` of the Iceberg catalog; None where a job only reads pinned metadata or bronze."""
    memory_limit_bytes: int
    """DuckDB's share; beyond it DuckDB spills to the temporary folder."""
    threads: int

    @property
    def bronze_root(self) -> str:
        """Root of the bronze object store."""
        return f"{self.lake_uri}/bronze"

    @property
    def warehouse(self) -> str:
        """Root of the Iceberg tables: ``<warehouse>/<namespace>/<table>``."""
        return f"{self.lake_uri}/warehouse"

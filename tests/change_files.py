"""Bronze for tests of silver: loads and flushes of changes as the replicator writes them, without a source."""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from etl.bronze.layout import change_fields, change_key, change_manifest_key, fields, load_key
from etl.bronze.manifest import ChangeManifest, FileManifest, LoadManifest
from etl.contracts.store import record_contract
from etl.contracts.table import TableContract
from etl.ports.object_store import ObjectStore
from etl.replicate.landing import commit_load
from etl.replicate.lsn import Lsn, change_seq

SLOT = "tests"
_BEGIN = datetime(2026, 11, 23, tzinfo=UTC)


@dataclass(frozen=True, kw_only=True)
class Change:
    """One change of a table as the source tells it."""

    contract: TableContract
    op: str
    values: Mapping[str, str | None] = field(default_factory=dict)
    """Texts by column; what is missing is NULL."""
    unchanged: tuple[str, ...] = ()
    old_key: Mapping[str, str] | None = None


class Bronze:
    """Writes one slot's loads and flushes, each transaction 10 bytes of log after the one before."""

    def __init__(self, store: ObjectStore, *, slot: str = SLOT) -> None:
        self.store = store
        self.slot = slot
        self.lsn = 1000
        self.flushed_lsn = 1000
        self._files = 0

    def load(self, contracts: Mapping[TableContract, Sequence[Mapping[str, str | None]]]) -> LoadManifest:
        """Land a full load of some tables at the present position."""
        self.lsn += 10
        files = []
        for unrecorded, rows in contracts.items():
            contract = record_contract(self.store, unrecorded)
            if rows:
                sequence = change_seq(self.lsn)
                texts = [
                    ["I", _moment(self.lsn), *(row.get(name) for name in contract.column_names), sequence]
                    for row in rows
                ]
                self._files += 1
                key = load_key(contract.table, self._files)
                files.append(self._write(contract, key, fields(contract), texts, first=sequence, last=sequence))
        load = LoadManifest(
            load_id=Lsn(self.lsn).hex,
            request_id=f"request {self.lsn}",
            lsn=self.lsn,
            snapshot_at=_BEGIN.isoformat(),
            files=tuple(files),
            tables=tuple(contract.table for contract in contracts),
            slot=self.slot,
        )
        commit_load(self.store, load)
        return load

    def flush(self, transactions: Sequence[Sequence[Change]]) -> ChangeManifest:
        """Land some transactions with one manifest; a new file begins where a table's contract changes."""
        open_files: list[tuple[TableContract, list[list[str | None]]]] = []
        first_lsn = self.lsn + 10
        for transaction in transactions:
            self.lsn += 10
            for ordinal, change in enumerate(transaction):
                contract = record_contract(self.store, change.contract)
                mine = [each for each in open_files if each[0].table == contract.table]
                if not mine or mine[-1][0] != contract:
                    mine.append((contract, []))
                    open_files.append(mine[-1])
                mine[-1][1].append(
                    [
                        change.op,
                        _moment(self.lsn),
                        *(change.values.get(name) for name in contract.column_names),
                        change_seq(self.lsn, ordinal),
                        ",".join(change.unchanged) or None,
                        json.dumps(change.old_key) if change.old_key else None,
                    ]
                )
        files = []
        for contract, rows in open_files:
            self._files += 1
            at = len(contract.column_names) + 2
            key = change_key(contract.table, int(_BEGIN.timestamp() * 1000) + self._files)
            files.append(
                self._write(
                    contract, key, change_fields(contract), rows, first=str(rows[0][at]), last=str(rows[-1][at])
                )
            )
        manifest = ChangeManifest(
            slot=self.slot,
            previous_lsn=self.flushed_lsn,
            first_lsn=first_lsn,
            last_lsn=self.lsn,
            committed_from=_BEGIN.isoformat(),
            committed_to=(_BEGIN + timedelta(seconds=self.lsn)).isoformat(),
            transactions=len(transactions),
            files=tuple(files),
        )
        self.store.put(change_manifest_key(_BEGIN.date(), Lsn(self.lsn).hex), manifest.to_json().encode())
        self.flushed_lsn = self.lsn
        return manifest

    def _write(
        self,
        contract: TableContract,
        key: str,
        header: Sequence[str],
        rows: Sequence[Sequence[str | None]],
        *,
        first: str,
        last: str,
    ) -> FileManifest:
        body = gzip.compress(to_csv(header, rows), compresslevel=1, mtime=0)
        with self.store.writer(key) as file:
            file.write(body)
        return FileManifest(
            key=key,
            table=contract.table,
            rows=len(rows),
            size_bytes=len(body),
            sha256=hashlib.sha256(body).hexdigest(),
            first_change_seq=first,
            last_change_seq=last,
            contract_version=contract.version,
            contract_fingerprint=contract.fingerprint,
        )


def to_csv(header: Sequence[str], rows: Sequence[Sequence[str | None]]) -> bytes:
    """Return CSV in bronze's dialect: every value in quotes, NULL as nothing."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow(header)
    for row in rows:
        quoted = ("" if value is None else '"' + value.replace('"', '""') + '"' for value in row)
        text.write(",".join(quoted) + "\n")
    return text.getvalue().encode()


def _moment(lsn: int) -> str:
    return f"{_BEGIN + timedelta(seconds=lsn):%Y-%m-%d %H:%M:%S.%f}"

"""Bronze that no replicator of ours writes: rows that have to be refused, each for its reason, and keys met twice."""

from __future__ import annotations

from etl.engine.lake import LakeConfig
from etl.replicate.lsn import change_seq
from tests.contracts import contract
from tests.lakes import land

_TYPES = {
    "small": "integer",
    "amount": "decimal(12,2)",
    "ratio": "double",
    "day": "date",
    "local": "timestamp",
    "moment": "timestamptz",
    "flag": "boolean",
    "data": "json",
    "bytes": "binary",
    "note": "text",
}
_TEXTS = {
    "small": ["12.7", "1e3", "12\n", " 12", "2147483648", "-2147483648", "+1", "0x10", "", "1_000", "\u0661"],
    "amount": ["1.005", "12345678901.00", "9999999999.99", "1.5d", ".5", "5.", "-0.00", "1,5", "NaN"],
    "ratio": ["1.5d", "1e400", "1e-400", "NaN", "nan", "inf", "Infinity", "-Infinity", "1e308", "0x1p3", "1.5f"],
    "day": ["2024", "2024-02-30", "0000-01-01", "2024-1-1", "10000-01-01", "2024-02-29 ", "infinity", "0001-01-01"],
    "local": ["2024-01-01 24:00:00", "2024-01-01T00:00:00", "2024-01-01 00:00", "2024-01-01 00:00:00.1234567",
              "2024-01-01 00:00:00+02", "2024-01-01 23:59:60", "1582-10-10 00:00:00", "0001-01-01 00:00:00.000001"],
    "moment": ["2024-01-01 00:00:00+02", "2024-01-01 00:00:00+00", "2024-03-31 02:30:00", "infinity",
               "1900-01-01 00:00:00", "9999-12-31 23:59:59.999999"],
    "flag": ["true", "T", "yes", "1", "0", "f", "on", "2"],
    "data": ['{"a": 1}', "{'a': 1}", '{"a": 1} x', "[1, 2]", "", "null", '{"a": "\u00e9\U0001f926"}', "{",
             '{"a": 1e999}'],
    "bytes": ["", "00ff", "0", "zz", "DEADbeef"],
    "note": ["", "\\N", "NULL", "a,b", 'say "hi"', "two\nlines", "\\", "\u0001x"],
}  # fmt: skip


def land_broken(lake: LakeConfig) -> str:
    """Land them as a full load of ``public.readings``; return its id."""
    columns = [("tenant_id", "bigint"), ("id", "bigint"), *_TYPES.items()]
    shape = contract("public.readings", *columns, key=("tenant_id", "id"))
    sequence, moment = change_seq(1), "2026-01-01 00:00:00.000000"
    rows = []
    for column, texts in _TEXTS.items():
        for text in texts:
            number = str(len(rows))
            fields = ["I", moment, str(len(rows) % 3), number]
            fields += [text if name == column else None for name in _TYPES]
            rows.append([*fields, sequence])
    nothing = [None] * len(_TYPES)
    rows += [
        ["X", moment, "1", "9001", *nothing, sequence],
        [None, moment, "1", "9002", *nothing, sequence],
        ["I", "yesterday", "1", "9003", *nothing, sequence],
        ["I", moment, None, "9004", *nothing, sequence],
        ["I", moment, "1", "many", *nothing, sequence],
        ["I", moment, "1", "9006", *nothing, "7"],
        ["I", moment, "1", "9007", *nothing, change_seq(1, 1)],
        ["I", moment, "1", "9007", *nothing, change_seq(1, 3)],
        ["I", moment, "1", "9007", *nothing, change_seq(1, 2)],
    ]
    return land(lake, shape, *(",".join(map(_field, row)) for row in rows))


def _field(text: str | None) -> str:
    return "" if text is None else '"' + text.replace('"', '""') + '"'

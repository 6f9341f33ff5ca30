"""A source table with a column of every kind, and rows that are hard to carry."""

from __future__ import annotations

THINGS = """
    CREATE TABLE things (
        tenant_id bigint, id bigint, small smallint, whole integer, amount numeric(12,2), precise numeric(38,10),
        fraction numeric(5,5), hundreds numeric(5,-2), free numeric, note text, label varchar(20), code char(5),
        token uuid, data jsonb, raw json, flag boolean, day date, local timestamp, moment timestamptz,
        ratio double precision, approx real, bytes bytea, numbers integer[], host inet, span interval,
        "Strange "" name" text, required text NOT NULL DEFAULT '',
        PRIMARY KEY (tenant_id, id)
    )
"""

EDGES = {
    "small": ["-32768", "32767"],
    "whole": ["-2147483648", "2147483647", "0"],
    "amount": ["9999999999.99", "-9999999999.99", "0.01", "-0.01", "0"],
    "precise": ["1234567890123456789012345678.0123456789", "-0.0000000001"],
    "fraction": ["0.00001", "-0.99999", "0"],
    "hundreds": ["12300", "-99900"],
    "free": ["NaN", "1e-100", "123456789012345678901234567890123456789012345"],
    "note": [
        "",
        " ",
        "NULL",
        "\\N",
        "~",
        "1:a|b",
        'say "hi"',
        "a,b",
        "two\nlines",
        "\r",
        "\r\n",
        "é",
        "\U0001f926",
        "\\.",
    ],
    "label": ["", "twenty characters !!"],
    "code": ["", "a", "abcde", "a b"],
    "token": ["00000000-0000-0000-0000-000000000000", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"],
    "data": ["{}", "[]", "null", '"text"', '{"a": "b\\"c", "\\u00e9": [1.50, 1e100]}', "1e400"],
    "raw": ["{}", '{ "b":1,"a" : 2, "a":3 }', '"\\u00e9"'],
    "flag": ["true", "false"],
    "day": ["0001-01-01", "1969-12-31", "1970-01-01", "2024-02-29", "9999-12-31"],
    "local": ["0001-01-01 00:00:00", "1969-12-31 23:59:59.999999", "2024-02-29 12:00:00.1", "9999-12-31 23:59:59"],
    "moment": ["0001-01-01 00:00:00+00", "2024-03-31 02:30:00.000001+01", "9999-12-31 23:59:59.999999+00"],
    "ratio": ["0", "-0", "NaN", "Infinity", "-Infinity", "5e-324", "1.7976931348623157e308", "0.1", "1e20"],
    "approx": ["0.1", "-0", "NaN", "Infinity", "1e-45", "3.4028235e38"],
    "bytes": ["\\x", "\\x00", "\\xdeadbeef"],
    "numbers": ["{}", "{1,NULL,3}", "{{1,2},{3,4}}"],
    "host": ["10.0.0.1", "10.0.0.0/8"],
    "span": ["1 year -2 days 03:04:05.000006", "0"],
    'Strange " name': ["", "x"],
    "required": ["", "x"],
}
"""By column: values that PostgreSQL holds and silver must hold the same."""

INFINITE = {"day": "infinity", "local": "-infinity", "moment": "infinity"}
"""By column: values that PostgreSQL holds and no Parquet file can."""

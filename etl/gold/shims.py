"""The two functions our SQL has and no engine does, written out before a model runs.

``LOCAL_DAY(instant, zone)``
    The calendar day of a ``timestamptz`` in an IANA time zone. Engines disagree on time
    zones more than on anything else: ``AT TIME ZONE`` turns an instant into a local time
    in DuckDB, is a literal-only operator in Trino and absent in Spark. Models therefore
    never convert by hand; sqlglot writes this one expansion for each engine
    (``FROM_UTC_TIMESTAMP`` in Spark, whose session runs in UTC; ``AT_TIMEZONE`` in Trino).

``AS_OF()``
    The source time at which the data stands. Models have no clock: the same snapshots
    give the same rows whenever they are computed.
"""

from __future__ import annotations

from datetime import UTC, datetime

from sqlglot import exp

ARGUMENT_COUNTS = {"LOCAL_DAY": 2, "AS_OF": 0}
"""The shims by name."""


def expand(query: exp.Query, *, as_of: datetime) -> exp.Query:
    """Return a copy of ``query`` in plain SQL.

    Args:
        query: A linted query: every shim has the right number of arguments.
        as_of: What ``AS_OF()`` means, an aware time.
    """
    moment = as_of.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.%f+00:00")
    expanded = query.copy()
    innermost_first = reversed([*expanded.find_all(exp.Anonymous)])
    for node in innermost_first:
        match node.name.upper(), node.expressions:
            case "LOCAL_DAY", [instant, zone]:
                local = exp.AtTimeZone(this=instant, zone=zone)
                node.replace(exp.cast(local, exp.DType.DATE))
            case "AS_OF", []:
                node.replace(exp.cast(exp.Literal.string(moment), exp.DType.TIMESTAMPTZ))
    return expanded

"""Fill a session's own ``gold.<model>`` with a model's rows; nothing reaches the lake here."""

from __future__ import annotations

from datetime import datetime

import duckdb

from etl.engine.sql import identifier, qualified
from etl.engine.types import duckdb_type, iceberg_schema
from etl.gold import transforms
from etl.gold.compile import CompiledModel

_RESULT = "transformed rows\n"
"""A name that no table has."""


def compute(connection: duckdb.DuckDBPyConnection, compiled: CompiledModel, *, as_of: datetime) -> int:
    """Create the table ``gold.<model>`` in the session and return its number of rows.

    Args:
        connection: A session, or a cursor of one, that holds every table the model reads.
        compiled: The model.
        as_of: Source time at which the data stands.

    Raises:
        duckdb.Error: The engine cannot compute it.
    """
    model = compiled.model
    sql = compiled.sql("duckdb", as_of=as_of)
    if model.transform is None:
        connection.execute(f"CREATE TABLE {qualified(model.table)} AS {sql}")
    else:
        gathered = connection.execute(sql).to_arrow_table()
        connection.register(_RESULT, transforms.load(model.transform).transform(gathered))
        schema = iceberg_schema((column.name, column.type) for column in model.columns)
        columns = ", ".join(
            f"CAST({identifier(field.name)} AS {duckdb_type(field.field_type)}) AS {identifier(field.name)}"
            for field in schema.fields
        )
        connection.execute(f"CREATE TABLE {qualified(model.table)} AS SELECT {columns} FROM {identifier(_RESULT)}")
        connection.unregister(_RESULT)
    ((rows,),) = connection.execute(f"SELECT COUNT(*) FROM {qualified(model.table)}").fetchall()
    return int(rows)

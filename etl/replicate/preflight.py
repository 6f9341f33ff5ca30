"""Everything that keeps a source from being replicated, found in one go and without changing anything."""

from __future__ import annotations

from collections.abc import Sequence

import psycopg

from etl.bronze.layout import CHANGE_ONLY_FIELDS
from etl.contracts.problem import Problem
from etl.contracts.source import column_problems, source_problems
from etl.contracts.table import TableId
from etl.ports.replicator import SourceNotReadyError
from etl.replicate.slot import change_problems, check_ours, publication_problems, read_slot


def all_problems(
    connection: psycopg.Connection, tables: Sequence[TableId], *, slot: str, publication: str
) -> list[Problem]:
    """Return what is missing: server settings, grants, tables, keys, columns, replica identities, slot, publication.

    Args:
        connection: From `open_source`, as the role that replicates.
        tables: What is to be replicated.
        slot: The slot's name.
        publication: The publication's name.

    Raises:
        SourceUnavailableError: The source did not answer.
    """
    of_source = source_problems(connection, tables)
    keyed = [table for table in tables if all(problem.table != table for problem in of_source)]
    problems = [
        *of_source,
        *column_problems(connection, tables, CHANGE_ONLY_FIELDS),
        *change_problems(connection, keyed),
        *publication_problems(connection, tables, publication),
    ]
    standing = read_slot(connection, slot)
    if standing is not None:
        try:
            check_ours(standing, slot)
        except SourceNotReadyError as error:
            problems.append(Problem(text=str(error)))
    return problems

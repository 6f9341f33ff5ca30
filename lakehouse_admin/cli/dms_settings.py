"""Print what DMS has to be told, from the contracts, as variables of infra/terraform."""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Mapping
from contextlib import closing

from django.conf import settings

from etl.contracts.store import newest_contract
from etl.contracts.table import TableContract, TableId
from etl.replicate.dms_terraform import dms_variables
from lakehouse_admin.cli.contract import ContractMissingError
from lakehouse_admin.cli.generated_file import add_file_arguments, put
from lakehouse_admin.cli.verb import Output
from lakehouse_admin.wiring import bronze, source_url


def add_arguments(parser: ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--recorded", action="store_true", help="from the contracts in bronze, not from the source")
    add_file_arguments(parser)


def handle(options: Mapping[str, object], output: Output) -> int:
    """Print, write or compare them; exit 1 if a compared file is out of date.

    Raises:
        ContractMissingError: With ``--recorded``: bronze holds no contract of a table.
        FileNotWrittenError: The file cannot be read or written.
        SettingMissingError: LAKEHOUSE_SOURCE_URL is not set.
        SourceNotReadyError: A table is not at the source.
        SourceUnavailableError: The source did not answer.
        StoreUnavailableError: Bronze did not answer.
    """
    tables = [TableId.parse(name) for name in settings.LAKEHOUSE.source_tables]
    contracts = _recorded(tables) if options["recorded"] else _of_the_source(tables)
    return put(dms_variables(contracts), options, output)


def _of_the_source(tables: list[TableId]) -> list[TableContract]:
    from etl.contracts.source import open_source, read_contracts  # noqa: PLC0415 - the other verbs start quicker

    with closing(open_source(source_url())) as connection:
        return list(read_contracts(connection, tables))


def _recorded(tables: list[TableId]) -> list[TableContract]:
    store = bronze()
    found = {table: newest_contract(store, table) for table in tables}
    missing = [str(table) for table, contract in found.items() if contract is None]
    if missing:
        raise ContractMissingError(f"Bronze holds no contract of {', '.join(missing)}.")
    return [contract for contract in found.values() if contract is not None]

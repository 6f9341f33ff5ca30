r"""The script of the Glue job that looks for drift: what the crawler saw in the landing zone, against the contracts.

    python -m lakehouse_admin.adapters.aws.drift_main --lakeside_lake_uri s3://B/lake --lakeside_database D \
        --lakeside_tables T,U

A workflow runs it after every crawl. It reads only. A difference makes the run fail, which
tells the people whom alarms reach; its sentences are in the run's log.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

import boto3

from etl.contracts.store import newest_contract
from etl.contracts.table import TableId
from etl.errors import LakehouseError
from lakehouse_admin.adapters.aws.clients import AwsClients
from lakehouse_admin.adapters.aws.crawler import crawled_columns, shape_differences
from lakehouse_admin.adapters.aws.object_store import S3Store
from lakehouse_admin.adapters.aws.uri import split_uri

EQUAL, DIFFERENT, UNKNOWN = 0, 1, 2


def main(argv: Sequence[str]) -> int:
    """Compare; return `EQUAL`, `DIFFERENT`, or `UNKNOWN` if AWS did not answer."""
    parser = argparse.ArgumentParser(allow_abbrev=False)
    parser.add_argument("--lakeside_lake_uri", required=True)
    parser.add_argument("--lakeside_database", required=True)
    parser.add_argument("--lakeside_tables", required=True)
    parser.add_argument("--lakeside_account")
    parser.add_argument("--lakeside_region")
    parser.add_argument("--lakeside_endpoint", help="a URL that answers for every service, such as an emulator's")
    asked, _ = parser.parse_known_args(argv)  # Glue adds arguments of its own.
    clients = AwsClients(
        region=asked.lakeside_region or boto3.Session().region_name or "", endpoint=asked.lakeside_endpoint
    )
    bucket, prefix = split_uri(f"{asked.lakeside_lake_uri}/bronze")
    store = S3Store(clients.s3, bucket=bucket, prefix=prefix, account=asked.lakeside_account)
    try:
        recorded = [newest_contract(store, TableId.parse(name)) for name in asked.lakeside_tables.split(",")]
        contracts = [contract for contract in recorded if contract is not None]
        crawled = crawled_columns(clients.glue, asked.lakeside_database)
    except LakehouseError as error:
        sys.stderr.write(f"{error} {error.guidance}\n")
        return UNKNOWN
    found = shape_differences(crawled, contracts)
    for each in found:
        sys.stderr.write(f"{each.table} {each.problem}.\n")
    if not found:
        sys.stdout.write(f"{len(contracts)} contracts, {len(crawled)} tables crawled: no difference.\n")
    return DIFFERENT if found else EQUAL


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

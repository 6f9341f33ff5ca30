"""Whether DMS reaches the source and the target: tests that it runs itself, from its own network."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from lakehouse_admin.adapters.aws.dms import DmsUnavailableError
from lakehouse_admin.adapters.aws.errors import aws_errors, code_of

if TYPE_CHECKING:
    from mypy_boto3_dms import DatabaseMigrationServiceClient


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionTest:
    """The latest test of one endpoint."""

    endpoint: str
    status: str
    """``testing``, ``successful``, ``failed``, ``deleting``; ``untested`` if there was none."""
    failure: str = ""


def begin_connection_tests(client: DatabaseMigrationServiceClient, *, instance: str, endpoints: Sequence[str]) -> None:
    """Ask DMS to test the endpoints; returns at once. A test under way is left alone.

    Raises:
        DmsUnavailableError: DMS did not answer.
        OperatorError: Whatever `aws_errors` raises for a person to mend.
    """
    for endpoint in endpoints:
        with aws_errors("DMS cannot test a connection", unavailable=DmsUnavailableError):
            try:
                client.test_connection(ReplicationInstanceArn=instance, EndpointArn=endpoint)
            except ClientError as error:
                if code_of(error) != "InvalidResourceStateFault":
                    raise


def connection_tests(client: DatabaseMigrationServiceClient, *, endpoints: Sequence[str]) -> tuple[ConnectionTest, ...]:
    """Return the latest test of each endpoint, in the order asked.

    Raises:
        DmsUnavailableError: DMS did not answer.
        OperatorError: Whatever `aws_errors` raises for a person to mend.
    """
    with aws_errors("DMS does not tell of its connections", unavailable=DmsUnavailableError):
        try:
            found = client.describe_connections(Filters=[{"Name": "endpoint-arn", "Values": list(endpoints)}])[
                "Connections"
            ]
        except ClientError as error:
            if code_of(error) != "ResourceNotFoundFault":  # DMS's way to say that none was ever tested.
                raise
            found = []
    by_endpoint = {each["EndpointArn"]: each for each in found}
    return tuple(
        ConnectionTest(
            endpoint=endpoint,
            status=by_endpoint[endpoint]["Status"] if endpoint in by_endpoint else "untested",
            failure=by_endpoint[endpoint].get("LastFailureMessage", "") if endpoint in by_endpoint else "",
        )
        for endpoint in endpoints
    )

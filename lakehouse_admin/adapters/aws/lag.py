"""How far DMS is behind the source, by CloudWatch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from lakehouse_admin.adapters.aws.dms import DmsUnavailableError
from lakehouse_admin.adapters.aws.errors import aws_errors

if TYPE_CHECKING:
    from mypy_boto3_cloudwatch import CloudWatchClient
    from mypy_boto3_cloudwatch.type_defs import DimensionTypeDef, MetricDataQueryTypeDef

_NAMESPACE = "AWS/DMS"
_METRICS = {"source": "CDCLatencySource", "target": "CDCLatencyTarget"}
_LOOK_BACK = timedelta(minutes=15)
"""DMS reports once a minute, sometimes late."""
_PERIOD_SECONDS = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Lag:
    """Seconds from the source's commit to the row's file."""

    source_seconds: float
    """From the commit to DMS having read it. An open transaction alone makes it grow: no alarm by itself."""
    target_seconds: float
    """From the commit to DMS having written it."""
    at: datetime


def replication_lag(client: CloudWatchClient, *, instance: str, task_resource: str, now: datetime) -> Lag | None:
    """Return the latest lag; None if DMS has reported none in the last quarter of an hour.

    Args:
        client: boto3's CloudWatch client.
        instance: The replication instance's identifier.
        task_resource: The last part of the task's ARN.
        now: The time.

    Raises:
        DmsUnavailableError: CloudWatch did not answer.
        OperatorError: Whatever `aws_errors` raises for a person to mend.
    """
    dimensions: list[DimensionTypeDef] = [
        {"Name": "ReplicationInstanceIdentifier", "Value": instance},
        {"Name": "ReplicationTaskIdentifier", "Value": task_resource},
    ]
    queries: list[MetricDataQueryTypeDef] = [
        {
            "Id": name,
            "MetricStat": {
                "Metric": {"Namespace": _NAMESPACE, "MetricName": metric, "Dimensions": dimensions},
                "Period": _PERIOD_SECONDS,
                "Stat": "Average",
            },
        }
        for name, metric in _METRICS.items()
    ]
    with aws_errors("CloudWatch does not tell the lag", unavailable=DmsUnavailableError):
        answer = client.get_metric_data(
            MetricDataQueries=queries, StartTime=now - _LOOK_BACK, EndTime=now, ScanBy="TimestampDescending"
        )
    latest: Mapping[str, tuple[datetime, float]] = {
        each["Id"]: (each["Timestamps"][0], each["Values"][0]) for each in answer["MetricDataResults"] if each["Values"]
    }
    if latest.keys() != _METRICS.keys():
        return None
    return Lag(
        source_seconds=latest["source"][1],
        target_seconds=latest["target"][1],
        at=min(at for at, _ in latest.values()),
    )

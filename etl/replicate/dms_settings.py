"""What a DMS task has to be told so that its files are bronze: one definition for endpoint, mappings and task.

Pure functions from contracts to the documents of DMS's API, in its own words. Terraform and
`manage.py lakehouse verify-aws` use the same ones. No secret stands in any of them: the
source endpoint names a secret of Secrets Manager, which DMS fetches under its own role.

Source: AWS DMS user guide, "Using Amazon S3 as a target", "Table mapping", "Task settings";
botocore's model of ``S3Settings`` and ``PostgreSQLSettings``, by which tests check the names.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from etl.bronze.layout import CHANGE_SEQ_FIELD, COMMITTED_AT_FIELD
from etl.contracts.table import TableContract

NULL_MARKER = "\\N"
"""What stands for NULL, unquoted. DMS's own default, the text NULL, is a name that people have."""

ROW_DELIMITER = "\\n"
"""DMS's word for a line feed: a backslash and an n, as its API takes and tells it."""

CHANGE_SEQ_DIGITS = 35
MAX_BATCH_SECONDS = 60
"""A file of changes is closed at this age, at the latest."""
MAX_FILE_KILOBYTES = 256 * 1024
"""Of a full load's file."""
LOB_LIMIT_KILOBYTES = 1024
"""Longest text, JSON or array, at two bytes a character. A longer one fails the task instead of being cut."""

Document = Mapping[str, object]


def s3_target_settings(
    *, bucket: str, folder: str, role_arn: str, account: str, kms_key: str | None = None
) -> Document:
    """Return the target endpoint's ``S3Settings``.

    Args:
        bucket: Where DMS lands.
        folder: The prefix in it, without slashes around.
        role_arn: The role under which DMS writes.
        account: The account that must own the bucket.
        kms_key: Key that encrypts every file; the bucket's default if None.
    """
    encryption = {"EncryptionMode": "sse-kms", "ServerSideEncryptionKmsKeyId": kms_key} if kms_key else {}
    return {
        "ServiceAccessRoleArn": role_arn,
        "BucketName": bucket,
        "BucketFolder": folder,
        "ExpectedBucketOwner": account,
        "DataFormat": "csv",
        "CompressionType": "gzip",
        "CsvDelimiter": ",",
        "CsvRowDelimiter": ROW_DELIMITER,
        "CsvNullValue": NULL_MARKER,
        "Rfc4180": True,
        "AddColumnName": True,
        "IncludeOpForFullLoad": True,
        "CdcInsertsOnly": False,
        "TimestampColumnName": COMMITTED_AT_FIELD,
        # The load's rows then have one time, before that of any change: it tells loads apart.
        "UseTaskStartTimeForFullLoadTimestamp": True,
        "DatePartitionEnabled": True,
        "DatePartitionSequence": "YYYYMMDD",
        "DatePartitionDelimiter": "SLASH",
        "PreserveTransactions": False,
        "MaxFileSize": MAX_FILE_KILOBYTES,
        "CdcMaxBatchInterval": MAX_BATCH_SECONDS,
        **encryption,
    }


def postgres_source_settings(*, database: str, secret: str, role_arn: str) -> Document:
    """Return the source endpoint's ``PostgreSQLSettings``; TLS is the endpoint's own ``SslMode``.

    Args:
        database: The source's database.
        secret: Secrets Manager's name for user, password, host and port.
        role_arn: The role under which DMS reads the secret.
    """
    return {
        "DatabaseName": database,
        "SecretsManagerSecretId": secret,
        "SecretsManagerAccessRoleArn": role_arn,
        "FailTasksOnLobTruncation": True,
        # Moves the slot on while the source is idle, so that it keeps no log.
        "HeartbeatEnable": True,
        "HeartbeatFrequency": 5,
        "MapBooleanAsBoolean": True,
        "CaptureDdls": True,
        # The one plugin that knows REPLICA IDENTITY FULL.
        "PluginName": "test-decoding",
    }


def table_mappings(contracts: Sequence[TableContract]) -> Document:
    """Return the task's mappings: the tables, nothing else, each with the change sequence as its last column.

    Raises:
        ValueError: No table is given.
    """
    if not contracts:
        raise ValueError("a task needs at least one table")
    rules: list[Document] = []
    for contract in sorted(contracts, key=lambda each: each.table):
        locator = {"schema-name": _exactly(contract.table.schema), "table-name": _exactly(contract.table.name)}
        rules.append(
            {
                "rule-type": "selection",
                "rule-id": str(len(rules) + 1),
                "rule-name": f"select-{len(rules) + 1}",
                "object-locator": locator,
                "rule-action": "explicit",
                "filters": [],
            }
        )
        rules.append(
            {
                "rule-type": "transformation",
                "rule-id": str(len(rules) + 1),
                "rule-name": f"change-seq-{len(rules) + 1}",
                "rule-target": "column",
                "object-locator": locator,
                "rule-action": "add-column",
                "value": CHANGE_SEQ_FIELD,
                "expression": "$AR_H_CHANGE_SEQ",
                "data-type": {"type": "string", "length": CHANGE_SEQ_DIGITS},
            }
        )
    return {"rules": rules}


def task_settings(*, load_subtasks: int = 8) -> Document:
    """Return the task's settings: bounded values that fail rather than being cut, errors that stop.

    Args:
        load_subtasks: How many tables are loaded at the same time.
    """
    return {
        "TargetMetadata": {
            "SupportLobs": True,
            "FullLobMode": False,  # S3 targets have limited LOBs only.
            "LimitedSizeLobMode": True,
            "LobMaxSize": LOB_LIMIT_KILOBYTES,
            "BatchApplyEnabled": False,  # With S3 it can lose changes.
        },
        "FullLoadSettings": {
            "TargetTablePrepMode": "DROP_AND_CREATE",
            "MaxFullLoadSubTasks": load_subtasks,
            "TransactionConsistencyTimeout": 600,
        },
        "ErrorBehavior": {
            "DataErrorPolicy": "STOP_TASK",
            "DataTruncationErrorPolicy": "STOP_TASK",
            "TableErrorPolicy": "SUSPEND_TABLE",
            "RecoverableErrorCount": -1,
            "FullLoadIgnoreConflicts": False,
            "FailOnNoTablesCaptured": True,
            "FailOnTransactionConsistencyBreached": True,
        },
        "ChangeProcessingDdlHandlingPolicy": {
            "HandleSourceTableDropped": False,
            "HandleSourceTableTruncated": False,  # It would delete what is landed and not yet taken in.
            "HandleSourceTableAltered": True,
        },
        "ValidationSettings": {"EnableValidation": False},  # For CSV there is none; reconciliation is ours.
        "Logging": {"EnableLogging": True},
    }


def _exactly(name: str) -> str:
    """Return a mapping's pattern that matches one name: ``%`` and ``_`` are wildcards, brackets take them literally."""
    return name.replace("[", "[[]").replace("%", "[%]").replace("_", "[_]")

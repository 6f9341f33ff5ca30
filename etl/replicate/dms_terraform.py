"""What `infra/terraform` is told of DMS: the settings of `etl.replicate.dms_settings`, in the provider's words.

One document of variables. What belongs to an installation (buckets, roles, keys, secrets) is not
in it: Terraform makes those itself.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence

from etl.contracts.table import TableContract
from etl.replicate.dms_settings import (
    Document,
    postgres_source_settings,
    s3_target_settings,
    table_mappings,
    task_settings,
)

_OF_THE_INSTALLATION = frozenset(
    {
        "ServiceAccessRoleArn",
        "BucketName",
        "BucketFolder",
        "ExpectedBucketOwner",
        "EncryptionMode",
        "ServerSideEncryptionKmsKeyId",
        "DatabaseName",
        "SecretsManagerSecretId",
        "SecretsManagerAccessRoleArn",
    }
)
_WORD = re.compile(r"[A-Z][a-z]*|[0-9]+")


def dms_variables(contracts: Sequence[TableContract]) -> Document:
    """Return Terraform's variable ``dms`` for the tables of the contracts.

    Raises:
        ValueError: No table is given.
    """
    target = s3_target_settings(bucket="", folder="", role_arn="", account="")
    source = postgres_source_settings(database="", secret="", role_arn="")
    return {
        "dms": {
            "tables": sorted(str(contract.table) for contract in contracts),
            "table_mappings": _compact(table_mappings(contracts)),
            "task_settings": _compact(task_settings()),
            "s3_settings": _arguments(target),
            "postgres_settings": _arguments(source),
        }
    }


def argument_name(setting: str) -> str:
    """Return the provider's name of a setting: ``Rfc4180`` is ``rfc_4180``."""
    return "_".join(_WORD.findall(setting)).lower()


def _arguments(settings: Document) -> Mapping[str, str]:
    """Return settings by the provider's names, as texts: a map of Terraform holds values of one type."""
    return {
        argument_name(name): json.dumps(value) if isinstance(value, bool) else str(value)
        for name, value in sorted(settings.items())
        if name not in _OF_THE_INSTALLATION
    }


def _compact(document: Document) -> str:
    return json.dumps(document, separators=(",", ":"), sort_keys=True)

"""What only a real account can tell: the settings and our assumptions, held against what exists on AWS.

Reads only, unless told that it may write; then one small object is put, refused a second
time, and removed, and one query of no bytes is run. Every check stands in
docs/aws-checklist.md under its name.
"""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from etl.contracts.store import newest_contract
from etl.contracts.table import TableContract, TableId
from etl.errors import LakehouseError, TransientError
from etl.ports.object_store import ObjectExistsError, ObjectStore
from etl.replicate.dms_settings import s3_target_settings, table_mappings
from lakehouse_admin.adapters.aws.clients import AwsClients
from lakehouse_admin.adapters.aws.connections import connection_tests
from lakehouse_admin.adapters.aws.crawler import crawled_columns, shape_differences
from lakehouse_admin.adapters.aws.dms import TaskMissingError, dms_task
from lakehouse_admin.adapters.aws.errors import aws_errors, code_of
from lakehouse_admin.adapters.aws.lag import replication_lag
from lakehouse_admin.adapters.aws.uri import split_uri

if TYPE_CHECKING:
    from lakehouse_admin.adapters.aws.backend import Settings

_ENGINE = "Athena engine version 3"
_QUERY_PATIENCE_SECONDS = 60.0
_ENDED = frozenset({"SUCCEEDED", "FAILED", "CANCELLED"})


class VerifyUnavailableError(TransientError):
    """AWS did not answer a check."""


class Verdict(StrEnum):
    """What a check found."""

    OK = "ok"
    WRONG = "wrong"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One check's answer."""

    check: str
    verdict: Verdict
    says: str


class Unfit(Exception):  # noqa: N818 - it is an answer, not a failure
    """A check's answer is no; the text says what to change."""


class Skip(Exception):  # noqa: N818 - as above
    """A check does not apply; the text says why."""


class Verification:
    """The checks, over one account."""

    def __init__(
        self,
        clients: AwsClients,
        settings: Settings,
        *,
        bronze: ObjectStore,
        tables: Sequence[TableId],
        may_write: bool,
    ) -> None:
        """Remember what to look at; nothing is asked yet.

        Args:
            clients: boto3's clients.
            settings: What the installation believes.
            bronze: Where contracts are kept.
            tables: The tables selected for replication.
            may_write: Whether an object may be put and removed, and a query run.
        """
        self._clients = clients
        self._settings = settings
        self._bronze = bronze
        self._tables = tuple(tables)
        self._may_write = may_write
        self._bucket, _ = split_uri(settings.lake_uri)

    def findings(self) -> Iterator[Finding]:
        """Run every check, one after the other; a check that cannot be made is wrong, with the reason."""
        checks: Mapping[str, Callable[[], str]] = {
            "identity": self._identity,
            "bucket": self._check_bucket,
            "bucket-encryption": self._bucket_encryption,
            "bucket-public-access": self._bucket_public_access,
            "bucket-versioning": self._bucket_versioning,
            "conditional-write": self._conditional_write,
            "dms-task": self._dms_task,
            "dms-target": self._dms_target,
            "dms-mappings": self._dms_mappings,
            "dms-connections": self._dms_connections,
            "dms-lag": self._dms_lag,
            "source-secret": self._source_secret,
            "glue-job": self._glue_job,
            "glue-databases": self._glue_databases,
            "glue-crawler": self._glue_crawler,
            "athena-workgroup": self._athena_workgroup,
            "athena-query": self._athena_query,
        }
        for name, check in checks.items():
            yield self._finding(name, check)

    def _finding(self, name: str, check: Callable[[], str]) -> Finding:
        try:
            with aws_errors(name, unavailable=VerifyUnavailableError):
                return Finding(check=name, verdict=Verdict.OK, says=check())
        except Skip as reason:
            return Finding(check=name, verdict=Verdict.SKIPPED, says=str(reason))
        except Unfit as reason:
            return Finding(check=name, verdict=Verdict.WRONG, says=str(reason))
        except LakehouseError as error:
            return Finding(check=name, verdict=Verdict.WRONG, says=f"{error} {error.guidance}")

    # --- who, and where

    def _identity(self) -> str:
        who = self._clients.sts.get_caller_identity()
        if who["Account"] != self._settings.account:
            raise Unfit(f"The credentials are of account {who['Account']}, the settings of {self._settings.account}.")
        return f"{who['Arn']} in {self._settings.region}"

    def _check_bucket(self) -> str:
        answer = self._clients.s3.head_bucket(Bucket=self._bucket, ExpectedBucketOwner=self._settings.account)
        region = answer.get("BucketRegion", self._settings.region)
        if region != self._settings.region:
            raise Unfit(f"The bucket {self._bucket} is in {region}, not in {self._settings.region}.")
        return f"{self._bucket} is ours, in {region}"

    def _bucket_encryption(self) -> str:
        rules = self._clients.s3.get_bucket_encryption(Bucket=self._bucket, ExpectedBucketOwner=self._settings.account)[
            "ServerSideEncryptionConfiguration"
        ]["Rules"]
        default = rules[0].get("ApplyServerSideEncryptionByDefault", {})
        if self._settings.kms_key and default.get("SSEAlgorithm") != "aws:kms":
            raise Unfit("The bucket's default is not the KMS key: DMS, Glue and Athena would write without it.")
        return str(default.get("SSEAlgorithm", "none"))

    def _bucket_public_access(self) -> str:
        block = self._clients.s3.get_public_access_block(
            Bucket=self._bucket, ExpectedBucketOwner=self._settings.account
        )["PublicAccessBlockConfiguration"]
        missing = [name for name, is_set in block.items() if not is_set]
        if missing:
            raise Unfit(f"The bucket does not block public access whole: set {', '.join(missing)}.")
        return "blocked"

    def _bucket_versioning(self) -> str:
        status = self._clients.s3.get_bucket_versioning(
            Bucket=self._bucket, ExpectedBucketOwner=self._settings.account
        ).get("Status", "Off")
        if status != "Enabled":
            raise Unfit("The bucket keeps no versions: what is deleted by mistake is gone. Enable versioning.")
        return "enabled"

    def _conditional_write(self) -> str:
        if not self._may_write:
            raise Skip("writes one object: add --write")
        key = f"_verify/{uuid.uuid4().hex}"
        self._bronze.put(key, b"first")
        try:
            with suppress(ObjectExistsError):
                self._bronze.put(key, b"second")
                raise Unfit("S3 let an object be overwritten: conditional writes do not work here.")
        finally:
            self._bronze.delete(key)
        return "a second write is refused"

    # --- DMS

    def _dms_task(self) -> str:
        view = dms_task(self._clients.dms, self._settings.dms_task).view()
        if view.failure:
            raise Unfit(f"{view.name} is {view.status}: {view.failure}")
        return f"{view.name} is {view.status}"

    def _dms_target(self) -> str:
        endpoint = self._endpoint("TargetEndpointArn")
        found = endpoint.get("S3Settings", {})
        bucket, folder = split_uri(self._settings.landing_uri)
        wanted = s3_target_settings(
            bucket=bucket,
            folder=folder,
            role_arn=found.get("ServiceAccessRoleArn", ""),
            account=self._settings.account,
            kms_key=found.get("ServerSideEncryptionKmsKeyId"),
        )
        wrong = [
            f"{name} is {found.get(name)!r}, not {value!r}"
            for name, value in wanted.items()
            if not _same(found.get(name), value)
        ]
        if wrong:
            raise Unfit(f"The target endpoint writes files that are not bronze: {'; '.join(wrong)}.")
        return f"lands in s3://{bucket}/{folder}"

    def _dms_mappings(self) -> str:
        contracts = self._contracts()
        if not contracts:
            raise Skip("no contract is recorded yet: run the pipeline once")
        task = self._task()
        found = json.loads(task.get("TableMappings") or "{}")
        if _rules(found) != _rules(json.loads(json.dumps(table_mappings(contracts)))):
            raise Unfit("The task's table mappings are not those of the contracts: apply infra/terraform again.")
        return f"{len(contracts)} tables with their change sequence"

    def _dms_connections(self) -> str:
        task = self._task()
        tests = connection_tests(self._clients.dms, endpoints=[task["SourceEndpointArn"], task["TargetEndpointArn"]])
        bad = [
            f"{each.endpoint.rpartition(':')[2]} {each.status} {each.failure}".strip()
            for each in tests
            if each.status != "successful"
        ]
        if bad:
            raise Unfit(f"DMS has not reached {'; '.join(bad)}: run the connection tests in the DMS console.")
        return "source and target were reached"

    def _dms_lag(self) -> str:
        if ":replication-config:" in self._settings.dms_task:
            raise Skip("a serverless replication reports under dimensions of its own")
        instance = self._task()["ReplicationInstanceArn"]
        name = self._clients.dms.describe_replication_instances(
            Filters=[{"Name": "replication-instance-arn", "Values": [instance]}]
        )["ReplicationInstances"][0]["ReplicationInstanceIdentifier"]
        lag = replication_lag(
            self._clients.cloudwatch,
            instance=name,
            task_resource=self._settings.dms_task.rpartition(":")[2],
            now=datetime.now(UTC),
        )
        if lag is None:
            raise Skip("DMS has reported no lag lately: no task follows changes")
        return f"{lag.source_seconds:.0f} s at the source, {lag.target_seconds:.0f} s at the target"

    def _source_secret(self) -> str:
        self._clients.secrets.describe_secret(SecretId=self._settings.source_secret)
        return f"{self._settings.source_secret} exists; its text was not read"

    # --- Glue and Athena

    def _glue_job(self) -> str:
        job = self._clients.glue.get_job(JobName=self._settings.glue_job)["Job"]
        if job.get("DefaultArguments", {}).get("--datalake-formats") != "iceberg":
            raise Unfit(f"The Glue job {self._settings.glue_job} lacks --datalake-formats iceberg.")
        return f"{self._settings.glue_job}, Glue {job.get('GlueVersion', '?')}, {job.get('WorkerType', '?')}"

    def _glue_databases(self) -> str:
        missing = []
        for schema in ("silver", "gold", "quarantine"):
            name = f"{self._settings.database_prefix}{schema}"
            try:
                self._clients.glue.get_database(Name=name)
            except ClientError as error:
                if code_of(error) != "EntityNotFoundException":
                    raise
                missing.append(name)
        if missing:
            raise Unfit(f"There is no Glue database {', '.join(missing)}.")
        return f"{self._settings.database_prefix}* exist"

    def _glue_crawler(self) -> str:
        if self._settings.glue_crawler is None:
            raise Skip("LAKEHOUSE_GLUE_CRAWLER is not set")
        crawler = self._clients.glue.get_crawler(Name=self._settings.glue_crawler)["Crawler"]
        crawled = crawled_columns(self._clients.glue, crawler["DatabaseName"])
        found = shape_differences(crawled, self._contracts())
        if found:
            raise Unfit(" ".join(f"{each.table} {each.problem}." for each in found))
        return f"{len(crawled)} tables are as their contracts say"

    def _athena_workgroup(self) -> str:
        name = self._settings.athena_workgroup
        group = self._clients.athena.get_work_group(WorkGroup=name)["WorkGroup"]
        configuration = group.get("Configuration", {})
        engine = configuration.get("EngineVersion", {}).get("EffectiveEngineVersion", _ENGINE)
        wrong = []
        if group.get("State") != "ENABLED":
            wrong.append("it is disabled")
        if not configuration.get("EnforceWorkGroupConfiguration"):
            wrong.append("clients may override its configuration")
        if not configuration.get("BytesScannedCutoffPerQuery"):
            wrong.append("a query may scan any number of bytes")
        if engine != _ENGINE:
            wrong.append(f"it runs {engine}")
        if wrong:
            raise Unfit(f"Workgroup {name}: {'; '.join(wrong)}.")
        return f"{name}, at most {configuration['BytesScannedCutoffPerQuery']:,} bytes a query"

    def _athena_query(self) -> str:
        if not self._may_write:
            raise Skip("runs one query of no bytes: add --write")
        started = self._clients.athena.start_query_execution(
            QueryString="SELECT ? AS answer", ExecutionParameters=["1"], WorkGroup=self._settings.athena_workgroup
        )
        deadline = time.monotonic() + _QUERY_PATIENCE_SECONDS
        while True:
            execution = self._clients.athena.get_query_execution(QueryExecutionId=started["QueryExecutionId"])
            status = execution["QueryExecution"]["Status"]
            if status["State"] in _ENDED or time.monotonic() > deadline:
                break
            time.sleep(0.5)
        if status["State"] != "SUCCEEDED":
            raise Unfit(f"A query ended as {status['State']}: {status.get('StateChangeReason', 'no reason given')}")
        rows = self._clients.athena.get_query_results(QueryExecutionId=started["QueryExecutionId"])["ResultSet"]["Rows"]
        texts = [row["Data"][0].get("VarCharValue") for row in rows]
        if texts != ["answer", "1"]:
            raise Unfit(f"A query for 1 named answer came back as {texts}.")
        return "a bound parameter came back under its header"

    # --- shared

    def _contracts(self) -> list[TableContract]:
        found = (newest_contract(self._bronze, table) for table in self._tables)
        return [contract for contract in found if contract is not None]

    def _task(self) -> Mapping[str, Any]:
        arn = self._settings.dms_task
        found: Sequence[Mapping[str, Any]]
        if ":replication-config:" in arn:
            found = self._clients.dms.describe_replication_configs(
                Filters=[{"Name": "replication-config-arn", "Values": [arn]}]
            )["ReplicationConfigs"]
        else:
            found = self._clients.dms.describe_replication_tasks(
                Filters=[{"Name": "replication-task-arn", "Values": [arn]}]
            )["ReplicationTasks"]
        if not found:
            raise TaskMissingError(task=arn)
        return found[0]

    def _endpoint(self, which: str) -> Mapping[str, Any]:
        arn = self._task()[which]
        return self._clients.dms.describe_endpoints(Filters=[{"Name": "endpoint-arn", "Values": [arn]}])["Endpoints"][0]


def _same(found: object, wanted: object) -> bool:
    """Compare a setting as DMS tells it: it writes enumerations in its own case, and leaves defaults of False out."""
    if isinstance(wanted, str) and isinstance(found, str):
        return found.lower().replace("_", "-") == wanted.lower().replace("_", "-")
    return found == wanted or (found is None and wanted is False)


def _rules(mappings: Mapping[str, Any]) -> list[str]:
    """Return what a task's rules do, whatever their ids and names."""
    own = ("rule-id", "rule-name")
    return sorted(
        json.dumps({name: value for name, value in rule.items() if name not in own and value != []}, sort_keys=True)
        for rule in mappings.get("rules", [])
    )

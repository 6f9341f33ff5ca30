"""A small account on moto's server, as infra/terraform would leave a real one."""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass
from typing import Any

import boto3

from config.aws import AwsSettings, aws_settings
from config.env import AwsEnv, Backend, LakehouseEnv
from etl.contracts.table import TableContract
from etl.replicate.dms_settings import postgres_source_settings, s3_target_settings, table_mappings, task_settings
from lakehouse_admin.adapters.aws.clients import AwsClients
from tests.aws.service import ACCOUNT, REGION


@dataclass(frozen=True, kw_only=True)
class Account:
    """The clients, and the settings that fit what is there."""

    clients: AwsClients
    settings: AwsSettings
    bucket: str


def make_account(endpoint: str, contracts: list[TableContract], *, source_url: str = "postgresql://x/y") -> Account:
    """Make bucket, secret, DMS task, Glue job and databases, and workgroup, under names of their own."""
    name = uuid.uuid4().hex[:12]
    session = boto3.Session(aws_access_key_id="tests", aws_secret_access_key="tests", region_name=REGION)
    clients = AwsClients(region=REGION, endpoint=endpoint, session=session)
    bucket = f"lakeside-{name}"
    _make_bucket(clients, bucket)
    clients.secrets.create_secret(Name=f"source-{name}", SecretString=source_url)
    task = _make_task(clients, name, bucket, contracts)
    settings = aws_settings(
        LakehouseEnv(backend=Backend.AWS, lake_uri=f"s3://{bucket}/lake"),
        AwsEnv(
            region=REGION,
            endpoint=endpoint,
            dms_task=task,
            dms_landing_uri=f"s3://{bucket}/landing",
            source_secret=f"source-{name}",
            glue_job=f"transform-{name}",
            athena_workgroup=f"group-{name}",
        ),
    )
    assert settings is not None
    clients.glue.create_job(
        Name=settings.glue_job,
        Role="arn:aws:iam::123456789012:role/glue",
        Command={"Name": "glueetl", "ScriptLocation": f"s3://{bucket}/scripts/glue_main.py"},
        DefaultArguments={"--datalake-formats": "iceberg"},
        GlueVersion="5.1",
        WorkerType="G.1X",
        NumberOfWorkers=2,
    )
    for schema in ("silver", "gold", "quarantine"):
        _make_database(clients, f"{settings.database_prefix}{schema}")
    clients.athena.create_work_group(
        Name=settings.athena_workgroup,
        Configuration={
            "EnforceWorkGroupConfiguration": True,
            "BytesScannedCutoffPerQuery": 10_737_418_240,
            "ResultConfiguration": {"OutputLocation": f"s3://{bucket}/athena/"},
            "EngineVersion": {
                "SelectedEngineVersion": "Athena engine version 3",
                "EffectiveEngineVersion": "Athena engine version 3",
            },
        },
    )
    return Account(clients=clients, settings=settings, bucket=bucket)


def _make_bucket(clients: AwsClients, bucket: str) -> None:
    clients.s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": REGION})
    clients.s3.put_public_access_block(
        Bucket=bucket,
        PublicAccessBlockConfiguration={
            "BlockPublicAcls": True,
            "IgnorePublicAcls": True,
            "BlockPublicPolicy": True,
            "RestrictPublicBuckets": True,
        },
    )
    clients.s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    clients.s3.put_bucket_encryption(
        Bucket=bucket,
        ServerSideEncryptionConfiguration={
            "Rules": [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms"}}]
        },
    )


def _make_task(clients: AwsClients, name: str, bucket: str, contracts: list[TableContract]) -> str:
    dms: Any = clients.dms
    instance = dms.create_replication_instance(
        ReplicationInstanceIdentifier=f"instance-{name}", ReplicationInstanceClass="dms.t3.medium"
    )["ReplicationInstance"]["ReplicationInstanceArn"]
    source = dms.create_endpoint(
        EndpointIdentifier=f"source-{name}",
        EndpointType="source",
        EngineName="postgres",
        PostgreSQLSettings=dict(
            postgres_source_settings(database="shop", secret=f"source-{name}", role_arn="arn:aws:iam::1:role/dms")
        ),
    )["Endpoint"]["EndpointArn"]
    target = dms.create_endpoint(
        EndpointIdentifier=f"target-{name}",
        EndpointType="target",
        EngineName="s3",
        S3Settings=dict(
            s3_target_settings(bucket=bucket, folder="landing", role_arn="arn:aws:iam::1:role/dms", account=ACCOUNT)
        ),
    )["Endpoint"]["EndpointArn"]
    for endpoint in (source, target):
        dms.test_connection(ReplicationInstanceArn=instance, EndpointArn=endpoint)
    arn: str = dms.create_replication_task(
        ReplicationTaskIdentifier=f"task-{name}",
        SourceEndpointArn=source,
        TargetEndpointArn=target,
        ReplicationInstanceArn=instance,
        MigrationType="full-load",
        TableMappings=json.dumps(table_mappings(contracts)),
        ReplicationTaskSettings=json.dumps(task_settings()),
    )["ReplicationTask"]["ReplicationTaskArn"]
    return arn


def _make_database(clients: AwsClients, name: str) -> None:
    known = [database["Name"] for database in clients.glue.get_databases()["DatabaseList"]]
    if name not in known:
        clients.glue.create_database(DatabaseInput={"Name": name})

"""The aws backend's settings, complete and checked: names by environment, limits, and what must go together."""

from __future__ import annotations

from dataclasses import dataclass

from config.env import AwsEnv, AwsEnvironment, Backend, Environment, LakehouseEnv, SettingsError

_QUERY_TIMEOUT_SECONDS = {AwsEnvironment.DEV: 60.0, AwsEnvironment.STAGING: 30.0, AwsEnvironment.PROD: 20.0}
"""A person waits for the answer; where people develop, Athena's first query of the day may take its time."""
_ATHENA_CATALOG = "AwsDataCatalog"


@dataclass(frozen=True, slots=True, kw_only=True)
class AwsSettings:
    """Everything that `lakehouse_admin.wiring` needs to wire the aws backend: `settings.AWS`."""

    environment: AwsEnvironment
    region: str
    account: str
    endpoint: str | None
    s3_endpoint: str | None
    kms_key: str | None
    lake_uri: str
    dms_task: str
    landing_uri: str
    source_secret: str
    glue_job: str
    glue_crawler: str | None
    athena_workgroup: str
    athena_catalog: str
    database_prefix: str
    """Before the name of a schema: ``lakeside_dev_`` makes ``gold`` the Glue database ``lakeside_dev_gold``."""
    query_timeout_seconds: float


def aws_settings(lakehouse: LakehouseEnv, aws: AwsEnv) -> AwsSettings | None:
    """Return the aws backend's settings; None for another backend.

    Raises:
        SettingsError: Something is missing, or two settings do not go together; the message says which and what to do.
    """
    is_on_s3 = lakehouse.lake_uri.startswith("s3://")
    if lakehouse.backend is not Backend.AWS:
        if is_on_s3:
            raise SettingsError(
                "LAKEHOUSE_BACKEND=embedded keeps the lake in a folder: set LAKEHOUSE_LAKE_URI to one, "
                "or LAKEHOUSE_BACKEND=aws."
            )
        return None
    if not is_on_s3 or not lakehouse.lake_uri.removeprefix("s3://").partition("/")[2].strip("/"):
        raise SettingsError("LAKEHOUSE_BACKEND=aws keeps the lake on S3: set LAKEHOUSE_LAKE_URI to s3://bucket/prefix.")
    if aws.region is None:
        raise SettingsError("LAKEHOUSE_AWS_REGION is required by LAKEHOUSE_BACKEND=aws: set the resources' region.")
    if aws.dms_task is None:
        raise SettingsError("LAKEHOUSE_DMS_TASK is required by LAKEHOUSE_BACKEND=aws: set the DMS task's ARN.")
    account = _check_task(aws.dms_task, region=aws.region, account=aws.account)
    if aws.environment is AwsEnvironment.PROD:
        _check_production(lakehouse, aws)
    name = f"lakeside-{aws.environment}"
    lake_uri = lakehouse.lake_uri.rstrip("/")
    return AwsSettings(
        environment=aws.environment,
        region=aws.region,
        account=account,
        endpoint=aws.endpoint,
        s3_endpoint=aws.s3_endpoint or aws.endpoint,
        kms_key=aws.kms_key,
        lake_uri=lake_uri,
        dms_task=aws.dms_task,
        landing_uri=_landing_uri(aws.dms_landing_uri or f"{lake_uri}/landing", lake_uri),
        source_secret=aws.source_secret or f"{name}-source",
        glue_job=aws.glue_job or f"{name}-transform",
        glue_crawler=aws.glue_crawler,
        athena_workgroup=aws.athena_workgroup or name,
        athena_catalog=_ATHENA_CATALOG,
        database_prefix=f"{name.replace('-', '_')}_",
        query_timeout_seconds=_QUERY_TIMEOUT_SECONDS[aws.environment],
    )


def _check_task(arn: str, *, region: str, account: str | None) -> str:
    """Compare the task's ARN with the other settings; return its account."""
    _, _, _, its_region, its_account, *_ = arn.split(":")
    if its_region != region:
        raise SettingsError(
            f"LAKEHOUSE_DMS_TASK is in {its_region}, but LAKEHOUSE_AWS_REGION is {region}: correct one of them."
        )
    if account is not None and its_account != account:
        raise SettingsError("LAKEHOUSE_DMS_TASK is of another account than LAKEHOUSE_AWS_ACCOUNT: correct one of them.")
    return its_account


def _check_production(lakehouse: LakehouseEnv, aws: AwsEnv) -> None:
    """Refuse what production must not do without."""
    if lakehouse.environment is not Environment.PRODUCTION:
        raise SettingsError("LAKEHOUSE_AWS_ENVIRONMENT=prod holds customers' data: set LAKEHOUSE_ENV=production too.")
    if aws.account is None:
        raise SettingsError("LAKEHOUSE_AWS_ACCOUNT is required in prod: set the account that owns the bucket.")
    if aws.kms_key is None:
        raise SettingsError("LAKEHOUSE_S3_KMS_KEY is required in prod: set the key that encrypts the lake.")
    if aws.endpoint is not None or aws.s3_endpoint is not None:
        raise SettingsError("LAKEHOUSE_AWS_ENDPOINT and LAKEHOUSE_S3_ENDPOINT are for emulators: remove them in prod.")


def _landing_uri(landing_uri: str, lake_uri: str) -> str:
    """Refuse a landing zone within a folder of ours: DMS writes over its files, and we never do."""
    ours = tuple(f"{lake_uri}/{folder}/" for folder in ("bronze", "warehouse", "jobs"))
    if f"{landing_uri}/".startswith(ours) or f"{lake_uri}/".startswith(f"{landing_uri}/"):
        raise SettingsError(
            f"LAKEHOUSE_DMS_LANDING_URI must not overlap the lake's own folders: set for instance {lake_uri}/landing."
        )
    return landing_uri

"""The environment, read once into one typed, frozen class; nothing else reads `os.environ`.

Precedence: the environment, then `.env` in the project's folder, then
`$LAKEHOUSE_HOME/run/embedded.env`, which `manage.py up` keeps while it runs so that any
other command finds the embedded servers. Processes started by a supervisor
(`LAKEHOUSE_SUPERVISED`) read their environment alone: they were given what they need.

Every variable is described in `docs/settings.md`; a test compares the two.
"""

from __future__ import annotations

import difflib
import functools
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import Field, dataclass, field, fields, replace
from decimal import Decimal
from enum import StrEnum
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import SplitResult, urlsplit

PROJECT = Path(__file__).resolve().parent.parent
"""The folder that holds `manage.py`."""

SOURCE_TABLES = (
    "tenants",
    "customers",
    "products",
    "orders",
    "order_items",
    "events",
    "subscriptions",
    "invoices",
)

_GIBIBYTE = 1024**3
_REGION = re.compile(r"[a-z]{2}(-[a-z]+)+-[0-9]")
_ACCOUNT = re.compile(r"[0-9]{12}")
_DMS_ARN = re.compile(r"arn:aws[a-z-]*:dms:[a-z0-9-]+:[0-9]{12}:(task|replication-config):[A-Za-z0-9-]+")
_SECRET_KEY_LENGTH = 50
_TOKEN_CHARACTERS = 32
_SLOT_NAME = re.compile(r"[a-z0-9_]{1,63}")
_STACK_DATABASE_URLS = ("DATABASE_URL", "APP_DATABASE_URL", "LAKEHOUSE_SOURCE_URL", "LAKEHOUSE_CATALOG_URL")
_INHERITED = (
    "PATH",
    "HOME",
    "USER",
    "LANG",
    "LC_ALL",
    "LC_CTYPE",
    "TMPDIR",
    "VIRTUAL_ENV",
    "SSL_CERT_FILE",
    "DJANGO_SETTINGS_MODULE",
)
_AWS_CREDENTIALS = (
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_PROFILE",
    "AWS_CONFIG_FILE",
    "AWS_SHARED_CREDENTIALS_FILE",
    "AWS_ROLE_ARN",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
)
"""Where boto3 looks for credentials. They are boto3's settings, not ours: passed on, never read."""


class SettingsError(Exception):
    """A settings value is missing or wrong; the message says which and what to do."""


class Environment(StrEnum):
    """Where Lakeside runs."""

    DEVELOPMENT = "development"
    PRODUCTION = "production"


class Backend(StrEnum):
    """What carries the data path."""

    EMBEDDED = "embedded"
    AWS = "aws"


class AwsEnvironment(StrEnum):
    """Which set of AWS resources: each has names, limits and obligations of its own."""

    DEV = "dev"
    STAGING = "staging"
    PROD = "prod"


def _variable(name: str, parse: Callable[[str], object], *, default: object = None, secret: bool = False) -> Any:
    """Declare a field read from the variable ``name``.

    Args:
        name: The environment variable.
        parse: Turns its text into the field's value; raises `ValueError` saying what it must be.
        default: The value when the variable is unset or empty.
        secret: Whether the text must never be repeated in a message.
    """
    return field(default=default, metadata={"variable": name, "parse": parse, "secret": secret})


def _postgres_url(text: str) -> str:
    parts = _split(text)
    if parts is None or parts.scheme not in {"postgres", "postgresql"} or not parts.path.strip("/"):
        raise ValueError("must look like postgresql://user:password@host:5432/database")
    return text


def _redis_url(text: str) -> str:
    parts = _split(text)
    if parts is None or parts.scheme not in {"redis", "rediss"}:
        raise ValueError("must look like redis://:password@host:6379/0")
    return text


def _http_url(text: str) -> str:
    parts = _split(text)
    if parts is None or parts.scheme not in {"http", "https"}:
        raise ValueError("must start with http:// or https:// and name a host")
    return text


def _split(text: str) -> SplitResult | None:
    """Return the parts of a URL that names a host; `None` for anything else."""
    try:
        parts = urlsplit(text)
        parts.port  # noqa: B018 - raises if it is no number
    except ValueError:
        return None
    return parts if parts.hostname else None


def _origins(text: str) -> tuple[str, ...]:
    return tuple(_http_url(origin) for origin in _words(text))


def _smtp_url(text: str) -> str:
    parts = _split(text)
    if parts is None or parts.scheme not in {"smtp", "smtps"}:
        raise ValueError("must look like smtp://user:password@host:587 or smtps://user:password@host:465")
    return text


def _address(text: str) -> str:
    name, at, host = text.partition("@")
    if not (name and at and host) or any(character.isspace() for character in text):
        raise ValueError("must be an e-mail address")
    return text


def _addresses(text: str) -> tuple[str, ...]:
    return tuple(_address(word) for word in _words(text))


def _secret_key(text: str) -> str:
    if len(text) < _SECRET_KEY_LENGTH:
        raise ValueError(f"must be at least {_SECRET_KEY_LENGTH} random characters")
    return text


def _token(text: str) -> str:
    if len(text) < _TOKEN_CHARACTERS or not text.isascii() or any(each.isspace() for each in text):
        raise ValueError(f"must have at least {_TOKEN_CHARACTERS} letters, digits and signs, without spaces")
    return text


def _words(text: str) -> tuple[str, ...]:
    words = tuple(word.strip() for word in text.split(",") if word.strip())
    if not words:
        raise ValueError("must be a comma-separated list with at least one entry")
    return words


def _tables(text: str) -> tuple[str, ...]:
    """Read names as SQL writes them: a comma within double quotes ends none."""
    names = tuple(name.strip() for name in re.findall(r'(?:"(?:[^"]|"")*"|[^",])+', text) if name.strip())
    if not names or text.count('"') % 2:
        raise ValueError("must be a comma-separated list with at least one entry, each double quote closed")
    return names


def _boolean(text: str) -> bool:
    values = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}
    if text.lower() not in values:
        raise ValueError("must be true or false")
    return values[text.lower()]


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) == 0:
        raise ValueError("must be a whole number above zero")
    return int(text)


def _money(text: str) -> Decimal:
    if not re.fullmatch(r"[0-9]+(\.[0-9]{1,2})?", text) or Decimal(text) == 0:
        raise ValueError("must be an amount above zero, such as 150 or 12.50")
    return Decimal(text)


def _slot_name(text: str) -> str:
    if not _SLOT_NAME.fullmatch(text):
        raise ValueError("must be 1 to 63 lower-case letters, digits and underscores")
    return text


def _choice(kind: type[StrEnum]) -> Callable[[str], StrEnum]:
    def parse(text: str) -> StrEnum:
        if text not in set(kind):
            raise ValueError(f"must be {' or '.join(kind)}")
        return kind(text)

    return parse


def _path(text: str) -> Path:
    return (PROJECT / Path(text).expanduser()).resolve()


def _lake_uri(text: str) -> str:
    scheme = urlsplit(text).scheme
    if scheme not in {"", "s3"}:
        raise ValueError("must be a folder or start with s3://")
    return text if scheme else str(_path(text))


def _s3_uri(text: str) -> str:
    parts = urlsplit(text)
    if parts.scheme != "s3" or not parts.netloc or not parts.path.strip("/"):
        raise ValueError("must look like s3://bucket/prefix")
    return text.rstrip("/")


def _region(text: str) -> str:
    if not _REGION.fullmatch(text):
        raise ValueError("must be a region such as eu-central-1")
    return text


def _account(text: str) -> str:
    if not _ACCOUNT.fullmatch(text):
        raise ValueError("must be an account's twelve digits")
    return text


def _dms_arn(text: str) -> str:
    if not _DMS_ARN.fullmatch(text):
        raise ValueError("must look like arn:aws:dms:region:account:task:NAME, or ...:replication-config:NAME")
    return text


@dataclass(frozen=True, slots=True, kw_only=True)
class LakehouseEnv:
    """What the data path and its control plane need to know: `settings.LAKEHOUSE`."""

    environment: Environment = _variable("LAKEHOUSE_ENV", _choice(Environment), default=Environment.DEVELOPMENT)
    backend: Backend = _variable("LAKEHOUSE_BACKEND", _choice(Backend), default=Backend.EMBEDDED)
    home: Path = _variable("LAKEHOUSE_HOME", _path, default=PROJECT / "var")
    """Holds run/, private/, postgres/, valkey/, lake/, jobs/, log/ and bench/."""
    lake_uri: str = _variable("LAKEHOUSE_LAKE_URI", _lake_uri, default="")
    """Root of bronze and the warehouse; `<home>/lake` unless set."""
    source_url: str | None = _variable("LAKEHOUSE_SOURCE_URL", _postgres_url, secret=True)
    source_tables: tuple[str, ...] = _variable("LAKEHOUSE_SOURCE_TABLES", _tables, default=SOURCE_TABLES)
    slot: str = _variable("LAKEHOUSE_SLOT", _slot_name, default="lakeside")
    """The replication slot at the source: one a lake and server."""
    flush_seconds: int = _variable("LAKEHOUSE_FLUSH_SECONDS", _positive, default=1)
    disk_reserve_bytes: int = _variable("LAKEHOUSE_DISK_RESERVE_BYTES", _positive, default=_GIBIBYTE)
    catalog_url: str | None = _variable("LAKEHOUSE_CATALOG_URL", _postgres_url, secret=True)
    safe_age_seconds: int = _variable("LAKEHOUSE_SAFE_AGE_SECONDS", _positive, default=3_600)
    bronze_keep_days: int = _variable("LAKEHOUSE_BRONZE_KEEP_DAYS", _positive, default=30)
    keep_newest: int = _variable("LAKEHOUSE_KEEP_NEWEST", _positive, default=50)
    keep_all_seconds: int = _variable("LAKEHOUSE_KEEP_ALL_SECONDS", _positive, default=3_600)
    keep_hourly_hours: int = _variable("LAKEHOUSE_KEEP_HOURLY_HOURS", _positive, default=48)
    keep_daily_days: int = _variable("LAKEHOUSE_KEEP_DAILY_DAYS", _positive, default=35)
    job_memory_bytes: int = _variable("LAKEHOUSE_JOB_MEMORY_BYTES", _positive, default=2 * _GIBIBYTE)
    alert_emails: tuple[str, ...] = _variable("LAKEHOUSE_ALERT_EMAILS", _addresses, default=())
    alert_webhooks: tuple[str, ...] = _variable("LAKEHOUSE_ALERT_WEBHOOKS", _origins, default=(), secret=True)
    """Addresses often carry a token, so they are never repeated."""
    alert_webhook_secret: str | None = _variable("LAKEHOUSE_ALERT_WEBHOOK_SECRET", _token, secret=True)
    alert_lag_bytes: int = _variable("LAKEHOUSE_ALERT_LAG_BYTES", _positive, default=_GIBIBYTE // 4)
    alert_disk_bytes: int = _variable("LAKEHOUSE_ALERT_DISK_BYTES", _positive, default=2 * _GIBIBYTE)
    price_book: Path | None = _variable("LAKEHOUSE_PRICE_BOOK", _path)
    budget_run: Decimal | None = _variable("LAKEHOUSE_BUDGET_RUN", _money)
    """In the price book's currency."""
    budget_month: Decimal | None = _variable("LAKEHOUSE_BUDGET_MONTH", _money)
    """In the price book's currency."""
    metrics_token: str | None = _variable("LAKEHOUSE_METRICS_TOKEN", _token, secret=True)
    """Whoever sends it may read `/metrics`."""
    supervised: bool = _variable("LAKEHOUSE_SUPERVISED", _boolean, default=False)
    """Set by a supervisor for the processes it starts."""

    def __post_init__(self) -> None:
        if not self.lake_uri:
            object.__setattr__(self, "lake_uri", str(self.home / "lake"))


@dataclass(frozen=True, slots=True, kw_only=True)
class AwsEnv:
    """What the aws backend needs to know; `config.aws` completes and checks it."""

    environment: AwsEnvironment = _variable(
        "LAKEHOUSE_AWS_ENVIRONMENT", _choice(AwsEnvironment), default=AwsEnvironment.DEV
    )
    region: str | None = _variable("LAKEHOUSE_AWS_REGION", _region)
    account: str | None = _variable("LAKEHOUSE_AWS_ACCOUNT", _account)
    endpoint: str | None = _variable("LAKEHOUSE_AWS_ENDPOINT", _http_url)
    s3_endpoint: str | None = _variable("LAKEHOUSE_S3_ENDPOINT", _http_url)
    kms_key: str | None = _variable("LAKEHOUSE_S3_KMS_KEY", str)
    dms_task: str | None = _variable("LAKEHOUSE_DMS_TASK", _dms_arn)
    dms_landing_uri: str | None = _variable("LAKEHOUSE_DMS_LANDING_URI", _s3_uri)
    glue_job: str | None = _variable("LAKEHOUSE_GLUE_JOB", str)
    glue_crawler: str | None = _variable("LAKEHOUSE_GLUE_CRAWLER", str)
    athena_workgroup: str | None = _variable("LAKEHOUSE_ATHENA_WORKGROUP", str)
    source_secret: str | None = _variable("LAKEHOUSE_SOURCE_SECRET", str)
    """Name of a secret, not the secret."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Env:
    """Every value Lakeside takes from its environment."""

    database_url: str | None = _variable("DATABASE_URL", _postgres_url, secret=True)
    """The owner: migrates, provisions, seeds."""
    app_database_url: str | None = _variable("APP_DATABASE_URL", _postgres_url, secret=True)
    """The role of web and workers, subject to row-level security."""
    redis_url: str | None = _variable("REDIS_URL", _redis_url, secret=True)
    secret_key: str | None = _variable("DJANGO_SECRET_KEY", _secret_key, secret=True)
    allowed_hosts: tuple[str, ...] = _variable("DJANGO_ALLOWED_HOSTS", _words, default=())
    csrf_trusted_origins: tuple[str, ...] = _variable("DJANGO_CSRF_TRUSTED_ORIGINS", _origins, default=())
    email_url: str | None = _variable("EMAIL_URL", _smtp_url, secret=True)
    email_from: str = _variable("EMAIL_FROM", _address, default="lakeside@localhost")
    debug: bool = _variable("DJANGO_DEBUG", _boolean, default=False)
    lakehouse: LakehouseEnv = field(default_factory=LakehouseEnv)
    aws: AwsEnv = field(default_factory=AwsEnv)


_Part = TypeVar("_Part", LakehouseEnv, AwsEnv, Env)


def declared() -> tuple[Field[Any], ...]:
    """Return every field that is read from a variable."""
    return tuple(each for part in (Env, LakehouseEnv, AwsEnv) for each in fields(part) if "variable" in each.metadata)


def variables() -> tuple[str, ...]:
    """Return the name of every variable Lakeside reads, in the order declared."""
    return tuple(each.metadata["variable"] for each in declared())


@functools.cache
def load() -> Env:
    """Return the process's environment, read on the first call.

    Raises:
        SettingsError: A value is wrong, or a LAKEHOUSE_ variable unknown.
    """
    return read(os.environ)


def gathered() -> dict[str, str]:
    """Return the texts behind `load`, by variable.

    Raises:
        SettingsError: A LAKEHOUSE_ variable is unknown, or a file malformed.
    """
    return gather(os.environ)


def configured() -> dict[str, str]:
    """Return what a person configured, by variable: the environment and `.env`, without a running stack's URLs.

    Raises:
        SettingsError: A LAKEHOUSE_ variable is unknown, or `.env` malformed.
    """
    return gather(os.environ, with_stack=False)


def read(environment: Mapping[str, str], *, project: Path = PROJECT) -> Env:
    """Read and check all variables.

    Args:
        environment: Names and texts, which take precedence over the files.
        project: The folder whose `.env` is read.

    Raises:
        SettingsError: A value is wrong, or a LAKEHOUSE_ variable unknown.
    """
    return parse(gather(environment, project=project))


def gather(environment: Mapping[str, str], *, project: Path = PROJECT, with_stack: bool = True) -> dict[str, str]:
    """Return the texts of our variables, by name, in their order of precedence.

    Args:
        environment: Names and texts, which take precedence over the files.
        project: The folder whose `.env` is read.
        with_stack: Whether a running stack's `embedded.env` completes what is missing.

    Raises:
        SettingsError: A LAKEHOUSE_ variable is unknown, or a file malformed.
    """
    values = _ours(environment, origin="the environment")
    if _part(LakehouseEnv, values).supervised:
        return values
    values = _ours(_read_file(project / ".env"), origin=".env") | values
    if not with_stack:
        return values
    stack_file = _part(LakehouseEnv, values).home / "run" / "embedded.env"
    return _complete(values, _ours(_read_file(stack_file), origin=str(stack_file)))


def parse(values: Mapping[str, str]) -> Env:
    """Check the texts of variables and turn them into values.

    Raises:
        SettingsError: A value is wrong.
    """
    found = _part(LakehouseEnv, values)
    if found.alert_webhooks and found.alert_webhook_secret is None:
        raise SettingsError("LAKEHOUSE_ALERT_WEBHOOKS needs LAKEHOUSE_ALERT_WEBHOOK_SECRET: webhooks are signed.")
    return replace(_part(Env, values), lakehouse=found, aws=_part(AwsEnv, values))


def child_environment(values: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of a process we start: the machine's basics and ``values``."""
    inherited = {name: os.environ[name] for name in _INHERITED if name in os.environ}
    return {**inherited, "TZ": "UTC", **values}


def aws_credentials() -> dict[str, str]:
    """Return the variables by which boto3 finds credentials, for processes that ask AWS."""
    return {name: os.environ[name] for name in _AWS_CREDENTIALS if name in os.environ}


def choose_settings() -> None:
    """Name the Django settings by ``LAKEHOUSE_ENV``, unless DJANGO_SETTINGS_MODULE names them.

    Raises:
        SettingsError: A value is wrong, or a LAKEHOUSE_ variable unknown.
    """
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", f"config.settings.{load().lakehouse.environment}")


def export(values: Mapping[str, str]) -> None:
    """Put values into this process's environment, as the test suite does before settings load."""
    os.environ.update(values)
    load.cache_clear()


def _ours(environment: Mapping[str, str], *, origin: str) -> dict[str, str]:
    """Return our variables that have a text, refusing a LAKEHOUSE_ name we do not know."""
    known = variables()
    for name in environment:
        if name.startswith("LAKEHOUSE_") and name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f"did you mean {near[0]}?" if near else "docs/settings.md lists the known ones."
            raise SettingsError(f"{name} in {origin} is not a setting of Lakeside: {hint}")
    return {name: environment[name] for name in known if environment.get(name)}


def _complete(values: Mapping[str, str], stack: Mapping[str, str]) -> dict[str, str]:
    """Add a running stack's URLs, without mixing its database with another one."""
    foreign_database = "DATABASE_URL" in values and values["DATABASE_URL"] != stack.get("DATABASE_URL")
    skipped = _STACK_DATABASE_URLS if foreign_database else ()
    return {name: text for name, text in stack.items() if name not in skipped} | dict(values)


def _read_file(path: Path) -> dict[str, str]:
    """Return the NAME=text lines of a file; nothing if there is no such file."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise SettingsError(f"{path} cannot be read ({error.strerror}): correct its permissions.") from error
    values = {}
    for number, raw in enumerate(lines, start=1):
        line = raw.strip().removeprefix("export ")
        if not line or line.startswith("#"):
            continue
        name, equals, text = line.partition("=")
        if not equals or not name.strip().isidentifier():
            raise SettingsError(f"{path}, line {number}: write NAME=value, or start the line with #.")
        values[name.strip()] = _unquote(text.strip())
    return values


def _unquote(text: str) -> str:
    if text[:1] in {"'", '"'} and text[-1:] == text[:1]:
        return text[1:-1]
    return text


def _part(part: type[_Part], values: Mapping[str, str]) -> _Part:
    """Build a part from the variables it declares, each checked."""
    arguments = {}
    for each in fields(part):
        name: str = each.metadata.get("variable", "")
        if name in values:
            try:
                arguments[each.name] = each.metadata["parse"](values[name])
            except ValueError as error:
                shown = "" if each.metadata["secret"] else f", not {values[name]!r}"
                raise SettingsError(f"{name} {error}{shown}.") from error
    return part(**arguments)

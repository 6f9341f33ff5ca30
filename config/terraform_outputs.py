"""From what Terraform made to the lines of `.env`: names and addresses, never a secret."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from config.aws import aws_settings
from config.env import AwsEnvironment, parse

_VARIABLES = {
    "environment": "LAKEHOUSE_AWS_ENVIRONMENT",
    "region": "LAKEHOUSE_AWS_REGION",
    "account": "LAKEHOUSE_AWS_ACCOUNT",
    "lake_uri": "LAKEHOUSE_LAKE_URI",
    "landing_uri": "LAKEHOUSE_DMS_LANDING_URI",
    "dms_task": "LAKEHOUSE_DMS_TASK",
    "source_tables": "LAKEHOUSE_SOURCE_TABLES",
    "source_secret": "LAKEHOUSE_SOURCE_SECRET",
    "glue_job": "LAKEHOUSE_GLUE_JOB",
    "glue_crawler": "LAKEHOUSE_GLUE_CRAWLER",
    "athena_workgroup": "LAKEHOUSE_ATHENA_WORKGROUP",
    "kms_key": "LAKEHOUSE_S3_KMS_KEY",
}
"""Which output is which setting. `infra/terraform/outputs.tf` names the same; a test compares them."""


class OutputsError(Exception):
    """The document is not what `terraform output -json` prints for infra/terraform; the message says what to do."""


def env_values(document: str) -> dict[str, str]:
    """Return the settings, by variable, checked as they are at start.

    Args:
        document: What ``terraform output -json`` printed.

    Raises:
        OutputsError: It is something else, lacks an output, or marks one as sensitive.
        SettingsError: A value is not one that Lakeside takes.
    """
    outputs = _outputs(document)
    missing = [name for name in _VARIABLES if name not in outputs]
    if missing:
        raise OutputsError(
            f"The outputs lack {', '.join(missing)}: run terraform apply in infra/terraform, "
            "then terraform output -json there."
        )
    values = {"LAKEHOUSE_BACKEND": "aws"}
    for name, variable in _VARIABLES.items():
        values[variable] = _text(name, outputs[name])
    if values["LAKEHOUSE_AWS_ENVIRONMENT"] == AwsEnvironment.PROD:
        values["LAKEHOUSE_ENV"] = "production"
    read = parse(values)
    aws_settings(read.lakehouse, read.aws)
    return values


def merged(text: str, values: Mapping[str, str]) -> str:
    """Return a file of settings with these values: lines of theirs replaced where they stand, the rest untouched.

    A variable that the file sets twice would take the last one: every line of it gets the value.
    """
    left = dict(values)
    lines = []
    for line in text.splitlines():
        name = line.strip().removeprefix("export ").partition("=")[0].strip()
        if name in values:
            left.pop(name, None)
            lines.append(f"{name}={values[name]}")
        else:
            lines.append(line)
    lines += [f"{name}={value}" for name, value in left.items()]
    return "".join(f"{line}\n" for line in lines)


def _outputs(document: str) -> Mapping[str, Any]:
    try:
        outputs = json.loads(document)
    except json.JSONDecodeError as error:
        raise OutputsError(
            "That is not the JSON of terraform output -json; did terraform end with an error?"
        ) from error
    if not isinstance(outputs, dict) or not all(
        isinstance(each, dict) and "value" in each for each in outputs.values()
    ):
        raise OutputsError("That is JSON, but not of terraform output -json: every output has a value there.")
    if not outputs:
        raise OutputsError("There are no outputs yet: run terraform apply in infra/terraform first.")
    return outputs


def _text(name: str, output: Mapping[str, Any]) -> str:
    """Return an output as a setting's text.

    Raises:
        OutputsError: It is sensitive, or neither text nor a list of texts.
    """
    if output.get("sensitive"):
        raise OutputsError(f"The output {name} is sensitive: no secret goes into .env by this way.")
    value = output["value"]
    if isinstance(value, list) and value and all(isinstance(each, str) for each in value):
        value = ",".join(value)
    if not isinstance(value, str) or not value or any(each in value for each in "\n\r\"'#"):
        raise OutputsError(f"The output {name} is {value!r}: that cannot be a setting.")
    return value

"""Hold the settings and our assumptions against the AWS account; exit 0 only if all is well."""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Mapping
from dataclasses import asdict

from lakehouse_admin.cli.verb import FAILURE, SUCCESS, Output
from lakehouse_admin.wiring import aws_backend


def add_arguments(parser: ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--write", action="store_true", help="also put and remove one object, and run one query")


def handle(options: Mapping[str, object], output: Output) -> int:
    """Print a line per check, as it is made.

    Raises:
        NotOnAwsError: The backend is not aws.
    """
    findings = []
    for finding in aws_backend().verification(may_write=bool(options["write"])).findings():
        findings.append(finding)
        if not output.as_json:
            output.lines(f"{finding.verdict:<8} {finding.check:<22} {finding.says}")
    is_well = all(finding.verdict != "wrong" for finding in findings)
    if output.as_json:
        output.document({"well": is_well, "checks": [asdict(finding) for finding in findings]})
    return SUCCESS if is_well else FAILURE

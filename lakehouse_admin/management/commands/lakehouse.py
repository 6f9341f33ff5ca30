"""`manage.py lakehouse <verb>`: the control plane from a shell."""

from __future__ import annotations

import logging
import sys
from collections.abc import Mapping
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from etl.errors import LakehouseError
from lakehouse_admin.cli import (
    cancel,
    check_source,
    checks,
    contract,
    costs,
    dms_settings,
    follow,
    keep,
    lineage,
    maintain,
    metrics,
    named_queries,
    pause,
    plan,
    prune,
    quarantine,
    queue,
    reconcile,
    remove,
    replicate,
    resume,
    resync,
    retry,
    run,
    runs,
    schedules,
    skip,
    states,
    status,
    storage,
    tables,
    types,
    usage,
    verify_aws,
)
from lakehouse_admin.cli.verb import FAILURE, Output, Verb

VERBS: Mapping[str, Verb] = {
    "run": run,
    "status": status,
    "runs": runs,
    "replicate": replicate,
    "resync": resync,
    "check-source": check_source,
    "follow": follow,
    "reconcile": reconcile,
    "quarantine": quarantine,
    "cancel": cancel,
    "retry": retry,
    "plan": plan,
    "queue": queue,
    "schedules": schedules,
    "tables": tables,
    "pause": pause,
    "resume": resume,
    "skip": skip,
    "remove": remove,
    "prune": prune,
    "maintain": maintain,
    "storage": storage,
    "keep": keep,
    "states": states,
    "types": types,
    "checks": checks,
    "contract": contract,
    "lineage": lineage,
    "metrics": metrics,
    "usage": usage,
    "costs": costs,
    "verify-aws": verify_aws,
    "dms-settings": dms_settings,
    "named-queries": named_queries,
}


class Command(BaseCommand):
    """Hands over to the verb; turns its errors into one sentence and its answer into an exit code."""

    help = "Run the pipeline, and see how it is doing."
    requires_system_checks = ()  # They import every page of the site; these verbs answer at once.

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the verbs."""
        verbs = parser.add_subparsers(dest="verb", required=True, metavar="|".join(VERBS))
        for name, verb in VERBS.items():
            text = (verb.__doc__ or "").partition("\n")[0]
            declared = verbs.add_parser(name, help=text, description=text)
            declared.add_argument("--json", action="store_true", help="print one JSON document")
            verb.add_arguments(declared)

    def handle(self, *args: Any, **options: Any) -> None:  # noqa: ARG002 - Django's signature
        """Run the verb and exit with its code."""
        self.stderr.style_func = None  # Progress is no error: not red.
        logging.getLogger("lakeside").setLevel(logging.WARNING)  # The verbs tell the same events to a person.
        output = Output(out=self.stdout, progress=self.stderr, as_json=options["json"])
        try:
            code = VERBS[options["verb"]].handle(options, output)
        except LakehouseError as error:
            code = FAILURE
            if output.as_json:
                output.document({"error": str(error), "guidance": error.guidance})
            output.tell(f"{error}\n{error.guidance}")
        if code:
            sys.exit(code)

"""Print every metric and its definition as Markdown: docs/metrics.md."""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Mapping
from typing import TYPE_CHECKING

from lakehouse_admin.cli.verb import SUCCESS, Output

if TYPE_CHECKING:
    from etl.gold.model import GoldModel


def add_arguments(parser: ArgumentParser) -> None:
    """Declare no options."""


def handle(options: Mapping[str, object], output: Output) -> int:  # noqa: ARG001 - every verb's signature
    """Print the page, or the definitions as a document.

    Raises:
        ModelError: A model file is wrong; the message says where and what to write instead.
    """
    from etl.gold.compile import load_models  # noqa: PLC0415 - the other verbs start quicker
    from lakehouse_admin.status.metrics_page import metrics_page  # noqa: PLC0415

    models = load_models()
    if output.as_json:
        output.document([_definition(model) for model in models])
    else:
        output.out.write(metrics_page(models))
    return SUCCESS


def _definition(model: GoldModel) -> dict[str, object]:
    return {
        "name": model.name,
        "title": model.title,
        "question": model.question,
        "audience": model.audience.value,
        "grain": list(model.grain),
        "freshness_seconds": model.freshness_seconds,
        "is_live": model.is_live,
        "columns": [
            {
                "name": column.name,
                "type": column.type,
                "unit": column.unit,
                "description": column.description,
                "formula": column.formula,
            }
            for column in model.columns
        ],
    }

"""Draws `docs/metrics.md` from the model files of `etl.gold`."""

from __future__ import annotations

from collections.abc import Iterable

from etl.gold.model import Audience, GoldColumn, GoldModel

_HEAD = """\
# Metrics

Written by `manage.py lakehouse metrics` from the model files in `etl/gold/models`; a test compares.
Each table below is one file, one table of the lake (`gold.<name>`), one answer of the API
(`/t/<tenant>/models/<name>.json` and `.csv`) and one part of the definitions page.

What holds for all of them:

- Days, weeks and months are those of the tenant's time zone; a week begins on Monday.
- Amounts are in the tenant's currency, summed exactly. A ratio with nothing below the line is empty, not 0.
- Revenue is the total of completed orders on the day of the order, as its status is now.
- `is_complete` is false for a period that was not over when the data was taken.
- A customer belongs to one tenant; no row joins two tenants unless it says that it is for the platform's staff.
"""


def metrics_page(models: Iterable[GoldModel]) -> str:
    """Return the page as Markdown."""
    models = tuple(models)
    contents = [f"- [{model.title}](#{_anchor(model)}): {model.question}" for model in models]
    return "\n".join([_HEAD, *contents, "", *(_section(model) for model in models)])


def _anchor(model: GoldModel) -> str:
    """Return what Markdown makes of the heading."""
    return model.title.lower().replace(" ", "-")


def _section(model: GoldModel) -> str:
    rows = [_row(column) for column in model.columns]
    return "\n".join(
        [
            f"## {model.title}",
            "",
            f"{model.question} `gold.{model.name}`, one row for each {_grain(model)}. {_promise(model)}",
            "",
            "| column | type | unit | meaning |",
            "|---|---|---|---|",
            *rows,
            "",
        ]
    )


def _grain(model: GoldModel) -> str:
    return ", ".join(f"`{name}`" for name in model.grain)


def _promise(model: GoldModel) -> str:
    live = ", with every publication" if model.is_live else ""
    promise = f"At most {model.freshness_seconds:,} seconds old{live}."
    return promise if model.audience is Audience.TENANT else f"{promise} For the platform's own staff."


def _row(column: GoldColumn) -> str:
    meaning = column.description if column.formula is None else f"{column.description} `= {column.formula}`"
    return f"| `{column.name}` | {column.type} | {column.unit or ''} | {meaning.replace('|', chr(92) + '|')} |"

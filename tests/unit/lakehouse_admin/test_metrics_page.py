"""The page of metrics is what the model files say."""

from __future__ import annotations

from pathlib import Path

from etl.gold.compile import load_models
from lakehouse_admin.status.metrics_page import metrics_page

PAGE = Path(__file__).parents[3] / "docs" / "metrics.md"


def test_the_page_is_what_the_models_say():
    assert PAGE.read_text(encoding="utf-8") == metrics_page(load_models()), (
        "docs/metrics.md is out of date: manage.py lakehouse metrics > docs/metrics.md"
    )


def test_every_model_stands_on_it_with_every_column():
    page = metrics_page(load_models())
    for model in load_models():
        section = page.partition(f"## {model.title}\n")[2].partition("\n## ")[0]
        assert f"`gold.{model.name}`" in section
        assert [line.split("`")[1] for line in section.splitlines() if line.startswith("| `")] == [*model.column_names]

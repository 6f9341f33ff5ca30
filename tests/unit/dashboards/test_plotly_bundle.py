"""The browser's Plotly is the one that the figures are validated against, unchanged, and draws all that we draw."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

from django.contrib.staticfiles import finders
from plotly.offline import get_plotlyjs_version

import dashboards

FOLDER = Path(dashboards.__file__).parent / "static" / "plotly"
BUNDLE = FOLDER / "plotly-basic.min.js"


def test_it_is_the_published_file() -> None:
    expected, name = (FOLDER / "plotly-basic.sha256").read_text(encoding="ascii").split()
    assert name == BUNDLE.name
    assert hashlib.sha256(BUNDLE.read_bytes()).hexdigest() == expected
    assert "MIT" in (FOLDER / "LICENSE").read_text(encoding="utf-8")


def test_it_is_the_version_that_figures_are_made_for() -> None:
    head = BUNDLE.read_text(encoding="utf-8")[:400]
    assert re.search(r"plotly\.js \(basic - minified\) v([\d.]+)", head)[1] == get_plotlyjs_version()


def test_it_is_served() -> None:
    assert finders.find("plotly/plotly-basic.min.js")

"""Verbs that only look answer at once: nothing on their way loads an engine."""

from __future__ import annotations

import subprocess
import sys

from config import env
from config.env import PROJECT

ENGINES = (
    "pyiceberg",
    "sqlalchemy",
    "duckdb",
    "pyarrow",
    "numpy",
    "pandas",
    "sqlglot",
    "boto3",
    "sklearn",
    "statsmodels",
)
"""Each costs a tenth of a second to load, or much more."""


def test_no_verb_is_made_to_load_an_engine():
    program = (
        "import sys; from config.boot import boot; boot(); import django; django.setup();"
        "import lakehouse_admin.management.commands.lakehouse;"
        f"print(sorted(set({ENGINES}) & set(sys.modules)))"
    )

    told = subprocess.run(
        [sys.executable, "-c", program],
        cwd=PROJECT,
        env=env.child_environment(env.gathered()),
        check=True,
        capture_output=True,
        text=True,
    )

    assert told.stdout.strip() == "[]"

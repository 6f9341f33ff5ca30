"""The layers of docs/architecture.md hold."""

import subprocess
import sys

from tests.architecture.repository import PROJECT


def test_who_may_import_whom():
    linter = [sys.executable, "-c", "import sys; from importlinter.cli import lint_imports_command as c; sys.exit(c())"]
    linted = subprocess.run([*linter, "--no-cache"], cwd=PROJECT, capture_output=True, text=True, check=False)
    assert linted.returncode == 0, linted.stdout + linted.stderr

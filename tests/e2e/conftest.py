"""A real browser, whichever Chromium is installed, and where the stack answers."""

from __future__ import annotations

import os
import shutil
from typing import Any

import pytest

from tests.stack import Stack

_REQUIRED = "LAKESIDE_REQUIRE_BROWSER"


@pytest.fixture(scope="session")
def browser_type_launch_args(browser_type_launch_args: dict[str, Any]) -> dict[str, Any]:
    """Use the machine's own Chromium; without one, skip, unless the environment says that there must be one."""
    executable = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if executable is None:
        required = os.environ.get(_REQUIRED) == "1"  # noqa: TID251 - a switch of the suite, not of the product
        assert not required, f"{_REQUIRED}=1, but no Chromium is installed"
        pytest.skip("no Chromium is installed: apt-get install chromium")
    return {**browser_type_launch_args, "executable_path": executable}


@pytest.fixture(scope="session")
def base_url(stack: Stack) -> str:
    """Where every page's address begins."""
    return stack.url

#!/usr/bin/env python
"""Runs Lakeside's commands."""

import sys

from config import env


def main() -> None:
    """Run the command named on the command line."""
    env.choose_settings()
    from django.core.management import execute_from_command_line  # noqa: PLC0415 - settings come first

    execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()

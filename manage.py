#!/usr/bin/env python
"""Runs Lakeside's commands."""

import sys

from config.boot import boot
from config.command_line import run_command


def main() -> None:
    """Run the command named on the command line."""
    boot()
    run_command(sys.argv)


if __name__ == "__main__":
    main()

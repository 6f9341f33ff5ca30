"""Starts the whole stack with sample data in it."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from config.embedded.demo import Demo
from config.embedded.start import add_port_argument, start


class Command(BaseCommand):
    """`manage.py demo`: `up`, sample data if there is none, users, a first pipeline run."""

    help = "Start everything, with sample data, users to sign in as and a first pipeline run."
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the options."""
        add_port_argument(parser)
        parser.add_argument("--scale", default="medium", help="how much sample data an empty database gets")

    def handle(self, *_arguments: Any, port: int | None, scale: str, **_options: Any) -> None:
        """Run the stack."""
        start(Demo(scale=scale), port=port)

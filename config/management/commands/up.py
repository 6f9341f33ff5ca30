"""Starts the whole stack."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from config.embedded.start import add_port_argument, start
from config.embedded.supervisor import Scenario


class Command(BaseCommand):
    """`manage.py up`: servers, worker, beat and web, until Ctrl+C."""

    help = "Start everything Lakeside needs and keep it running until Ctrl+C."
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the options."""
        add_port_argument(parser)

    def handle(self, *_arguments: Any, port: int | None, **_options: Any) -> None:
        """Run the stack."""
        start(Scenario(), port=port)

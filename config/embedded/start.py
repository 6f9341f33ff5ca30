"""What `manage.py up` and `manage.py demo` share: from a port and a scenario to an exit."""

from __future__ import annotations

import argparse
import sys

from config import env
from config.embedded.demo import describe, users_file
from config.embedded.errors import StackError
from config.embedded.report import Report
from config.embedded.run_folder import AlreadyRunningError, RunFolder, StackState
from config.embedded.supervisor import Scenario, Supervisor


def add_port_argument(parser: argparse.ArgumentParser) -> None:
    """Declare ``--port``."""
    parser.add_argument("--port", type=int, help="the web server's port; the next free one from 8000 if omitted")


def start(scenario: Scenario, *, port: int | None) -> None:
    """Run the stack until it is asked to stop; exit with 1 and a sentence if it cannot be started."""
    home = env.load().lakehouse.home
    try:
        Supervisor(home=home, values=env.configured(), port=port, report=Report()).run(scenario)
    except AlreadyRunningError:
        _tell_running(RunFolder(home), port)
    except StackError as error:
        sys.exit(str(error))
    except OSError as error:  # A full disk, a folder that is closed or is none.
        sys.exit(
            f"{error.filename or home} cannot be used: {error.strerror}. Free space, correct its permissions, "
            "or set LAKEHOUSE_HOME to another folder."
        )


def _tell_running(folder: RunFolder, wanted_port: int | None) -> None:
    """Say that a stack runs already, and where; exit with 1 if another port was asked for."""
    record = folder.record()
    if record is None or record.state is not StackState.READY or record.supervisor.process() is None:
        sys.exit("Lakeside is being started or stopped by another process: wait a moment and try again.")
    if wanted_port not in {None, record.port}:
        sys.exit(
            f"Lakeside already runs on port {record.port}, not {wanted_port}: "
            "stop it with `make down` first, or use that one."
        )
    home = folder.path.parent
    if users_file(home).exists():
        print(describe(record.url, home, with_passwords=False).replace("is ready", "already runs", 1))  # noqa: T201
    else:
        print(f"Lakeside already runs: {record.url}")  # noqa: T201

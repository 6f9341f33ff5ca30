"""The three base classes of every error on the data path.

Concrete errors stand beside the port or stage that raises them. The first line of a
class's docstring is its default message; ``guidance`` says what a person does next; the
keyword fields say where. `lakehouse_admin/retry.py` is the one table from error class to
retry, wait for an operator, or fail.
"""

from __future__ import annotations

import inspect
from typing import ClassVar


class LakehouseError(Exception):
    """The lakehouse could not do what was asked."""

    guidance: ClassVar[str] = "Read the run's log; if it does not explain the failure, report a bug."

    def __init__(self, message: str | None = None, /, **context: object) -> None:
        """Keep the message and the context fields.

        Args:
            message: One sentence for a person; the class's first docstring line if omitted.
            context: Where it happened (`table`, `file`, `lsn` ...). Never row values, never secrets.
        """
        self.message = message or (inspect.getdoc(type(self)) or type(self).__name__).splitlines()[0]
        self.context = context
        super().__init__(self.message)

    def __str__(self) -> str:
        """Return the message followed by its context in brackets."""
        if not self.context:
            return self.message
        fields = ", ".join(f"{name}={value}" for name, value in self.context.items())
        return f"{self.message} ({fields})"


class TransientError(LakehouseError):
    """A resource did not answer for the moment; trying again may succeed."""

    guidance: ClassVar[str] = "Nothing to do: the step is tried again on its own."


class OperatorError(LakehouseError):
    """A person has to change something before this can succeed."""

    guidance: ClassVar[str] = "Correct what the message names, then retry the run."

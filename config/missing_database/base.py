"""PostgreSQL as far as models and migrations can tell, but every connection is refused with a sentence."""

from __future__ import annotations

from typing import NoReturn

from django.db import OperationalError
from django.db.backends.postgresql.base import DatabaseWrapper as PostgresWrapper


class DatabaseWrapper(PostgresWrapper):
    """Stands where no database is configured; NAME holds the variable to set."""

    def get_connection_params(self) -> NoReturn:
        """Refuse to connect.

        Raises:
            OperationalError: Always.
        """
        raise OperationalError(f"{self.settings_dict['NAME']} is not set and no stack is running.")

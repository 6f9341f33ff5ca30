"""Column types that several models share."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from django.core.validators import MinValueValidator
from django.db import models
from django.db.backends.base.base import BaseDatabaseWrapper


class FixedCharField(models.CharField):
    """Text of exactly ``max_length`` characters, such as a country's or a currency's ISO code."""

    def db_type(self, connection: BaseDatabaseWrapper) -> str:
        """Return PostgreSQL's type."""
        return f"char({self.max_length})"


class MoneyField(models.DecimalField):
    """An amount in the tenant's currency: ``numeric(12,2)``, never negative."""

    default_validators = [MinValueValidator(Decimal(0))]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{"max_digits": 12, "decimal_places": 2, **kwargs})

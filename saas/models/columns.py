"""Column types that several models share."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

from django.core.validators import MinValueValidator
from django.db import models
from django.db.backends.base.base import BaseDatabaseWrapper

if TYPE_CHECKING:  # Django's fields are generic to type checkers alone.
    _CharField = models.CharField[str, str]
    _DecimalField = models.DecimalField[Decimal | int | str, Decimal]
else:
    _CharField, _DecimalField = models.CharField, models.DecimalField


class FixedCharField(_CharField):
    """Text of exactly ``max_length`` characters, such as a country's or a currency's ISO code."""

    def db_type(self, connection: BaseDatabaseWrapper) -> str:  # noqa: ARG002 - Django's signature
        """Return PostgreSQL's type."""
        return f"char({self.max_length})"


class MoneyField(_DecimalField):
    """An amount in the tenant's currency: ``numeric(12,2)``, never negative."""

    default_validators = [MinValueValidator(Decimal(0))]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{"max_digits": 12, "decimal_places": 2, **kwargs})

"""What models and database refuse, as answers that say what is wrong."""

from __future__ import annotations

from django.core.exceptions import ValidationError
from django.db import DataError, IntegrityError
from django.db.models import ProtectedError
from rest_framework import exceptions, status
from rest_framework.settings import api_settings


class ConflictError(exceptions.APIException):
    """What is stored already does not allow this."""

    status_code = status.HTTP_409_CONFLICT
    default_code = "conflict"


def explained(error: Exception) -> Exception:
    """Return the API's error for a refusal of models or database; any other error as it is."""
    if isinstance(error, ProtectedError):
        names = sorted({str(row._meta.verbose_name_plural) for row in error.protected_objects})
        return ConflictError(f"It is still referred to by {' and '.join(names)}.")
    if isinstance(error, IntegrityError):
        return ConflictError("It contradicts what is stored: it exists already, or refers to what is gone.")
    if isinstance(error, DataError):
        return exceptions.ValidationError({api_settings.NON_FIELD_ERRORS_KEY: ["A value cannot be stored."]})
    if isinstance(error, ValidationError):
        return exceptions.ValidationError({api_settings.NON_FIELD_ERRORS_KEY: error.messages})
    return error

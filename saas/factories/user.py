"""Makes users."""

from __future__ import annotations

from typing import Any

import factory
from django.db import DEFAULT_DB_ALIAS
from factory.django import DjangoModelFactory

from saas.models import User


class UserFactory(DjangoModelFactory[User]):
    """Somebody who can sign in, with `password` if one is given. Needs no scope."""

    class Meta:
        model = User

    email = factory.Sequence(lambda number: f"user-{number}@example.com")
    name = factory.Faker("name")
    password: str | None = None

    @classmethod
    def _create(cls, model_class: type[User], *args: Any, using: str = DEFAULT_DB_ALIAS, **kwargs: Any) -> User:
        return model_class.objects.db_manager(using).create_user(*args, **kwargs)

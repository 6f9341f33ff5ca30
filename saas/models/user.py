"""A person who signs in, with an email address; their memberships say where they may go."""

from __future__ import annotations

from typing import Any, ClassVar

from django.contrib.auth.models import AbstractBaseUser, BaseUserManager, PermissionsMixin
from django.db import models
from django.db.models.functions import Lower
from django.utils import timezone


class UserManager(BaseUserManager["User"]):
    """Makes and finds users; addresses are stored and looked up in lower case."""

    def create_user(self, email: str, password: str | None = None, **fields: Any) -> User:
        """Store a new user.

        Args:
            email: What they sign in with.
            password: In clear; without one, they cannot sign in.
            fields: Values of the other columns.

        Raises:
            ValueError: The email address is empty.
        """
        if not email:
            raise ValueError("A user needs an email address to sign in with.")
        user = self.model(email=_normal(email), **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user

    def create_superuser(self, email: str, password: str | None = None, **fields: Any) -> User:
        """Store a new user with every permission in the staff console."""
        return self.create_user(email, password, **{**fields, "is_staff": True, "is_superuser": True})

    def get_by_natural_key(self, username: str | None) -> User:
        """Return the user with this email address, in whatever case it was typed.

        Raises:
            User.DoesNotExist: There is none.
        """
        return self.get(email=_normal(username or ""))


class User(AbstractBaseUser, PermissionsMixin):
    """A login. Not owned by a tenant: one person may belong to several."""

    email = models.EmailField(unique=True)
    name = models.CharField(max_length=200, blank=True)
    is_staff = models.BooleanField(default=False)
    is_active = models.BooleanField(default=True)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    objects: ClassVar[UserManager] = UserManager()

    USERNAME_FIELD = "email"
    EMAIL_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = []

    class Meta:
        db_table = "users"
        ordering = ["email"]
        constraints = [
            models.CheckConstraint(condition=models.Q(email=Lower("email")), name="users_email_lower_case"),
        ]

    def __str__(self) -> str:
        return self.email

    def clean(self) -> None:
        """Store the address in lower case, as it is looked up."""
        super().clean()
        self.email = _normal(self.email)

    def get_full_name(self) -> str:
        """Return the name to greet them by."""
        return self.name or self.email

    def get_short_name(self) -> str:
        """Return the shortest name to greet them by."""
        return self.get_full_name().partition(" ")[0]


def _normal(email: str) -> str:
    return email.strip().lower()

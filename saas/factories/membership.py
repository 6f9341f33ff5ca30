"""Makes memberships."""

from __future__ import annotations

import factory
from factory.django import DjangoModelFactory

from saas.factories.user import UserFactory
from saas.models import Membership, Role


class MembershipFactory(DjangoModelFactory[Membership]):
    """An owner of the tenant in scope."""

    class Meta:
        model = Membership

    user = factory.SubFactory(UserFactory)
    role = Role.OWNER

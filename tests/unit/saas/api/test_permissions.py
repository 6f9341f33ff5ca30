from __future__ import annotations

import pytest
from rest_framework.request import Request
from rest_framework.test import APIRequestFactory
from rest_framework.views import APIView

from saas.api.permissions import MembersReadOwnersWrite
from saas.models import Membership, Role

_READS = ("GET", "HEAD", "OPTIONS")
_WRITES = ("POST", "PUT", "PATCH", "DELETE")


def _allowed(method: str, role: Role | None) -> bool:
    request = APIRequestFactory().generic(method, "/")
    if role is not None:
        request.membership = Membership(role=role)
    return MembersReadOwnersWrite().has_permission(Request(request), APIView())


@pytest.mark.parametrize("role", Role)
@pytest.mark.parametrize("method", _READS)
def test_every_member_reads(method: str, role: Role):
    assert _allowed(method, role)


@pytest.mark.parametrize("role", Role)
@pytest.mark.parametrize("method", _WRITES)
def test_owners_alone_write(method: str, role: Role):
    assert _allowed(method, role) == (role is Role.OWNER)


@pytest.mark.parametrize("method", [*_READS, *_WRITES])
def test_without_the_middleware_nobody_does_anything(method: str):
    assert not _allowed(method, None)

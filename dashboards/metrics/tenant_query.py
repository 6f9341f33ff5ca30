"""The one gate from a page to gold: adds the tenant, pins the publication, remembers answers.

No other module of the dashboards knows the query engine. An answer belongs to a tenant and
a publication, which never change, so it is remembered under exactly these.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import LiteralString, Protocol

import structlog
from django.conf import settings
from django.core.cache import cache
from django.utils.module_loading import import_string
from redis.exceptions import RedisError

from etl.contracts.publication import Publication, Withheld
from etl.ports.query_engine import PublicationReader, QueryEngine, QueryResult, Value

_ONE_DAY_SECONDS = 24 * 60 * 60
_log = structlog.get_logger(__name__)


class Tenant(Protocol):
    """What the dashboards know of a tenant: what the request carries."""

    @property
    def id(self) -> int:
        """Key of the tenant's rows."""

    @property
    def slug(self) -> str:
        """Its part of the address."""

    @property
    def name(self) -> str:
        """What people call it."""

    @property
    def currency(self) -> str:
        """ISO 4217 code of its money."""

    @property
    def timezone(self) -> str:
        """IANA name of the zone in which its days begin."""


def current_publication() -> Publication | None:
    """Return what readers see now; None before the first publication."""
    reader: PublicationReader = import_string(settings.PUBLICATION_READER)()
    return reader.current()


def withheld_update() -> Withheld | None:
    """Return the newer data that is kept from readers because it broke a check; None if there is none."""
    reader: PublicationReader = import_string(settings.PUBLICATION_READER)()
    return reader.withheld()


def digest(publication: Publication) -> str:
    """Return 16 hexadecimal digits that name the publication's content.

    Its number alone would not do: a rebuilt installation counts from 1 again.
    """
    pins = ",".join(f"{pin.table}@{pin.snapshot_id}" for pin in publication.pins)
    text = f"{publication.number} {publication.published_at.isoformat()} {pins}"
    return hashlib.sha256(text.encode()).hexdigest()[:16]


class TenantQuery:
    """Asks gold for one tenant, at one publication."""

    def __init__(self, *, tenant: Tenant, publication: Publication) -> None:
        """Bind to whose rows, and which version of them."""
        self.publication = publication
        self._tenant_id = tenant.id
        self._prefix = f"gold:{tenant.id}:{publication.number}:{digest(publication)}"

    def rows(
        self, sql: LiteralString, parameters: Sequence[Value] = (), *, remember: bool = True
    ) -> tuple[tuple[Value, ...], ...]:
        """Return the rows of ``sql``, in which ``gold.<model>`` holds this tenant's rows only.

        Args:
            sql: One SELECT with ``?`` for each parameter.
            parameters: Their values, in order.
            remember: Whether the answer is worth a place in the cache; a page of a long export is not.

        Raises:
            QueryRefusedError: The engine does not run such a query.
            SnapshotGoneError: Files of the publication are missing.
            QueryUnavailableError: No answer in time.
        """
        asked = hashlib.sha256(repr((sql, tuple(parameters))).encode()).hexdigest()
        key = f"{self._prefix}:{asked}"
        known = _remembered(key) if remember else None
        if known is not None:
            return known.rows
        engine: QueryEngine = import_string(settings.QUERY_ENGINE)()
        result = engine.query(sql, tenant_id=self._tenant_id, publication=self.publication, parameters=parameters)
        if remember:
            _remember(key, result)
        return result.rows


def _remembered(key: str) -> QueryResult | None:
    """Look the answer up; a cache that does not answer only costs time."""
    try:
        known = cache.get(key)
    except RedisError as error:
        _log.warning("answer_cache_unavailable", error=type(error).__name__)
        return None
    assert known is None or isinstance(known, QueryResult)
    return known


def _remember(key: str, result: QueryResult) -> None:
    try:
        cache.set(key, result, timeout=_ONE_DAY_SECONDS)
    except RedisError as error:
        _log.warning("answer_cache_unavailable", error=type(error).__name__)

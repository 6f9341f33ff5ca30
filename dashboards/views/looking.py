"""What every view begins with: whose data, which publication, which days."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, cast

from django.http import Http404, HttpRequest

from dashboards.charts.chart import Request
from dashboards.formats import Money
from dashboards.metrics.period import Period, UnknownPeriodError
from dashboards.metrics.tenant_query import Tenant, TenantQuery
from etl.contracts.publication import Publication


class _TenantRequest(Protocol):
    """A request that has passed the tenant middleware."""

    tenant: Tenant


@dataclass(frozen=True, slots=True, kw_only=True)
class Looking:
    """A tenant looking at one publication over one period."""

    tenant: Tenant
    publication: Publication
    period: Period

    def chart_request(self, *, is_export: bool = False) -> Request:
        """Return what charts are asked with."""
        return Request(
            query=TenantQuery(tenant=self.tenant, publication=self.publication),
            period=self.period,
            money=Money(self.tenant.currency),
            is_export=is_export,
        )


def tenant_of(request: HttpRequest) -> Tenant:
    """Return the tenant that the middleware found for this user and address."""
    return cast("_TenantRequest", request).tenant


def looking(request: HttpRequest, publication: Publication) -> Looking:
    """Return what the request looks at.

    Raises:
        Http404: The address asks for a period that is not offered.
    """
    tenant = tenant_of(request)
    try:
        period = Period.parse(request.GET.get("days"), as_of=publication.as_of, timezone=tenant.timezone)
    except UnknownPeriodError as error:
        raise Http404 from error
    return Looking(tenant=tenant, publication=publication, period=period)

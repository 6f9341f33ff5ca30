"""Makes invoices."""

from __future__ import annotations

from datetime import timedelta

import factory
from django.utils import timezone
from factory.django import DjangoModelFactory
from factory.fuzzy import FuzzyDecimal

from saas.factories.customer import CustomerFactory
from saas.models import Invoice, InvoiceStatus

_TERM = timedelta(days=14)


class InvoiceFactory(DjangoModelFactory[Invoice]):
    """An open bill in the tenant in scope, issued today and due in two weeks."""

    class Meta:
        model = Invoice

    number = factory.Sequence(lambda number: f"INV-{number:08d}")
    customer = factory.SubFactory(CustomerFactory)
    status = InvoiceStatus.OPEN
    amount = FuzzyDecimal(5, 900, precision=2)
    issue_date = factory.LazyFunction(timezone.localdate)
    due_date = factory.LazyAttribute(lambda invoice: invoice.issue_date + _TERM)

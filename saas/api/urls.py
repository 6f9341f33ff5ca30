"""The API's addresses, below `/api/v1/`."""

from __future__ import annotations

from django.urls import include, path
from drf_spectacular.views import SpectacularAPIView
from rest_framework.permissions import IsAuthenticated
from rest_framework.routers import SimpleRouter

from saas.api.authentication import SignedIn
from saas.api.views import (
    CustomerViewSet,
    EventViewSet,
    InvoiceViewSet,
    OrderItemViewSet,
    OrderViewSet,
    ProductViewSet,
    SubscriptionViewSet,
)

router = SimpleRouter()
router.register("customers", CustomerViewSet, basename="customer")
router.register("products", ProductViewSet, basename="product")
router.register("orders", OrderViewSet, basename="order")
router.register("order-items", OrderItemViewSet, basename="order-item")
router.register("events", EventViewSet, basename="event")
router.register("subscriptions", SubscriptionViewSet, basename="subscription")
router.register("invoices", InvoiceViewSet, basename="invoice")

urlpatterns = [
    path(
        "schema/",
        SpectacularAPIView.as_view(authentication_classes=[SignedIn], permission_classes=[IsAuthenticated]),
        name="api-schema",
    ),
    path("<slug:tenant_slug>/", include(router.urls)),
]

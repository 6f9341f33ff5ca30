"""What lists may be narrowed and sorted by: what a view names, and nothing else.

An unknown name is refused rather than ignored: a mistyped filter must not answer with everything.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar, TypeVar

from django.db.models import Model, QuerySet
from rest_framework.exceptions import ValidationError
from rest_framework.filters import BaseFilterBackend, OrderingFilter
from rest_framework.request import Request
from rest_framework.serializers import BaseSerializer, Serializer
from rest_framework.views import APIView

_Model = TypeVar("_Model", bound=Model)
_Row = TypeVar("_Row")
_NOT_FILTERS = frozenset({"limit", "offset", "ordering"})


class FilteredView(APIView):
    """What the backends below ask of a view."""

    filters: ClassVar[Mapping[str, str]] = {}
    """Query parameter -> lookup, such as ``ordered_from`` -> ``order_date__gte``."""

    def get_serializer(self, *args: Any, **kwargs: Any) -> BaseSerializer[Any]:
        """Return the serializer whose fields parse the parameters."""
        raise NotImplementedError


class NamedFilters(BaseFilterBackend):
    """Narrows a list by the view's `filters`, their values read as the serializer's fields read them."""

    def filter_queryset(
        self, request: Request, queryset: QuerySet[_Model, _Row], view: APIView
    ) -> QuerySet[_Model, _Row]:
        """Apply every filter of the request.

        Raises:
            ValidationError: The view has no such filter, or the value is not of its kind.
        """
        assert isinstance(view, FilteredView)
        serializer = view.get_serializer()
        assert isinstance(serializer, Serializer)
        for name, text in request.query_params.items():
            if name in _NOT_FILTERS:
                continue
            if name not in view.filters:
                raise ValidationError({name: f"There is no such filter. This list has: {', '.join(view.filters)}."})
            lookup = view.filters[name]
            try:
                value = serializer.fields[lookup.partition("__")[0]].to_internal_value(text)
            except ValidationError as error:
                raise ValidationError({name: error.detail}) from error
            queryset = queryset.filter(**{lookup: value})
        return queryset

    def get_schema_operation_parameters(self, view: APIView) -> list[dict[str, Any]]:
        """Describe the filters for the API's document."""
        assert isinstance(view, FilteredView)
        return [{"name": name, "in": "query", "required": False, "schema": {"type": "string"}} for name in view.filters]


class NamedOrdering(OrderingFilter):
    """Sorts a list by the view's `ordering_fields`; equals by id, so that pages do not overlap."""

    def remove_invalid_fields(
        self, queryset: QuerySet[Any], fields: Iterable[str], view: APIView, request: Request
    ) -> list[str]:
        """Return the fields to sort by.

        Raises:
            ValidationError: The view does not sort by one of them.
        """
        wanted = list(fields)
        valid = super().remove_invalid_fields(queryset, wanted, view, request)
        if len(valid) != len(wanted):
            names = ", ".join(name for name, _ in self.get_valid_fields(queryset, view))
            raise ValidationError({"ordering": f"This list sorts by: {names}."})
        return [*valid, "id"]

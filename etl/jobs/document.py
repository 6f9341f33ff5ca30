"""Builds a job's typed arguments from its JSON document, and JSON from its result."""

from __future__ import annotations

import dataclasses
import json
import types
import typing
from collections.abc import Mapping
from datetime import datetime
from enum import Enum
from typing import Any, TypeVar

from etl.ports.job_runner import JobRefusedError

T = TypeVar("T")


def build(kind: type[T], values: Mapping[str, object]) -> T:
    """Return the frozen dataclass ``kind`` with the values of its fields, taken by name.

    A field that is itself a dataclass may be a nested document or stand flat among its
    neighbours. Lists become tuples; everything else must have the annotated type already.

    Raises:
        JobRefusedError: A field has no value, or one of another type.
    """
    hints = typing.get_type_hints(kind)
    fields: dict[str, object] = {}
    for field in dataclasses.fields(typing.cast("Any", kind)):
        hint = hints[field.name]
        if field.name in values:
            fields[field.name] = _convert(field.name, hint, values[field.name], values)
        elif dataclasses.is_dataclass(hint):
            fields[field.name] = build(typing.cast("type[object]", hint), values)
        elif field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING:
            raise JobRefusedError(f"The job needs the argument {field.name}.")
    return kind(**fields)


def dump(result: object) -> str:
    """Return a result dataclass as a JSON document.

    Raises:
        TypeError: A value has no JSON form.
    """
    return json.dumps(_plain(result), indent=1)


def _convert(name: str, hint: Any, value: object, around: Mapping[str, object]) -> object:
    origin = typing.get_origin(hint)
    if dataclasses.is_dataclass(hint) and isinstance(value, Mapping):
        return build(typing.cast("type[object]", hint), {**around, **value})
    if origin is tuple and isinstance(value, list | tuple):
        return tuple(_convert(name, typing.get_args(hint)[0], item, around) for item in value)
    if origin in (types.UnionType, typing.Union):
        return _convert_union(name, hint, value, around)
    if origin is not None and isinstance(origin, type) and isinstance(value, origin):
        return value
    if hint is float and type(value) is int:
        return float(value)
    if origin is None and (hint is Any or hint is object or type(value) is (type(None) if hint is None else hint)):
        return value
    raise JobRefusedError(f"The job's argument {name} is not of type {hint}.")


def _convert_union(name: str, hint: Any, value: object, around: Mapping[str, object]) -> object:
    for member in typing.get_args(hint):
        try:
            return _convert(name, member, value, around)
        except JobRefusedError:
            continue
    raise JobRefusedError(f"The job's argument {name} is not of type {hint}.")


def _plain(value: object) -> object:
    """Return the value made of JSON's own types.

    Raises:
        TypeError: It has no JSON form.
    """
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: _plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, Enum):
        return _plain(value.value)
    if isinstance(value, datetime):
        return value.isoformat()
    if value is None or isinstance(value, str | int | float):
        return value
    raise TypeError(f"a job's result holds a {type(value).__name__}, which JSON does not have")

"""Equality as Go's reflect.DeepEqual: values of different types are never equal, NaN not even to itself."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

from events.lang.govalue import type_name
from events.lang.sprig.table import check_tree


def identity(value: Any) -> Hashable:
    """What two values have in common if and only if they are equal. Raises RecursionError for deep trees."""
    if isinstance(value, str) or value is None:
        return value
    if isinstance(value, list):
        return type_name(value), is_typed_nil(value), tuple([identity(item) for item in value])
    if isinstance(value, dict):
        return type_name(value), is_typed_nil(value), frozenset([(k, identity(v)) for k, v in value.items()])
    return (type_name(value), value) if value == value else object()


def deep_equal(left: Any, right: Any) -> bool:
    """reflect.DeepEqual."""
    check_tree(left, right)
    return identity(left) == identity(right)


def is_typed_nil(value: Any) -> bool:
    """Whether the value is a nil slice or map, which differs from an empty one."""
    return getattr(value, "go_nil", False)

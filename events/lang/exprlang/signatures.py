"""What the builtins of antonmedv/expr 1.15.5 take and return, as far as is checked before events come."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from events.lang.exprlang.gotypes import (
    ANY,
    BOOL,
    DURATION,
    FLOAT,
    INT,
    LIST,
    PAIRED,
    STRING,
    STRINGS,
    TIME,
    Signature,
    Type,
    is_any,
    is_integer,
    is_list,
    is_map,
    is_number,
    is_string,
    kind,
)

Types = Sequence[Type | None]
Rule = Callable[[Types], Type | None]
"""From argument types to the result type; raises ValueError for arguments that cannot be right."""

PREDICATES: Final = frozenset(
    {"all", "none", "any", "one", "filter", "map", "count", "reduce", "groupBy"}
    | {"find", "findIndex", "findLast", "findLastIndex"}
)
"""Builtins whose second argument is a closure over the elements of the first."""

_TEXT: Final = Signature((STRING,), STRING)
_TEXTS: Final = Signature((STRING, STRING), STRING)
_SPLIT: Final = (Signature((STRING, STRING), STRINGS), Signature((STRING, STRING, INT), STRINGS))
_SEARCH: Final = (Signature((STRING, STRING), INT),)
_TEST: Final = (Signature((STRING, STRING), BOOL),)
_SHOW: Final = (Signature((ANY,), STRING),)

OVERLOADS: Final[dict[str, tuple[Signature, ...]]] = {
    "type": _SHOW,
    "string": _SHOW,
    "trim": (_TEXT, _TEXTS),
    "trimPrefix": (_TEXTS, _TEXT),
    "trimSuffix": (_TEXTS, _TEXT),
    "upper": (_TEXT,),
    "lower": (_TEXT,),
    "split": _SPLIT,
    "splitAfter": _SPLIT,
    "replace": (
        Signature((STRING, STRING, STRING, INT), STRING),
        Signature((STRING, STRING, STRING), STRING),
    ),
    "repeat": (Signature((STRING, INT), STRING),),
    "join": tuple(
        Signature(params, STRING) for params in ((STRINGS, STRING), (LIST, STRING), (LIST,), (STRINGS,))
    ),
    "indexOf": _SEARCH,
    "lastIndexOf": _SEARCH,
    "hasPrefix": _TEST,
    "hasSuffix": _TEST,
    "toJSON": _SHOW,
    "fromJSON": (Signature((STRING,), ANY),),
    "toBase64": (_TEXT,),
    "fromBase64": (_TEXT,),
    "now": (Signature((), TIME),),
    "duration": (Signature((STRING,), DURATION),),
    "date": tuple(Signature((STRING,) * count, TIME) for count in (1, 2, 3)),
}
"""Builtins with fixed parameter types; the first signature that fits gives the result."""


def _require(condition: bool, message: str) -> None:
    if not condition:
        raise ValueError(message)


def _one(test: Callable[[Type | None], bool], result: Type | None = None) -> Rule:
    """A rule for one argument, unknown or passing the test. Without a result it gives the argument's type."""

    def rule(types: Types) -> Type | None:
        _require(len(types) == 1, f"expects 1 argument, got {len(types)}")
        _require(is_any(types[0]) or test(types[0]), f"does not take {kind(types[0])}")
        return result or types[0]

    return rule


def _has_length(type_: Type | None) -> bool:
    return kind(type_) in ("array", "map", "slice", "string")


def _is_number_or_text(type_: Type | None) -> bool:
    return is_number(type_) or is_string(type_)


def _extreme(types: Types) -> Type | None:
    """max and min: numbers up to the first argument that is not known."""
    _require(bool(types), "expects at least 1 argument")
    for type_ in types:
        if is_any(type_):
            return ANY
        _require(is_number(type_), f"does not take {kind(type_)}")
    return types[0]


def _end(types: Types) -> Type | None:
    """first and last."""
    found = _one(is_list)(types)
    return found.element if found is not None and is_list(found) else ANY


def _take(types: Types) -> Type | None:
    _require(len(types) == 2, f"expects 2 arguments, got {len(types)}")
    _require(is_any(types[0]) or is_list(types[0]), f"does not take from {kind(types[0])}")
    signed = is_integer(types[1]) and not kind(types[1]).startswith("uint")
    _require(is_any(types[1]) or signed, f"does not take {kind(types[1])} elements")
    return types[0]


def _sort(fewest: int) -> Rule:
    """sort and sortBy: a list, then texts."""

    def rule(types: Types) -> Type | None:
        _require(fewest <= len(types) <= fewest + 1, f"expects {fewest} or {fewest + 1} arguments")
        _require(is_any(types[0]) or is_list(types[0]), f"does not take {kind(types[0])}")
        for type_ in types[1:]:
            _require(is_any(type_) or is_string(type_), f"expects a string, not {kind(type_)}")
        return LIST

    return rule


RULES: Final[dict[str, Rule]] = {
    "len": _one(_has_length, INT),
    "abs": _one(is_number),
    "ceil": _one(is_number, FLOAT),
    "floor": _one(is_number, FLOAT),
    "round": _one(is_number, FLOAT),
    "int": _one(_is_number_or_text, INT),
    "float": _one(_is_number_or_text, FLOAT),
    "max": _extreme,
    "min": _extreme,
    "sum": _one(is_list, ANY),
    "mean": _one(is_list, FLOAT),
    "median": _one(is_list, FLOAT),
    "first": _end,
    "last": _end,
    "take": _take,
    "keys": _one(is_map, LIST),
    "values": _one(is_map, LIST),
    "toPairs": _one(is_map, LIST),
    "fromPairs": _one(is_list, PAIRED),
    "sort": _sort(1),
    "sortBy": _sort(2),
}
"""Builtins whose result depends on the types of the arguments."""

BUILTIN_NAMES: Final = PREDICATES | OVERLOADS.keys() | RULES.keys() | {"get"}

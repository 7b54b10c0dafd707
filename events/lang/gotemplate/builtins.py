"""The functions that Go's text/template has by itself.

Three are missing here: `and` and `or` do not evaluate all their arguments (see expressions), and Sprig's
`slice` takes the place of the built-in one.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any, Final
from urllib.parse import quote_plus

from events.errors import EvaluationError
from events.lang.gofmt import sprint_all, sprintf, sprintln
from events.lang.gofmt_scalars import is_print
from events.lang.gotemplate.arguments import VALUE
from events.lang.govalue import (
    NO_VALUE,
    Function,
    GoObject,
    GoUint8,
    byte_length,
    is_nil,
    kind_name,
    to_bytes,
    type_name,
)

# --- Comparison -----------------------------------------------------------------------------------


def basic_kind(value: Any) -> str:
    """Bool, int, uint, float, complex or string as Go's comparisons tell them apart; empty for others."""
    kind = kind_name(value).rstrip("0123456789")
    return kind if kind in _BASIC_KINDS else ""


_BASIC_KINDS: Final = ("bool", "int", "uint", "float", "complex", "string")
_INTEGERS: Final = ("int", "uint")
_SIMPLE: Final = frozenset([str, float, bool, int])


def equal(first: Any, *others: Any) -> bool:
    """`eq`: whether the first equals any of the others. Raises EvaluationError for unlike types."""
    if not others:
        raise EvaluationError("missing argument for comparison")
    return any(_same(first, other) for other in others)


def _same(first: Any, other: Any) -> bool:
    if type(first) is type(other) and type(first) in _SIMPLE:
        return bool(first == other)
    kind, other_kind = basic_kind(first), basic_kind(other)
    if kind != other_kind:
        if kind in _INTEGERS and other_kind in _INTEGERS:
            return bool(first == other)
        if _is_invalid(first) or _is_invalid(other):
            return False
        raise _unlike(first, other)
    return bool(first == other) if kind else _same_compound(first, other)


def _same_compound(first: Any, other: Any) -> bool:
    """Lists, maps, objects and nil: only nil and objects can be compared."""
    if not (_is_invalid(first) or _is_invalid(other)) and kind_name(first) != kind_name(other):
        raise _unlike(first, other)
    if is_nil(first) or is_nil(other):
        return is_nil(first) == is_nil(other)
    if not isinstance(other, GoObject):
        raise EvaluationError(f"cannot compare values of type {type_name(other)}")
    return bool(first == other)


def _is_invalid(value: Any) -> bool:
    return value is None or value is NO_VALUE


def _unlike(first: Any, other: Any) -> EvaluationError:
    return EvaluationError(f"incompatible types for comparison: {type_name(first)} and {type_name(other)}")


def not_equal(first: Any, other: Any) -> bool:
    """`ne`: raises as `eq`."""
    return not equal(first, other)


def less(first: Any, other: Any) -> bool:
    """`lt`: numbers of one kind or strings. Raises EvaluationError for others."""
    kind, other_kind = basic_kind(first), basic_kind(other)
    if kind in ("", "bool", "complex") or other_kind in ("", "bool", "complex"):
        raise EvaluationError("invalid type for comparison")
    if kind != other_kind and not (kind in _INTEGERS and other_kind in _INTEGERS):
        raise _unlike(first, other)
    if kind == "string":
        return to_bytes(first) < to_bytes(other)
    return bool(first < other)


def less_or_equal(first: Any, other: Any) -> bool:
    """`le`: less or equal, each as its own function has it."""
    return less(first, other) or equal(first, other)


def greater(first: Any, other: Any) -> bool:
    """`gt`: not less or equal, so also for NaN."""
    return not less_or_equal(first, other)


def greater_or_equal(first: Any, other: Any) -> bool:
    """`ge`: not less."""
    return not less(first, other)


# --- Containers -----------------------------------------------------------------------------------


def length(value: Any) -> int:
    """`len`: bytes of a string, entries of a list or map."""
    if isinstance(value, str):
        return byte_length(value)
    if isinstance(value, (list, dict)):
        return len(value)
    raise EvaluationError(f"len of type {type_name(value)}")


def index(value: Any, *keys: Any) -> Any:
    """`index x 1 "a"` is x[1]["a"]; a missing key gives the zero value of the map's elements."""
    if _is_invalid(value):
        raise EvaluationError("index of untyped nil")
    for key in keys:
        value = _element(value, key)
    return value


def _element(value: Any, key: Any) -> Any:
    if isinstance(value, dict):
        if not isinstance(key, str):
            raise EvaluationError(f"map key has type {type_name(key)}; should be string")
        return value.get(key, "" if type_name(value) == "map[string]string" else None)
    if isinstance(value, list):
        return value[_position(key, len(value))]
    if isinstance(value, str):
        data = to_bytes(value)
        return GoUint8(data[_position(key, len(data))])
    raise EvaluationError(f"can't index item of type {type_name(value)}")


def _position(key: Any, end: int) -> int:
    if not isinstance(key, int) or isinstance(key, bool):
        raise EvaluationError(f"cannot index slice/array with type {type_name(key)}")
    if not 0 <= key < end:
        raise EvaluationError(f"index out of range: {int(key)}")
    return key


def call(function: Any, *arguments: Any) -> Any:
    """`call`: always an error, as event data holds no functions."""
    raise EvaluationError(f"non-function of type {type_name(function)}")


# --- Text -----------------------------------------------------------------------------------------


def _text(arguments: tuple[Any, ...]) -> str:
    """The arguments as output shows them, as one string."""
    if len(arguments) == 1 and isinstance(arguments[0], str):
        return arguments[0]
    return sprint_all(["<no value>" if argument is None else argument for argument in arguments])


def html(*arguments: Any) -> str:
    """The arguments, escaped for HTML."""
    return _text(arguments).translate(_HTML)


def js(*arguments: Any) -> str:
    """The arguments, escaped for a JavaScript string."""
    return "".join([_JS.get(char) or _js_char(char) for char in _text(arguments)])


def _js_char(char: str) -> str:
    if char < " ":
        return f"\\u{ord(char):04X}"
    if char <= "\x7f" or is_print(char) or "\ud800" <= char <= "\udfff":
        return char
    return f"\\u{ord(char):04X}"


def urlquery(*arguments: Any) -> str:
    """The arguments, escaped for the query of a URL."""
    return quote_plus(to_bytes(_text(arguments)))


_HTML: Final = str.maketrans(
    {"\0": "\ufffd", '"': "&#34;", "'": "&#39;", "&": "&amp;", "<": "&lt;", ">": "&gt;"}
)
_JS: Final = {
    "\\": "\\\\",
    "'": "\\'",
    '"': '\\"',
    "<": "\\u003C",
    ">": "\\u003E",
    "&": "\\u0026",
    "=": "\\u003D",
}


def _of_values(function: Callable[..., Any], count: int) -> Function:
    return Function(function, (VALUE,) * count)


BUILTINS: Final[dict[str, Function]] = {
    "not": _of_values(operator.not_, 1),
    "len": _of_values(length, 1),
    "index": Function(index, (VALUE, VALUE), variadic=True),
    "call": Function(call, (VALUE, VALUE), variadic=True),
    "eq": Function(equal, (VALUE, VALUE), variadic=True),
    "ne": _of_values(not_equal, 2),
    "lt": _of_values(less, 2),
    "le": _of_values(less_or_equal, 2),
    "gt": _of_values(greater, 2),
    "ge": _of_values(greater_or_equal, 2),
    "print": Function(lambda *values: sprint_all(values), ("any",), variadic=True),
    "println": Function(lambda *values: sprintln(values), ("any",), variadic=True),
    "printf": Function(sprintf, ("string", "any"), variadic=True),
    "html": Function(html, ("any",), variadic=True),
    "js": Function(js, ("any",), variadic=True),
    "urlquery": Function(urlquery, ("any",), variadic=True),
}

"""Static Go types of filter expressions, as far as upstream's type checker tells them apart.

Events are typed `interface {}`, so only literals, operators, builtins and times have more precise types. None
is the type of nil.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Type:
    """A Go type. `kind` is reflect's name for it; `named`: declared in a package, so not a plain type."""

    name: str
    kind: str
    element: Type | None = None
    key: Type | None = None
    named: bool = False
    signature: Signature | None = None

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True, slots=True)
class Signature:
    """Parameters and result of a function type. `results` counts what it returns."""

    params: tuple[Type, ...]
    result: Type
    variadic: bool = False
    results: int = 1

    def param(self, index: int) -> Type:
        """The type of the argument at this position."""
        return self.params[min(index, len(self.params) - 1)]


def slice_of(element: Type) -> Type:
    """The type of a slice of these."""
    return Type(f"[]{element}", "slice", element)


ANY: Final = Type("interface {}", "interface")
BOOL: Final = Type("bool", "bool")
INT: Final = Type("int", "int")
INT64: Final = Type("int64", "int64")
UINT8: Final = Type("uint8", "uint8")
FLOAT: Final = Type("float64", "float64")
STRING: Final = Type("string", "string")
LIST: Final = slice_of(ANY)
STRINGS: Final = slice_of(STRING)
INTS: Final = slice_of(INT)
BYTES: Final = slice_of(UINT8)
MAP: Final = Type("map[string]interface {}", "map", ANY, STRING)
GROUPS: Final = Type("map[interface {}][]interface {}", "map", LIST, ANY)
PAIRED: Final = Type("map[interface {}]interface {}", "map", ANY, ANY)
TIME: Final = Type("time.Time", "struct", named=True)
DURATION: Final = Type("time.Duration", "int64", named=True)
MONTH: Final = Type("time.Month", "int", named=True)
WEEKDAY: Final = Type("time.Weekday", "int", named=True)
LOCATION: Final = Type("*time.Location", "ptr")
FUNCTION: Final = Type(
    "func(...interface {}) (interface {}, error)", "func", signature=Signature((ANY,), ANY, True, 2)
)

_INTEGERS: Final = frozenset(f"{sign}int{bits}" for sign in ("", "u") for bits in ("", "8", "16", "32", "64"))
_FLOATS: Final = frozenset({"float32", "float64"})

Test = Callable[[Type | None], bool]


def function(params: tuple[Type, ...], result: Type, results: int = 1) -> Type:
    """The type of a function that is not variadic."""
    names = ", ".join(map(str, params))
    return Type(f"func({names}) {result}", "func", signature=Signature(params, result, False, results))


def kind(type_: Type | None) -> str:
    """reflect's name of the kind; `invalid` for nil."""
    return "invalid" if type_ is None else type_.kind


def is_any(type_: Type | None) -> bool:
    """Whether nothing is known before the event comes."""
    return type_ is ANY or kind(type_) == "interface"


def is_bool(type_: Type | None) -> bool:
    """Whether it is a boolean."""
    return kind(type_) == "bool"


def is_integer(type_: Type | None) -> bool:
    """Whether its kind is an integer, which durations and months are too."""
    return kind(type_) in _INTEGERS


def is_float(type_: Type | None) -> bool:
    """Whether its kind is a float."""
    return kind(type_) in _FLOATS


def is_number(type_: Type | None) -> bool:
    """Whether its kind is an integer or a float."""
    return is_integer(type_) or is_float(type_)


def is_string(type_: Type | None) -> bool:
    """Whether it is a string."""
    return kind(type_) == "string"


def is_time(type_: Type | None) -> bool:
    """Whether it is time.Time."""
    return type_ == TIME


def is_duration(type_: Type | None) -> bool:
    """Whether it is time.Duration."""
    return type_ == DURATION


def is_list(type_: Type | None) -> bool:
    """Whether it is a slice."""
    return kind(type_) == "slice"


def is_map(type_: Type | None) -> bool:
    """Whether it is a map."""
    return kind(type_) == "map"


def assignable(given: Type, wanted: Type) -> bool:
    """Whether Go lets a value of one type stand where the other is wanted."""
    return wanted.kind == "interface" or given == wanted


def comparable(left: Type | None, right: Type | None) -> bool:
    """Whether `==` is allowed between them."""
    if left is None or right is None or is_any(left) or is_any(right):
        return True
    return left.kind == right.kind or (is_number(left) and is_number(right))


def combined(left: Type, right: Type) -> Type:
    """The type of arithmetic on two numbers."""
    if left.kind == right.kind:
        return left
    return FLOAT if is_float(left) or is_float(right) else INT


def either(left: Type | None, right: Type | None, *tests: Test) -> bool:
    """Whether both are unknown, or one is and the other passes a test."""
    if is_any(left):
        return is_any(right) or any(test(right) for test in tests)
    return is_any(right) and any(test(left) for test in tests)

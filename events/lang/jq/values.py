"""jq values: types, order, arithmetic and text, as gojq has them.

Model     null = None, boolean = bool, string = str, array = list, object = dict (iterated by sorted key);
          numbers are int (exact, from program text), float (the event's numbers) and Number (from fromjson,
          keeps its text until arithmetic). Values are never changed in place
"""

from __future__ import annotations

import math
import re
import sys
from collections.abc import Callable, Iterable
from functools import cmp_to_key
from typing import Any, Final

from events.lang.gojson import Number, float_text

Value = Any
"""None, bool, int, float, Number, str, list or dict."""

_MAX_INT: Final = 2**63 - 1
_PREVIEW: Final = 30
_TRAILING: Final = {"string": ' ..."', "array": " ...]", "object": " ...}"}
_MAX_TEXT: Final = 2**31 - 1  # bytes; gojq refuses longer products too


class JqError(Exception):
    """An error that `try` catches; `value` is what `catch` gets. `raised` ones come from `error`."""

    def __init__(self, value: Value, raised: bool = False) -> None:
        super().__init__(value)
        self.value, self.raised = value, raised

    def __str__(self) -> str:
        if not self.raised:
            return str(self.value)
        return f"error: {self.value if isinstance(self.value, str) else to_json(self.value)}"


# --- Types ----------------------------------------------------------------------------------------

_TYPES: Final = {
    type(None): "null",
    bool: "boolean",
    int: "number",
    float: "number",
    Number: "number",
    str: "string",
    list: "array",
    dict: "object",
}
_RANKS: Final = {"null": 0, "boolean": 1, "number": 3, "string": 4, "array": 5, "object": 6}


def type_of(value: Value) -> str:
    """The jq name of the value's type."""
    return _TYPES[type(value)]


def is_number(value: Value) -> bool:
    return type(value) in (int, float, Number)


def truthy(value: Value) -> bool:
    return value is not None and value is not False


# --- Numbers --------------------------------------------------------------------------------------


def parse_number(text: str) -> int | float:
    """A number as program text or `tonumber` gives it: exact without point and exponent, else a double."""
    try:
        return int(text)
    except ValueError:
        return float(text)


def plain(value: Value) -> Value:
    """The value, a Number as the int or float that it spells."""
    return parse_number(value.text) if type(value) is Number else value


def to_float(value: int | float) -> float:
    """A number as a double; infinite where it is too large for one."""
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf


def to_int(value: int | float) -> int:
    """A number cut to 64 bits, towards zero."""
    number = plain(value)
    if type(number) is float:
        if number != number:
            return -_MAX_INT - 1
        if math.isinf(number):
            return _MAX_INT if number > 0 else -_MAX_INT - 1
    return max(min(int(number), _MAX_INT), -_MAX_INT - 1)


# --- Text -----------------------------------------------------------------------------------------

_ESCAPES: Final = {chr(code): f"\\u{code:04x}" for code in [*range(0x20), 0x7F]} | {
    '"': '\\"', "\\": "\\\\", "\b": "\\b", "\f": "\\f", "\n": "\\n", "\r": "\\r", "\t": "\\t",
}  # fmt: skip
_ESCAPE_TABLE: Final = str.maketrans(_ESCAPES | {chr(code): "\\ufffd" for code in range(0xD800, 0xE000)})


_SURROGATE: Final = re.compile("[\ud800-\udfff]")


def valid(text: str) -> str:
    """The text with U+FFFD where a byte is not UTF-8, as Go's range over a string gives it."""
    return text if text.isascii() else _SURROGATE.sub("\ufffd", text)


def to_json(value: Value) -> str:
    """The value as `tojson` writes it: keys sorted, NaN as null, infinities as the largest double."""
    kind = type(value)
    if kind is str:
        return f'"{value.translate(_ESCAPE_TABLE)}"'
    if kind is list:
        return "[" + ",".join([to_json(item) for item in value]) + "]"
    if kind is dict:
        return "{" + ",".join([f"{to_json(key)}:{to_json(value[key])}" for key in sorted(value)]) + "}"
    return _WORDS[value] if value is None or kind is bool else number_text(value)


_WORDS: Final = {None: "null", True: "true", False: "false"}


def number_text(value: int | float) -> str:
    """The number as `tojson` writes it."""
    if isinstance(value, Number):
        return value.text
    if type(value) is int:
        return str(value)
    if value != value:
        return "null"
    return float_text(max(min(value, sys.float_info.max), -sys.float_info.max))


def to_string(value: Value) -> str:
    """Strings as they are, everything else as JSON."""
    return value if type(value) is str else to_json(value)


def preview(value: Value) -> str:
    """The start of the value's JSON, for messages: at most 30 bytes."""
    text = to_json(value).encode(errors="replace")
    if len(text) <= _PREVIEW:
        return text.decode()
    trailing = _TRAILING.get(type_of(value), " ...")
    return text[: _PREVIEW - len(trailing)].decode(errors="ignore") + trailing


def described(value: Value) -> str:
    """Type and start of a value, for messages."""
    return "null" if value is None else f"{type_of(value)} ({preview(value)})"


# --- Order ----------------------------------------------------------------------------------------


def compare(left: Value, right: Value) -> int:
    """Negative, 0 or positive: null < false < true < numbers < strings < arrays < objects."""
    kind, other = type(left), type(right)
    if kind is other and kind in (str, int):
        return (left > right) - (left < right)  # type: ignore[no-any-return]  # of bools
    if kind is list and other is list:
        return _compare_arrays(left, right)
    if kind is dict and other is dict:
        return _compare_objects(left, right)
    if is_number(left) and is_number(right):
        return _compare_numbers(plain(left), plain(right))
    return _rank(left) - _rank(right)


def _rank(value: Value) -> int:
    return 2 if value is True else _RANKS[type_of(value)]


def _compare_numbers(left: int | float, right: int | float) -> int:
    if type(left) is not type(right):
        left, right = to_float(left), to_float(right)
    if left == right:
        return 0
    return -1 if left < right or left != left else 1


def _compare_arrays(left: list[Value], right: list[Value]) -> int:
    for one, other in zip(left, right, strict=False):
        if order := compare(one, other):
            return order
    return len(left) - len(right)


def _compare_objects(left: dict[str, Value], right: dict[str, Value]) -> int:
    keys, others = sorted(left), sorted(right)
    if keys != others:
        return -1 if keys < others else 1
    for key in keys:
        if order := compare(left[key], right[key]):
            return order
    return 0


_KEY: Final = cmp_to_key(compare)


def sorted_pairs(values: list[Value], keys: list[Value]) -> list[tuple[Value, Value]]:
    """(key, value) by key, stable."""
    pairs = list(zip(keys, values, strict=True))
    if all(type(key) is str for key in keys):
        pairs.sort(key=lambda pair: pair[0])
    else:
        pairs.sort(key=lambda pair: _KEY(pair[0]))
    return pairs


# --- Arithmetic -----------------------------------------------------------------------------------


def _numbers(left: Value, right: Value) -> tuple[Any, Any] | None:
    """Both as numbers of one type, or None if one is no number."""
    kind, other = type(left), type(right)
    if kind is other and kind in (float, int):
        return left, right
    if not (is_number(left) and is_number(right)):
        return None
    left, right = plain(left), plain(right)
    return (left, right) if type(left) is type(right) else (to_float(left), to_float(right))


def _refused(verb: str, left: Value, right: Value) -> JqError:
    return JqError(f"cannot {verb}: {described(plain(left))} and {described(plain(right))}")


def add(left: Value, right: Value) -> Value:
    if numbers := _numbers(left, right):
        return numbers[0] + numbers[1]
    if type(left) is type(right):
        if type(left) in (str, list):
            return left + right
        if type(left) is dict:
            return left | right
    if left is None or right is None:
        return right if left is None else left
    raise _refused("add", left, right)


def subtract(left: Value, right: Value) -> Value:
    if numbers := _numbers(left, right):
        return numbers[0] - numbers[1]
    if type(left) is list and type(right) is list:
        return [item for item in left if not any(compare(item, other) == 0 for other in right)]
    raise _refused("subtract", left, right)


def multiply(left: Value, right: Value) -> Value:
    if numbers := _numbers(left, right):
        return numbers[0] * numbers[1]
    if type(left) is dict and type(right) is dict:
        return _merged(left, right)
    if type(left) is str and is_number(right):
        return _repeated(left, to_float(plain(right)))
    if type(right) is str and is_number(left):
        return _repeated(right, to_float(plain(left)))
    raise _refused("multiply", left, right)


def _merged(left: dict[str, Value], right: dict[str, Value]) -> dict[str, Value]:
    merged = dict(left)
    for key, value in right.items():
        old = merged.get(key)
        merged[key] = _merged(old, value) if type(old) is dict and type(value) is dict else value
    return merged


def _repeated(text: str, times: float) -> str | None:
    if times < 0 or times != times:
        return None
    count = int(min(times, _MAX_TEXT))
    if len(text.encode(errors="replace")) * count >= _MAX_TEXT:
        raise JqError(f"repeat string result too large: {preview(text)} * {preview(times)}")
    return text * count


def divide(left: Value, right: Value) -> Value:
    if numbers := _numbers(left, right):
        return _quotient(*numbers)
    if type(left) is str and type(right) is str:
        return split(left, right) if left else []
    raise _refused("divide", left, right)


def _quotient(left: Any, right: Any) -> int | float:
    if right == 0:
        raise JqError(f"cannot divide {described(left)} by: {described(right)}")
    if type(left) is int and left % right == 0:
        return left // right  # type: ignore[no-any-return]  # ints
    return to_float(left) / to_float(right)


def modulo(left: Value, right: Value) -> Value:
    numbers = _numbers(left, right)
    if numbers is None:
        raise _refused("modulo", left, right)
    left, right = numbers
    if type(left) is float:
        if left != left or right != right:
            return math.nan
        left, right = to_int(left), to_int(right)
    if right == 0:
        raise JqError(f"cannot modulo {described(numbers[0])} by: {described(numbers[1])}")
    rest = abs(left) % abs(right)
    return -rest if left < 0 else rest


def negate(value: Value) -> Value:
    if type(value) is Number:
        return Number(value.text[1:] if value.text.startswith("-") else "-" + value.text)
    if not is_number(value):
        raise JqError(f"cannot negate: {described(value)}")
    return -value


def posate(value: Value) -> Value:
    """Unary plus."""
    if not is_number(value):
        raise JqError(f"cannot plus: {described(value)}")
    return value


def split(text: str, separator: str) -> list[Value]:
    """As Go's strings.Split: by characters where the separator is empty."""
    return list(text.split(separator)) if separator else list(text)


BINARY: Final[dict[str, Callable[[Value, Value], Value]]] = {
    "+": add,
    "-": subtract,
    "*": multiply,
    "/": divide,
    "%": modulo,
    "==": lambda left, right: compare(left, right) == 0,
    "!=": lambda left, right: compare(left, right) != 0,
    "<": lambda left, right: compare(left, right) < 0,
    "<=": lambda left, right: compare(left, right) <= 0,
    ">": lambda left, right: compare(left, right) > 0,
    ">=": lambda left, right: compare(left, right) >= 0,
    "//": lambda left, right: left if truthy(left) else right,
}
"""Operators on two values (`//` as in `//=`)."""


def total(values: Iterable[Value]) -> Value:
    """The sum of all, null for none; linear in their size."""
    result: Value = None
    parts: list[Any] = []  # of one joinable type, not joined yet
    for value in values:
        if parts and type(value) is type(parts[0]):
            parts.append(value)
        elif value is not None:
            result = add(_joined(parts) if parts else result, value)
            parts = [result] if type(result) in (str, list, dict) else []
    return _joined(parts) if parts else result


def _joined(parts: list[Any]) -> Value:
    if type(parts[0]) is str:
        return "".join(parts)
    if type(parts[0]) is list:
        return [item for part in parts for item in part]
    return {key: item for part in parts for key, item in part.items()}

"""JSON as Go's encoding/json writes it: compact, `<`, `>`, `&` escaped, floats and bad UTF-8 as Go has them.

Promise   any tree of None, bool, int, float, str, list and dict (text keys), however deep, gives bytes; the
          only error is EvaluationError, for NaN, infinities and other types
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable
from typing import Any, Final

import orjson

from events.errors import EvaluationError
from events.lang.gofmt_scalars import format_float

_LEVELS: Final = 200  # orjson gives up at 254 levels; what lies deeper is encoded apart
_EXACT: Final = 2.0**53
_SURROGATE: Final = re.compile("[\ud800-\udfff]")
_HTML: Final = (
    (b"<", b"\\u003c"),
    (b">", b"\\u003e"),
    (b"&", b"\\u0026"),
    ("\u2028".encode(), b"\\u2028"),
    ("\u2029".encode(), b"\\u2029"),
)


class Number(float):
    """A JSON number that keeps its source text (Go's json.Number): `59.90` stays `59.90`."""

    __slots__ = ("text",)

    def __new__(cls, text: str) -> Number:
        number = super().__new__(cls, text)
        number.text = text
        return number

    text: str


def dumps(value: Any) -> bytes:
    """Compact JSON with sorted keys, as Go's json.Marshal of maps. Raises EvaluationError (see above)."""
    return _marshal(value, orjson.OPT_SORT_KEYS)


def dumps_ordered(value: Any) -> bytes:
    """As `dumps`, with members in the order of the dicts, as Go writes structs."""
    return _marshal(value, 0)


def float_text(value: float) -> str:
    """The text of a finite float: shortest digits, exponent form below 1e-6 and from 1e21 on."""
    size = abs(value)
    if size < _EXACT and value == int(value):
        return str(int(value)) if value or math.copysign(1.0, value) > 0 else "-0"
    if 1e-6 <= size < 1e21:
        return format_float(value, "f")
    return format_float(value, "e").replace("e-0", "e-")


def _marshal(value: Any, order: int) -> bytes:
    try:
        encoded = _encode(value, order, str)
    except TypeError:  # lone surrogates, which stand for bytes that are not UTF-8
        encoded = _encode(value, order, _clean)
    for plain, escaped in _HTML:
        encoded = encoded.replace(plain, escaped)
    return encoded


def _encode(value: Any, order: int, text: Callable[[str], Any]) -> bytes:
    """Copies the tree into what orjson writes in Go's spelling; a loop, so that depth costs no stack."""
    top: list[Any] = [None]
    rest: list[tuple[Any, Any, int]] = [([value], top, 0)]
    deep: list[tuple[Any, Any]] = []
    while rest:
        source, target, depth = rest.pop()
        for key, item in _items(source, text):
            if not isinstance(item, (dict, list)):
                target[key] = text(item) if type(item) is str else _scalar(item)
                continue
            target[key] = inner = {} if isinstance(item, dict) else [None] * len(item)
            rest.append((item, inner, depth + 1))
            if depth and depth % _LEVELS == 0:
                deep.append((target, key))
    for target, key in reversed(deep):
        target[key] = orjson.Fragment(orjson.dumps(target[key], option=order))
    return orjson.dumps(top[0], option=order)


def _items(source: Any, text: Callable[[str], Any]) -> Iterable[tuple[Any, Any]]:
    if isinstance(source, list):
        return enumerate(source)
    for key in source:
        if not isinstance(key, str):
            raise EvaluationError(f"{type(key).__name__} is no name of a JSON member")
    if text is str:
        return source.items()  # type: ignore[no-any-return]  # a dict's
    return [(_SURROGATE.sub("\ufffd", key), item) for key, item in source.items()]


def _clean(text: str) -> Any:
    pieces = [orjson.dumps(piece)[1:-1] for piece in _SURROGATE.split(text)]
    return orjson.Fragment(b'"' + b"\\ufffd".join(pieces) + b'"') if len(pieces) > 1 else text


def _scalar(value: Any) -> Any:
    kind = type(value)
    if value is None or kind is bool:
        return value
    if kind is float:
        return _number(value)
    if kind is int:
        return value if -(2**63) <= value < 2**64 else orjson.Fragment(_digits(value))
    if kind is Number:
        return orjson.Fragment(value.text)
    for base in (str, int, float):
        if isinstance(value, base):
            return _scalar(base(value)) if base is not str else str(value)
    raise EvaluationError(f"{kind.__name__} is no JSON value")


def _number(value: float) -> Any:
    size = abs(value)
    if 1e-4 <= size < _EXACT:  # here orjson and Go spell alike, except for whole numbers
        whole = int(value)
        return whole if whole == value else value
    if not math.isfinite(value):
        raise EvaluationError(f"{value} is no JSON number")
    return orjson.Fragment(float_text(value))


def _digits(value: int) -> str:
    try:
        return str(value)
    except ValueError as exc:  # above sys.get_int_max_str_digits()
        raise EvaluationError("a number with too many digits for JSON") from exc

"""Expressions inside of JSONPath: `[?(@.price > 10)]`, `[(@.length-1)]`, as the standard engine of
github.com/evilmonkeyinc/jsonpath 0.8.1 has them.

The engine knows no precedence beyond the order of its operators, and computes on the text of values: strings
carry single quotes, so `@.a == 'x'` holds and `@.a in ["x"]` does not.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, Protocol

import orjson

from events.errors import EvaluationError, ExpressionError
from events.lang.document import with_floats
from events.lang.exprlang.operators import divide, power
from events.lang.exprlang.values import describe
from events.lang.gofmt import sprint
from events.lang.regex import compile_regex
from events.lang.scalars import parse_bool, parse_float

if TYPE_CHECKING:
    from events.lang.exprlang.jsonpath import Place

MAX_PARSES: Final = 5000
"""Attempts to find an operator in one expression."""

_OPERATORS: Final = (
    *("||", "&&", "==", "!=", "<=", ">=", "<", ">", "=~", "!", "+", "-", "**", "*", "/", "%", "not in", "in"),
    *("@", "$"),
)
_NAMES: Final = ("nil", "null")
_INTEGER: Final = re.compile(r"[+-]?[0-9]{1,18}")


class _Operator(Protocol):
    """A compiled operator."""

    def __call__(self, place: Place, /) -> Any:
        """Its value at a place. Raises EvaluationError."""
        ...


class Expression:
    """A compiled expression."""

    def __init__(self, text: str) -> None:
        """Raises EvaluationError for a selector that is no JSONPath."""
        self._text = text
        self._operator = _Builder().build(text, _OPERATORS)

    def require(self) -> None:
        """Raise EvaluationError if the expression is empty."""
        if not self._text:
            raise EvaluationError("JSONPath: the expression is empty")

    def evaluate(self, place: Place) -> Any:
        """The value; an expression without an operator is a number, a boolean or a text."""
        self.require()
        if self._operator is not None:
            return self._operator(place)
        if self._text in _NAMES:
            return None
        for read in (_number, _boolean):
            try:
                return read(self._text, place)
            except EvaluationError:
                continue
        return self._text

    def accepts(self, place: Place) -> bool:
        """Whether a filter takes the value at this place; an error is a no."""
        try:
            return _is_true(self.evaluate(place))
        except EvaluationError:
            return False


def _is_true(value: Any) -> bool:
    if isinstance(value, str) and len(value) > 1 and value[0] in "'\"" and value[-1] == value[0]:
        value = value[1:-1]
    return bool(value)


# --- Finding operators


class _Builder:
    """One compilation. Bounded, because some texts are tried over and over."""

    def __init__(self) -> None:
        self._left = MAX_PARSES

    def build(self, text: str, symbols: Sequence[str]) -> _Operator | None:
        """The operator that splits the text, looked for in the order of `symbols`; None if there is none."""
        while symbols:
            self._left -= 1
            if self._left < 0:
                raise EvaluationError("JSONPath: the expression is too complex")
            symbol, text = symbols[0], text.strip()
            if not text:
                return None
            if text[0] == "(" and text[-1] == ")":  # the symbol at hand is tried first, then all of them
                text, symbols = text[1:-1].strip(), ("", *_OPERATORS)
            found = self._split(text, symbol, symbols)
            if found is not None:
                return found
            symbols = symbols[1:]
        return None

    def _split(self, text: str, symbol: str, symbols: Sequence[str]) -> _Operator | None:
        """The text as an operation of this symbol, None if it is none."""
        start = _find(text, symbol)
        if start < 0:
            return None
        before, behind, selects = (
            text[:start].strip(),
            text[start + len(symbol) :].strip(),
            symbol in ("@", "$"),
        )
        if not (behind or selects):
            return None
        right = self._argument(behind, symbols)
        if not (before or selects or symbol == "!"):
            return None
        left = self._argument(before, symbols)
        if selects or symbol == "!":
            if left is not None:
                return None
            return _selection(text) if selects else lambda place: not _boolean(right, place)
        if not symbol:
            raise EvaluationError("JSONPath: these parentheses are not supported")
        return _BINARY[symbol](left, right)

    def _argument(self, text: str, symbols: Sequence[str]) -> Any:
        """An operator, a list or map written as JSON, a text, or None for nothing."""
        built = self.build(text, symbols)
        if built is not None:
            return built
        text = text.strip()
        if text[:1] + text[-1:] in ("[]", "{}"):
            return _decoded(text, text)
        return text or None


def _find(text: str, symbol: str) -> int:
    """Where an operator first stands outside of quotes and brackets, -1 if nowhere."""
    quote = ""
    square = round_ = 0
    for index, char in enumerate(text):
        if char in "'\"":
            if quote not in ("", char) or square > 0 or round_ > 0:
                continue
            quote = "" if quote else char
        elif char in "()":
            if quote or square > 0:
                continue
            round_ += 1 if char == "(" else -1
        elif char in "[]":
            if quote or round_ > 0:
                continue
            square += 1 if char == "[" else -1
        if not (quote or square > 0 or round_ > 0) and text.endswith(symbol, 0, index + 1):
            return index + 1 - len(symbol)
    return -1


def _decoded(text: str, otherwise: Any) -> Any:
    try:
        return with_floats(orjson.loads(text))
    except orjson.JSONDecodeError:
        return otherwise


def _selection(text: str) -> _Operator:
    """A path from `@` or `$`; strings get single quotes."""
    from events.lang.exprlang.jsonpath import compile_steps  # paths hold expressions hold paths
    from events.lang.exprlang.jsonpath_syntax import parse_path

    apply = compile_steps(parse_path(text))

    def select(place: Place) -> Any:
        value = apply(place)
        return _quoted(value) if isinstance(value, str) else value

    return select


def _quoted(text: str) -> str:
    return text if len(text) > 1 and text[0] == text[-1] == "'" else f"'{text}'"


# --- Arguments as numbers, booleans, texts and lists


def _value(argument: Any, place: Place) -> Any:
    """The argument with operators evaluated and names looked up."""
    if callable(argument):
        argument = argument(place)
    if not isinstance(argument, str):
        return argument
    known: Mapping[str, Any] = {"$": place.root, "@": place.current, "nil": None, "null": None}
    return known.get(argument, argument)


def _printed(argument: Any, place: Place) -> str:
    if argument is None:
        raise EvaluationError("JSONPath: an argument is missing")
    return _shown(_value(argument, place), place)


def _shown(value: Any, place: Place) -> str:
    place.budget.walk(value)
    return sprint(value)


def _number(argument: Any, place: Place) -> float:
    try:
        return parse_float(_printed(argument, place))
    except ExpressionError as exc:
        raise EvaluationError("JSONPath: expected a number") from exc


def _integer(argument: Any, place: Place) -> int:
    text = _printed(argument, place)
    if not _INTEGER.fullmatch(text):
        raise EvaluationError("JSONPath: expected an integer")
    return int(text)


def _boolean(argument: Any, place: Place) -> bool:
    value = _value(argument, place)
    if value is None:
        return False
    try:
        return parse_bool(_shown(value, place))
    except ExpressionError as exc:
        raise EvaluationError("JSONPath: expected a boolean") from exc


def _text(argument: Any, place: Place) -> str:
    if argument is None:
        raise EvaluationError("JSONPath: an argument is missing")
    given = argument(place) if callable(argument) else argument
    value = _value(given, place)
    if not isinstance(value, str):
        return _shown(value, place)
    if len(value) > 1 and value[0] == value[-1] == '"':
        return f"'{value[1:-1]}'"
    return value if value is given else _quoted(value)


def _elements(argument: Any, place: Place) -> list[Any]:
    value = _value(argument, place)
    if isinstance(value, str) and value[:1] + value[-1:] in ("[]", "{}"):
        value = _decoded(value, None)
    if isinstance(value, dict):
        return list(value.values())
    if not isinstance(value, list):
        raise EvaluationError(f"JSONPath: {describe(value)} is no list")
    return value


# --- Operations


def _logic(name: str) -> Callable[[Any, Any], _Operator]:
    def make(left: Any, right: Any) -> _Operator:
        def run(place: Place) -> bool:
            first, second = _boolean(left, place), _boolean(right, place)
            return (first or second) if name == "||" else (first and second)

        return run

    return make


def _numeric(compute: Callable[[float, float], Any]) -> Callable[[Any, Any], _Operator]:
    return lambda left, right: lambda place: compute(_number(left, place), _number(right, place))


def _equal(left: Any, right: Any) -> Callable[[Place], bool]:
    def run(place: Place) -> bool:
        try:
            return _number(left, place) == _number(right, place)
        except EvaluationError:
            return _text(left, place) == _text(right, place)

    return run


def _unequal(left: Any, right: Any) -> Callable[[Place], bool]:
    equal = _equal(left, right)
    return lambda place: not equal(place)


def _matches(left: Any, right: Any) -> _Operator:
    def run(place: Place) -> bool:
        text, pattern = _unquoted(_text(left, place)), _unquoted(_text(right, place))
        place.budget.spend(100)
        try:
            return compile_regex(pattern).search(text)
        except ExpressionError as exc:
            raise EvaluationError(exc.message) from exc

    return run


def _unquoted(text: str) -> str:
    return text[1:-1] if len(text) > 1 and text[0] == text[-1] == "'" else text


def _modulo(left: Any, right: Any) -> _Operator:
    def run(place: Place) -> int:
        dividend, divisor = _integer(left, place), _integer(right, place)
        if not divisor:
            raise ZeroDivisionError  # upstream panics, which no filter swallows
        rest = abs(dividend) % abs(divisor)
        return -rest if dividend < 0 else rest

    return run


def _contains(left: Any, right: Any) -> Callable[[Place], bool]:
    def run(place: Place) -> bool:
        item = _comparable(left, place)
        elements = _elements(right, place)
        place.budget.spend(len(elements))
        return any(type(element) is type(item) and element == item for element in elements)

    return run


def _comparable(argument: Any, place: Place) -> Any:
    for read in (_number, _text, _boolean):
        try:
            return read(argument, place)
        except EvaluationError:
            continue
    return argument


def _lacks(left: Any, right: Any) -> Callable[[Place], bool]:
    contains = _contains(left, right)
    return lambda place: not contains(place)


_BINARY: Final[dict[str, Callable[[Any, Any], _Operator]]] = {
    "||": _logic("||"),
    "&&": _logic("&&"),
    "==": _equal,
    "!=": _unequal,
    "<=": _numeric(operator.le),
    ">=": _numeric(operator.ge),
    "<": _numeric(operator.lt),
    ">": _numeric(operator.gt),
    "=~": _matches,
    "+": _numeric(operator.add),
    "-": _numeric(operator.sub),
    "**": _numeric(power),
    "*": _numeric(operator.mul),
    "/": _numeric(divide),
    "%": _modulo,
    "not in": _lacks,
    "in": _contains,
}

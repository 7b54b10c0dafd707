"""Expressions of filters: comparisons of text with numbers, text that is read as a date."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

from events.api.model import Problem
from events.api.origin import Path
from events.errors import ExpressionError
from events.lang.govaluate_tokens import Kind, Token, tokenize
from events.lang.scalars import parse_float
from events.tools.lint.filters import kind_of_data
from events.tools.lint.payloads import check_path, text_paths
from events.tools.lint.subjects import Index, dependencies, warning

if TYPE_CHECKING:
    from events.api.sensor import ExprFilter, Sensor

ORDER = (">", ">=", "<", "<=")
COMPARISONS = ("==", "!=", *ORDER)


class Comparison(NamedTuple):
    """Two operands of a comparison that stand directly beside it."""

    left: Token
    symbol: str
    right: Token

    def literal(self, kind: Kind) -> str:
        """The variable that is compared with a literal of a kind, "" when none is."""
        for one, other in ((self.left, self.right), (self.right, self.left)):
            if one.kind is Kind.VARIABLE and other.kind is kind:
                return str(one.value)
        return ""


def check_expressions(sensor: Sensor, index: Index) -> Iterator[Problem]:
    """All rules about the expression filters of one sensor."""
    for path, dependency in dependencies(sensor):
        filters = dependency.filters
        kind = kind_of_data(sensor.namespace, dependency, index)
        for place, item in enumerate(filters.exprs if filters else ()):
            at = (*path, "filters", "exprs", place)
            yield from _fields(at, item, kind)
            yield from _expression((*at, "expr"), item, kind)


def _fields(at: Path, item: ExprFilter, kind: str) -> Iterator[Problem]:
    for place, field in enumerate(item.fields):
        if found := check_path((*at, "fields", place, "path"), field.path, kind):
            yield found


def _expression(at: Path, item: ExprFilter, kind: str) -> Iterator[Problem]:
    try:
        tokens = tokenize(item.expr)
    except ExpressionError:
        return  # told where it is compiled
    found = [*comparisons(tokens)]
    yield from _dates(at, item.expr, tokens)
    yield from _quoted_numbers(at, found)
    yield from _unbound(at, item, tokens)
    texts = {field.name for field in item.fields if text_paths(kind, field.path)}
    yield from _mixed(at, found, texts)


def comparisons(tokens: Sequence[Token]) -> Iterator[Comparison]:
    """The comparisons whose operands are single tokens."""
    for left, middle, right in zip(tokens, tokens[1:], tokens[2:], strict=False):
        if middle.kind is Kind.COMPARATOR and middle.value in COMPARISONS:
            yield Comparison(left, middle.value, right)


def _dates(at: Path, text: str, tokens: Sequence[Token]) -> Iterator[Problem]:
    for token in tokens:
        if token.kind is Kind.DATE:
            spelled = text[token.position : token.position + 40].split(text[token.position])[1]
            said = f"{spelled!r} is read as a date, the number {token.value:.0f}: no text ever equals it"
            hint = f"compare text with a pattern: =~ '^{spelled}$'"
            yield warning(at, "date-literal", said, hint)


def _quoted_numbers(at: Path, found: Sequence[Comparison]) -> Iterator[Problem]:
    for one in found:
        for token in (one.left, one.right):
            if one.symbol in ORDER and token.kind is Kind.STRING and _is_number(token.value):
                said = f"{one.symbol} with the text {token.value!r} compares text, and fails for numbers"
                yield warning(at, "number-as-text", said, f"write {token.value} without quotes")


def _is_number(text: str) -> bool:
    try:
        parse_float(text)
    except ExpressionError:
        return False
    return True


def _mixed(at: Path, found: Sequence[Comparison], texts: set[str]) -> Iterator[Problem]:
    """A value is text or a number, never both: one of the two comparisons is never true."""
    numbers = {one.literal(Kind.NUMBER) for one in found} - {""}
    strings = {one.literal(Kind.STRING) for one in found} - {""}
    for name in sorted(numbers & strings):
        said = f"{name} is compared with a number and with text; a number never equals text"
        yield warning(at, "text-and-number", said, "compare it with one of the two")
    for name in sorted((numbers & texts) - strings):
        said = f"{name} is text, which never equals a number"
        yield warning(at, "text-and-number", said, "put the number in quotes")
    for one in found:
        if {one.left.kind, one.right.kind} == {Kind.NUMBER, Kind.STRING}:
            said = f"compares the text {_text(one)!r} with a number, which it never equals"
            yield warning(at, "text-and-number", said, "write both with or without quotes")


def _text(one: Comparison) -> str:
    return str(one.left.value if one.left.kind is Kind.STRING else one.right.value)


def _unbound(at: Path, item: ExprFilter, tokens: Sequence[Token]) -> Iterator[Problem]:
    bound = {field.name for field in item.fields}
    used = {str(token.value) for token in tokens if token.kind is Kind.VARIABLE}
    for name in sorted(used - bound):
        said = f"{name} is not among the fields: every event is refused with an error"
        hint = f"add it to fields, as in {{path: body.{name}, name: {name}}}"
        yield warning(at, "unbound-name", said, hint)

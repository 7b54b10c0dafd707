"""JSONPath (`$.a[*].b`) over the decoded payload, by the library jsonpath-ng with its filter extension.

Result   the first match; several matches give a JSON array of them, none is missing
Numbers  the decoded ones: `1.50` is written `1.5`
Limits   no regular expressions (`=~`, `sub()`): the library's engine has no bound on its work
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import Any

import orjson
from jsonpath_ng.exceptions import JSONPathError
from jsonpath_ng.ext.parser import parse
from jsonpath_ng.ext.string import DefintionInvalid, Sub
from jsonpath_ng.jsonpath import JSONPath

from events.errors import EvaluationError, ExpressionError
from events.lang.document import Document
from events.lang.gjson_result import Scanned
from events.lang.gjson_scan import value_end
from events.lang.path import Path

_FAULTS = (
    JSONPathError,
    ArithmeticError,
    AssertionError,
    AttributeError,
    LookupError,
    NotImplementedError,
    RecursionError,
    TypeError,
    ValueError,
)


class JSONPathPath(Path):
    """A JSONPath expression with the interface of a gjson path."""

    __slots__ = ("_expression",)

    def __init__(self, source: str, expression: JSONPath) -> None:
        super().__init__(source)
        self._expression = expression

    def scan(self, doc: Document) -> Scanned:
        """What the expression selects. Raises EvaluationError when it cannot be evaluated."""
        try:
            found = [match.value for match in self._expression.find(doc.tree)]
            return _result(found)
        except _FAULTS as exc:
            raise EvaluationError(f"JSONPath failed: {exc!r}", self.source) from exc


def _result(found: list[Any]) -> Scanned:
    if not found:
        return Scanned("Null", "")
    raw = orjson.dumps(found[0] if len(found) == 1 else found).decode()
    return Scanned(value_end(raw, 0)[0], raw)


def compile_jsonpath(text: str) -> Path:
    """The expression in `text`. Raises ExpressionError if it does not parse or needs regular expressions."""
    try:
        with warnings.catch_warnings(action="ignore", category=DeprecationWarning):
            expression = parse(text)  # warns of syntax that a later version of the library will drop
    except (*_FAULTS, DefintionInvalid) as exc:
        raise ExpressionError(f"not a JSONPath: {exc}", text) from exc
    if any(isinstance(node, Sub) or getattr(node, "op", None) == "=~" for node in _nodes(expression)):
        raise ExpressionError("JSONPath cannot use regular expressions here", text)
    return JSONPathPath(text, expression)


def _nodes(expression: JSONPath) -> Iterator[Any]:
    """All nodes of a parsed expression."""
    unread: list[Any] = [expression]
    while unread:
        node = unread.pop()
        yield node
        for part in vars(node).values():
            parts = part if isinstance(part, list) else [part]
            unread.extend(item for item in parts if isinstance(item, JSONPath))

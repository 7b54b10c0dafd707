"""Tests of gjson queries: the comparison in `#(path op value)` and the `*` and `?` patterns of names."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable
from typing import Any, Final

from events.lang.gjson_number import parse_float
from events.lang.gjson_result import Result

_TRUTHS: Final = frozenset(("1", "t", "true"))
_FALSEHOODS: Final = frozenset(("0", "f", "false"))
_COMPARISONS: Final[dict[str, Callable[[Any, Any], bool]]] = {
    "=": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_PATTERN_PART: Final = re.compile(r"(\*++)|(\?)|\\(.)|([^*?\\]++|\\)", re.DOTALL)
_NEVER: Final = "(?!)"
_SURROGATES: Final = re.compile("[\ud800-\udfff]")


def comparison(op: str, operand: str) -> Callable[[Result], bool]:
    """The test that a query puts to what its path found in an element. `op` "" asks only for existence.

    The kind of the value decides how it compares; null, objects and arrays compare with nothing.
    """
    if operand.startswith("~"):
        return _tilde(op, operand[1:])
    by_kind = _tests(op, operand)

    def test(value: Result) -> bool:
        compare = by_kind.get(value.kind)
        return compare is not None and compare(value)

    return test if op else lambda value: value.exists


def _tests(op: str, operand: str) -> dict[str, Callable[[Result], bool]]:
    tests = _bool_tests(op, operand)
    if compare := _COMPARISONS.get(op):
        number = parse_float(operand)
        tests["String"] = lambda value: compare(value.text, operand)
        tests["Number"] = lambda value: compare(value.number, number)
    elif op in ("%", "!%"):
        fits, wanted = pattern(operand), op == "%"
        tests["String"] = lambda value: fits(value.text) is wanted
    return tests


def _bool_tests(op: str, operand: str) -> dict[str, Callable[[Result], bool]]:
    """false is less than true; an operand that is neither differs from both."""
    when_true = {"=": operand == "true", "!=": operand != "true", ">": operand == "false", ">=": True}
    when_false = {"=": operand == "false", "!=": operand != "false", "<": operand == "true", "<=": True}
    answers = {"True": when_true.get(op, False), "False": when_false.get(op, False)}
    return {"True": lambda value: answers["True"], "False": lambda value: answers["False"]}


def _tilde(op: str, name: str) -> Callable[[Result], bool]:
    """`~true`, `~false`, `~null`, `~*`: the value is looked at as that truth, which is compared with true."""
    truth = _TILDE.get(name)
    if truth is None:
        return lambda value: False
    if not op:
        return lambda value: True
    tests = _bool_tests(op, "true")
    return lambda value: tests["True" if truth(value) else "False"](value)


def _truthy(value: Result) -> bool:
    if value.kind == "String":
        return value.text.lower() in _TRUTHS
    return value.kind == "True" or (value.kind == "Number" and value.number != 0)


def _falsy(value: Result) -> bool:
    if value.kind == "String":
        return value.text.lower() in _FALSEHOODS
    return value.kind in ("Null", "False") or (value.kind == "Number" and value.number == 0)


_TILDE: Final[dict[str, Callable[[Result], bool]]] = {
    "*": lambda value: value.exists,
    "null": lambda value: value.kind == "Null",
    "true": _truthy,
    "false": _falsy,
}


def pattern(text: str) -> Callable[[str], bool]:
    r"""The test of a text against a pattern: `*` any run, `?` any one character, `\` takes the next as it is.

    Compiled to a regular expression whose groups never give back what they took, so work is bounded. A lone
    `\` at the end stands for itself behind a `*` and fits nothing without one.
    """
    compiled = re.compile(_expression(_readable(text)), re.DOTALL)
    return lambda candidate: compiled.fullmatch(_readable(candidate)) is not None


def _expression(text: str) -> str:
    """`(?>.*?part)` for each part behind a star but the last, which has to reach the end."""
    parts, plain = [""], ""
    for star, any_one, escaped, plain in _PATTERN_PART.findall(text):
        if star:
            parts.append("")
        else:
            parts[-1] += "." if any_one else re.escape(escaped or plain)
    if len(parts) == 1:
        return _NEVER if plain == "\\" else parts[0]
    return parts[0] + "".join(f"(?>.*?{part})" for part in parts[1:-1]) + ".*" + parts[-1]


def _readable(text: str) -> str:
    """Every byte that is not UTF-8 as U+FFFD: to a pattern they are all the same character."""
    return text if text.isascii() else _SURROGATES.sub("\ufffd", text)

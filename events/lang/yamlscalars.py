"""YAML scalars to values, as the Kubernetes API reads them.

Spec      sigs.k8s.io/yaml (go-yaml v2): YAML 1.1 truth values (y, yes, on, ...), no dates, no base 60,
          `1e3` is a number, a leading 0 means octal, `_` between digits is ignored
"""

from __future__ import annotations

import re
from base64 import b64decode
from binascii import Error as Base64Error
from math import inf, isfinite, nan
from typing import TypeAlias

Scalar: TypeAlias = bool | int | float | str | None

TAG = "tag:yaml.org,2002:"
_WORDS: dict[str, Scalar] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("y", "Y", "yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON"), True),
    **dict.fromkeys(("n", "N", "no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF"), False),
    **dict.fromkeys((".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF"), inf),
    **dict.fromkeys(("-.inf", "-.Inf", "-.INF"), -inf),
    **dict.fromkeys((".nan", ".NaN", ".NAN"), nan),
}
_INTEGER = re.compile(r"([-+]?)(?:0[xX]([0-9a-fA-F]+)|0[bB]([01]+)|0[oO]([0-7]+)|0([0-7]+)|(0|[1-9][0-9]*))")
_BASES = (16, 2, 8, 8, 10)
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_FRACTION = re.compile(r"\.[0-9]+(?:_[0-9]+)*(?:[eE][-+]?[0-9]+(?:_[0-9]+)*)?")
_TYPES: dict[str, type | tuple[type, ...]] = {
    "bool": bool, "int": int, "float": (int, float), "null": type(None), "timestamp": str,
}  # fmt: skip
_FIRST = frozenset("0123456789+-.yYnNtTfFoO~")


def resolve(text: str, tag: str | None, *, plain: bool) -> Scalar:
    """The value of a scalar. `plain` means: without quotes and tag. Raises ValueError for a tag that lies."""
    value = _tagged(text, tag.removeprefix(TAG)) if tag else _plain(text) if plain else text
    if isinstance(value, float):
        if not isfinite(value):
            raise ValueError(f"is not a number that JSON knows: {text}; put it in quotes if it is text")
        return int(value) if value.is_integer() and abs(value) < 2**63 else value
    return value


def _tagged(text: str, tag: str) -> Scalar:
    if tag == "binary":
        return _binary(text)
    if tag not in _TYPES:
        return text
    value = _plain(text)
    if not isinstance(value, _TYPES[tag]) or (isinstance(value, bool) and tag != "bool"):
        raise ValueError(f"is marked !!{tag}, but it is none: {text[:40]!r}")
    return value


def _plain(text: str) -> Scalar:
    if text in _WORDS:
        return _WORDS[text]
    if text[0] not in _FIRST:
        return text
    number = _fraction(text) if text[0] == "." else _number(text.replace("_", ""))
    return text if number is None else number


def _fraction(text: str) -> float | None:
    return _float(text.replace("_", "")) if _FRACTION.fullmatch(text) else None


def _number(text: str) -> int | float | None:
    if found := _INTEGER.fullmatch(text):
        digits, base = next((d, b) for d, b in zip(found.groups()[1:], _BASES, strict=True) if d is not None)
        if len(digits) < 100:
            value = int(found[1] + digits, base)
            if -(2**63) <= value < (2**63 if found[1] == "+" else 2**64):
                return value
    return _float(text) if _FLOAT.fullmatch(text) else None


def _float(text: str) -> float | None:
    """What is too large for a number is text."""
    value = float(text)
    return value if isfinite(value) else None


def _binary(text: str) -> str:
    try:
        return b64decode(text.replace("\n", ""), validate=True).decode(errors="replace")
    except Base64Error as exc:
        raise ValueError("is marked !!binary, but it is not base64") from exc

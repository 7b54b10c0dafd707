"""The modifiers of gjson paths (`@reverse`, `@join`, ...): JSON text to JSON text.

Each factory gets the argument behind the colon, "" for none, and gives the function; what a modifier
cannot use it returns as it is.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from events.lang.gjson_pretty import Layout, prettify
from events.lang.gjson_result import Scanned
from events.lang.gjson_scan import (
    STRING,
    bracket_ends,
    children,
    first_value,
    go_string,
    iterate,
    trim,
    unescape,
)
from events.lang.json_text import well_formed

Modifier = Callable[[str], str]

_UGLY: Final = re.compile(rf"({STRING.pattern})|[\x00-\x20]++", re.DOTALL)
_WHITE: Final = " \t\n\r"
_DIGITS: Final = re.compile("-?[0-9]+")
_WIDEST: Final = 1 << 30


def options(argument: str) -> dict[str, Scanned]:
    """The members of a modifier's argument, an object; the last of equal names counts."""
    return {unescape(name[1:-1]): Scanned(kind, raw) for name, kind, raw in iterate(argument)}


def _flag(argument: str, name: str) -> bool:
    value = options(argument).get(name)
    return value is not None and value.boolean


def parse(text: str) -> Scanned | None:
    """The first value of the text, as gjson.Parse."""
    value = first_value(text)
    return None if value is None else Scanned(value[0], text[value[1] : value[2]], value[1])


def _this(argument: str) -> Modifier:
    return lambda text: text


def _ugly(argument: str) -> Modifier:
    return lambda text: _UGLY.sub(r"\1", text)


def _valid(argument: str) -> Modifier:
    return lambda text: text if well_formed(text) else ""


def _tostr(argument: str) -> Modifier:
    return go_string


def _fromstr(argument: str) -> Modifier:
    def from_string(text: str) -> str:
        value = parse(text) if well_formed(text) else None
        return "" if value is None else value.text

    return from_string


def _pretty(argument: str) -> Modifier:
    layout = _layout(options(argument))
    return lambda text: prettify(text, layout)


def _layout(given: dict[str, Scanned]) -> Layout:
    layout = Layout()
    if "sortKeys" in given:
        layout = layout._replace(sort_keys=given["sortKeys"].boolean)
    if "indent" in given:
        layout = layout._replace(indent=_white(given["indent"].text))
    if "prefix" in given:
        layout = layout._replace(prefix=_white(given["prefix"].text))
    if "width" in given:
        layout = layout._replace(width=_integer(given["width"]))
    return layout


def _white(text: str) -> str:
    return "".join(char for char in text if char in _WHITE)


def _integer(value: Scanned) -> int:
    """As gjson's Int(), within a range beyond which widths do not differ."""
    number = value.number
    if value.kind == "String" and not _DIGITS.fullmatch(value.text):
        number = 0.0
    return int(max(-1.0, min(number, float(_WIDEST)))) if number == number else 0


def bracketed(opened: str, parts: list[str]) -> str:
    """An array or object of the parts, without white space."""
    return f"{opened}{','.join(parts)}{'}' if opened == '{' else ']'}"


def _opening(text: str) -> str:
    """The bracket that the value starts with, "" for a scalar."""
    value = parse(text)
    return value.raw[0] if value is not None and value.kind == "JSON" else ""


def _reverse(argument: str) -> Modifier:
    def reverse(text: str) -> str:
        opened = _opening(text)
        if not opened:
            return text
        parts = [f"{name}:{raw}" if name else raw for name, _, raw in iterate(text)]
        return bracketed(opened, parts[::-1])

    return reverse


def _keys(argument: str) -> Modifier:
    return lambda text: bracketed("[", [name or "null" for name, _, _ in iterate(text)])


def _values(argument: str) -> Modifier:
    def values(text: str) -> str:
        return text if _opening(text) == "[" else bracketed("[", [raw for _, _, raw in iterate(text)])

    return values


def _flatten(argument: str) -> Modifier:
    leaves = _leaves if _flag(argument, "deep") else _unwrapped

    def flatten(text: str) -> str:
        return bracketed("[", leaves(text)) if _opening(text) == "[" else text

    return flatten


def _leaves(text: str) -> list[str]:
    """The elements of the array and of all arrays in it, in order."""
    found: list[str] = []
    ends = bracket_ends(text)
    unread = [(text.index("["), len(text))]
    while unread:
        start, stop = unread.pop()
        if text[start] == "[":
            unread.extend(reversed([(i, end) for _, _, i, end in children(text, start, stop, ends)]))
        else:
            found.append(text[start:stop])
    return found


def _unwrapped(text: str) -> list[str]:
    """The elements of the array, with the inside of those that are arrays as it is written."""
    parts = (trim(raw[1:-1]) if raw.startswith("[") else raw for _, _, raw in iterate(text))
    return [part for part in parts if part]


def _join(argument: str) -> Modifier:
    join = _all_members if _flag(argument, "preserve") else _last_members

    def joined(text: str) -> str:
        if _opening(text) != "[":
            return text
        return bracketed("{", join([raw for _, _, raw in iterate(text) if raw.startswith("{")]))

    return joined


def _all_members(objects: list[str]) -> list[str]:
    return [raw[1:-1] for raw in objects]


def _last_members(objects: list[str]) -> list[str]:
    """One member per name: placed and spelled as where it first occurs, with its last value."""
    names: dict[str, str] = {}
    values: dict[str, str] = {}
    for raw in objects:
        for name, _, value in iterate(raw):
            key = unescape(name[1:-1])
            names.setdefault(key, name)
            values[key] = value
    return [f"{name}:{values[key]}" for key, name in names.items()]


def _group(argument: str) -> Modifier:
    def group(text: str) -> str:
        if _opening(text) != "{":
            return ""
        rows: list[list[str]] = []
        for name, _, column in iterate(text):
            if column.startswith("["):
                _add_column(rows, name, column)
        return bracketed("[", [bracketed("{", row) for row in rows])

    return group


def _add_column(rows: list[list[str]], name: str, column: str) -> None:
    for i, (_, _, raw) in enumerate(iterate(column)):
        if i == len(rows):
            rows.append([])
        rows[i].append(f"{name}:{raw}")


FACTORIES: Final[dict[str, Callable[[str], Modifier]]] = {
    "this": _this,
    "ugly": _ugly,
    "pretty": _pretty,
    "valid": _valid,
    "tostr": _tostr,
    "fromstr": _fromstr,
    "reverse": _reverse,
    "keys": _keys,
    "values": _values,
    "flatten": _flatten,
    "join": _join,
    "group": _group,
}

"""The layout of gjson's `@pretty`: a line for each member, arrays without objects on one line if they fit."""

from __future__ import annotations

from typing import NamedTuple

from events.lang.gjson_number import parse_float
from events.lang.gjson_scan import Kind, bracket_ends, children, first_value, unescape, value_end

_WORDS = {"True": "true", "False": "false", "Null": "null"}
_RANKS = {"n": 0, "f": 1, '"': 3, "t": 4, "{": 5, "[": 5}
_NUMBER_RANK = 2
_SEPARATOR = 2  # columns: a comma and a blank, or the brackets for the first element
_LEAST_ROOM = 4  # columns below which nothing is tried on one line


class Layout(NamedTuple):
    """The options of `@pretty`."""

    sort_keys: bool = False
    indent: str = "  "
    prefix: str = ""
    width: int = 80


def prettify(text: str, layout: Layout) -> str:
    """The first value of the text laid out, a newline at the end. Raises RecursionError when too deep."""
    value = first_value(text)
    if value is None:
        return layout.prefix and layout.prefix + "\n"
    printer = _Printer(text, layout)
    kind, start, end = value
    if kind == "JSON":
        kind, end = value_end(text, start, printer.ends)
    return f"{layout.prefix}{printer.value(kind, start, end, 0, _columns(layout.prefix))}\n"


class _Printer:
    def __init__(self, text: str, layout: Layout) -> None:
        self._text = text
        self._layout = layout
        self.ends = bracket_ends(text)

    def value(self, kind: Kind, start: int, end: int, level: int, used: int) -> str:
        """The text of a value that starts behind `used` columns, its own lines indented below `level`."""
        if kind != "JSON":
            return self._scalar(kind, start, end)
        if self._text[start] == "{":
            return self._object(start, end, level)
        room = self._layout.width - used
        line = self._one_line(start, end, room) if self._layout.width > 0 and room >= _LEAST_ROOM else None
        return line if line is not None else self._array(start, end, level)

    def _scalar(self, kind: Kind, start: int, end: int) -> str:
        return _WORDS.get(kind) or self._text[start:end]

    def _object(self, start: int, end: int, level: int) -> str:
        lead = self._lead(level + 1)
        members = []
        for name, kind, i, stop in children(self._text, start, end, self.ends):
            label = f"{lead}{name}: "
            members.append((name, label, self.value(kind, i, stop, level + 1, _columns(label))))
        if self._layout.sort_keys:
            members.sort(key=lambda member: _order(member[0], member[2]))
        return self._lines("{", [label + text for _, label, text in members], level)

    def _array(self, start: int, end: int, level: int) -> str:
        """The line break before an element counts as a column of the first one only, as upstream counts."""
        lead = self._lead(level + 1)
        used = _columns(lead)
        elements = [
            lead + self.value(kind, i, stop, level + 1, used - (n > 0))
            for n, (_, kind, i, stop) in enumerate(children(self._text, start, end, self.ends))
        ]
        return self._lines("[", elements, level)

    def _lines(self, opened: str, parts: list[str], level: int) -> str:
        end = self._lead(level) if parts else ""
        return f"{opened}{','.join(parts)}{end}{'}' if opened == '{' else ']'}"

    def _lead(self, level: int) -> str:
        return f"\n{self._layout.prefix}{self._layout.indent * level}"

    def _on_line(self, kind: Kind, start: int, end: int, room: int) -> str | None:
        if kind != "JSON":
            return self._scalar(kind, start, end)
        return None if self._text[start] == "{" else self._one_line(start, end, room)

    def _one_line(self, start: int, end: int, room: int) -> str | None:
        """The array on one line, None when it takes more columns than `room` or there is an object in it."""
        parts: list[str] = []
        for _, kind, i, stop in children(self._text, start, end, self.ends):
            room -= _SEPARATOR
            part = self._on_line(kind, i, stop, room)
            if part is None or room < _columns(part):
                return None
            parts.append(part)
            room -= _columns(part)
        return f"[{', '.join(parts)}]"


def _columns(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode("utf-8", "surrogateescape"))


def _order(name: str, text: str) -> tuple[str, int, float, str]:
    """By name, then kind (null, false, numbers, strings, true, the rest), then value."""
    rank = _RANKS.get(text[0], _NUMBER_RANK)
    number = parse_float(text) if rank == _NUMBER_RANK else 0.0
    return unescape(name[1:-1]), rank, number, unescape(text[1:-1]) if text[0] == '"' else text

"""Searches JSON text along a gjson path.

A `Getter` is one path text. It is compiled at its first use, and so is each part of it when the first value
reaches it: what a component means depends on whether it meets an object or an array. The search is gjson's:
the first match in document order; it goes on with later members of the same name or pattern when the rest
of the path finds nothing below one.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from events.errors import EvaluationError
from events.lang.gjson_modifiers import FACTORIES, Modifier, bracketed
from events.lang.gjson_number import parse_index
from events.lang.gjson_query import comparison, pattern
from events.lang.gjson_result import Scanned
from events.lang.gjson_scan import (
    BRACKET,
    Kind,
    bracket_ends,
    children,
    first_value,
    go_string,
    is_end,
    next_element,
    next_member,
    unescape,
    value_end,
)
from events.lang.gjson_syntax import (
    Query,
    Selector,
    last_name,
    split_element,
    split_literal,
    split_member,
    split_modifier,
    split_pipe,
    split_selectors,
)
from events.lang.json_text import well_formed

Search = Callable[[str], Scanned]
Step = Callable[["_Walk", int], tuple[int, Scanned | None]]
"""Looks for the rest of a path in a container whose inside starts at the offset. Gives the offset behind the
container, and the value or None to go on looking."""

_BRACKETS: Final = ("{", "[")
_DIG_FACTOR: Final = 32  # how often a character may be searched on average: once for each value that it is in
_DIG_LEAST: Final = 1_000_000
_NOTHING: Final = Scanned("Null", "")


class Getter:
    """One path, ready to search JSON text: gjson.Get. Raises RecursionError for a path of very many parts."""

    __slots__ = ("_search", "path")

    def __init__(self, path: str) -> None:
        self.path = path
        self._search: Search | None = None

    def __call__(self, text: str) -> Scanned:
        if self._search is None:
            self._search = _compile(self.path)
        return self._search(text)


class _Walk:
    """One search through one text: the list of a `#(...)#` found so far, and the pipe its result goes to."""

    __slots__ = ("pending", "pipe", "text")

    def __init__(self, text: str) -> None:
        self.text = text
        self.pending: Scanned | None = None
        self.pipe: Getter | None = None

    def end(self, hit: Scanned | None) -> Scanned:
        result = hit or self.pending or _NOTHING
        return result if self.pipe is None else _placeless(self.pipe(result.raw))


class _Steps:
    """The rest of a path below a value, compiled apart for objects and arrays."""

    __slots__ = ("_in_array", "_in_object", "path")

    def __init__(self, path: str) -> None:
        self.path = path
        self._in_object: Step | None = None
        self._in_array: Step | None = None

    def enter(self, walk: _Walk, start: int) -> tuple[int, Scanned | None]:
        """Go on in the container whose bracket is at `start`."""
        if walk.text[start] == "{":
            if self._in_object is None:
                self._in_object = _member_step(self.path)
            return self._in_object(walk, start + 1)
        if self._in_array is None:
            self._in_array = _element_step(self.path)
        return self._in_array(walk, start + 1)


def _compile(path: str) -> Search:
    if len(path) > 1:
        if path[0] == "@" and (modifier := split_modifier(path)):
            return _modified(*modifier)
        if path[0] == "!" and (literal := split_literal(path)):
            return _search_in(_constant(literal[0]), literal[1])
        if path[0] in "[{":
            selectors, rest = split_selectors(path)
            if selectors is not None and rest[:1] in ("", ".", "|"):
                return _search_in(_multipath(path[0], selectors), rest)
            path = rest  # as gjson does with brackets that do not end, or not at a separator
    return _below_lines(path[2:]) if path.startswith("..") else _below_root(path)


def _below_root(path: str) -> Search:
    steps = _Steps(path)

    def search(text: str) -> Scanned:
        found = BRACKET.search(text)
        if found is None:
            return _Walk("").end(None)
        walk = _Walk(text)
        return walk.end(steps.enter(walk, found.start())[1])

    return search


def _below_lines(path: str) -> Search:
    step = _element_step(path)

    def search(text: str) -> Scanned:
        walk = _Walk(text)
        return walk.end(step(walk, 0)[1])

    return search


def _modified(name: str, argument: str, rest: str) -> Search:
    return _search_in(_dig(argument) if name == "dig" else FACTORIES[name](argument), rest)


def _constant(text: str) -> Modifier:
    return lambda _: text


def _search_in(make: Modifier, rest: str) -> Search:
    """Search what `make` makes of the text. A rest without a dot or pipe at its start is ignored."""
    if rest[:1] not in (".", "|") or not rest:
        return lambda text: _first(make(text))
    getter = Getter(rest[1:])
    return lambda text: _placeless(getter(make(text)))


def _first(text: str) -> Scanned:
    value = first_value(text)
    return Scanned(value[0], text[value[1] : value[2]]) if value else _NOTHING


def _placeless(result: Scanned) -> Scanned:
    return Scanned(result.kind, result.raw)


def _multipath(opened: str, selectors: list[Selector]) -> Modifier:
    """`[...]` and `{...}` of the values that exist."""
    parts = [(_label(opened, selector), Getter(selector.path)) for selector in selectors]

    def assemble(text: str) -> str:
        found = [(label, getter(text)) for label, getter in parts]
        return bracketed(opened, [label + value.raw for label, value in found if value.exists])

    return assemble


def _label(opened: str, selector: Selector) -> str:
    if opened == "[":
        return ""
    if selector.name.startswith('"') and well_formed(selector.name):
        return selector.name + ":"
    return go_string(selector.name or last_name(selector.path)) + ":"


def _dig(argument: str) -> Modifier:
    """Everything that the argument finds in the value and in all values below it.

    Each value is searched with all that is in it, so values very deep in others are refused.
    """
    getter = Getter(argument)

    def dig(text: str) -> str:
        found: list[str] = []
        ends = bracket_ends(text)
        room = max(_DIG_FACTOR * len(text), _DIG_LEAST)
        value = first_value(text)
        unread = [value[1:] if value else (0, 0)]
        while unread and room >= 0:
            start, stop = unread.pop()
            result = getter(text[start:stop])
            if result.exists:
                found.append(result.raw)
            if text[start : start + 1] in _BRACKETS:
                unread.extend(reversed([(i, end) for _, _, i, end in children(text, start, stop, ends)]))
            room -= stop - start
        if unread:
            raise EvaluationError("nested too deeply for @dig")
        return bracketed("[", found)

    return dig


def _member_step(path: str) -> Step:
    part = split_member(path)
    fits = pattern(part.name) if part.wild else part.name.__eq__
    rest = None if part.next.rest is None else _Steps(part.next.rest)

    def step(walk: _Walk, i: int) -> tuple[int, Scanned | None]:
        while True:
            name, i = next_member(walk.text, i)
            if name is None:
                return i, None
            i, hit = _visit(walk, i, fits(unescape(name)), rest)
            if hit is not None:
                return i, hit

    return _piping(step, part.next.pipe)


def _element_step(path: str) -> Step:
    part = split_element(path)
    if part.query is not None:
        step = _query_step(part.query, part.next.rest)
    elif part.each is not None:
        step = _each_step(part.each)
    elif "#" in part.part:
        step = _count_step if part.part == "#" else _skip_step
    else:
        rest = None if part.next.rest is None else _Steps(part.next.rest)
        step = _index_step(parse_index(part.part), rest)
    return _piping(step, part.next.pipe)


def _piping(step: Step, pipe: str | None) -> Step:
    if pipe is None:
        return step
    getter = Getter(pipe)

    def piping(walk: _Walk, i: int) -> tuple[int, Scanned | None]:
        walk.pipe = getter
        return step(walk, i)

    return piping


def _visit(walk: _Walk, i: int, chosen: bool, rest: _Steps | None) -> tuple[int, Scanned | None]:
    """Take the value at the offset, or search below it, or pass it by. Gives the offset behind it."""
    text = walk.text
    if chosen and rest is not None and text[i] in "{[":
        return rest.enter(walk, i)
    kind, end = value_end(text, i)
    if end < 0:
        return len(text), None
    return end, Scanned(kind, text[i:end], i) if chosen and rest is None else None


def _index_step(index: int, rest: _Steps | None) -> Step:
    def step(walk: _Walk, i: int) -> tuple[int, Scanned | None]:
        position = 0
        while not is_end(walk.text, i := next_element(walk.text, i)):
            i, hit = _visit(walk, i, position == index, rest)
            if hit is not None:
                return i, hit
            position += 1
        return i + 1, None

    return step


def _elements(text: str, i: int) -> tuple[list[tuple[Kind, int, int]], int]:
    """Kind, start and end of all elements and the offset behind the array; -1 when a string does not end."""
    found: list[tuple[Kind, int, int]] = []
    while not is_end(text, i := next_element(text, i)):
        kind, end = value_end(text, i)
        if end >= 0:
            found.append((kind, i, end))
        if end < 0 or end > len(text):
            return found, -1
        i = end
    return found, i + 1


def _skip_step(walk: _Walk, i: int) -> tuple[int, Scanned | None]:
    _, end = _elements(walk.text, i)
    return end if end >= 0 else len(walk.text), None


def _count_step(walk: _Walk, i: int) -> tuple[int, Scanned | None]:
    found, end = _elements(walk.text, i)
    return (end, Scanned("Number", str(len(found)))) if end >= 0 else (len(walk.text), None)


def _each_step(path: str) -> Step:
    """`#.path`: what the path finds in each element."""
    path_of_each, pipe = split_pipe(path)
    getter = Getter(path_of_each or "")

    def step(walk: _Walk, i: int) -> tuple[int, Scanned | None]:
        elements, end = _elements(walk.text, i)
        if end < 0:
            return len(walk.text), None
        found = [_placed(getter(walk.text[start:stop]), start) for _, start, stop in elements]
        return end, _list([value for value in found if value.exists])

    return _piping(step, pipe)


def _query_step(query: Query, rest: str | None) -> Step:
    """`#(...)`: the first element that fits, or what the rest finds in it; `#(...)#`: the list of all."""
    fits = _fitting(query)
    path, pipe = (None, None) if rest is None else split_pipe(rest)
    getter = None if path is None else Getter(path)
    piped = None if pipe is None else Getter(pipe)

    def step(walk: _Walk, i: int) -> tuple[int, Scanned | None]:
        elements, end = _elements(walk.text, i)
        found: list[Scanned] = []
        for kind, start, stop in elements:
            element = Scanned(kind, walk.text[start:stop], start)
            if not fits(element):
                continue
            walk.pipe = piped or walk.pipe
            value = element if getter is None else _placed(getter(element.raw), start)
            if not query.every:
                return stop, value
            found.append(value)
        if end < 0:
            return len(walk.text), None
        if query.every and walk.pending is None:
            walk.pending = _list([value for value in found if value.raw])
        return end, None

    return step


def _fitting(query: Query) -> Callable[[Scanned], bool]:
    getter, test = Getter(query.path), comparison(query.op, query.value)

    def fits(element: Scanned) -> bool:
        if element.kind == "JSON":
            return test(getter(element.raw))
        return not query.path and test(element)

    return fits


def _placed(result: Scanned, start: int) -> Scanned:
    """A result found in the text that starts at `start`, with its place in the whole text."""
    if result.offset < 0 and not result.offsets:
        return result
    offset = result.offset + start if result.offset >= 0 else -1
    return Scanned(result.kind, result.raw, offset, [at + start if at >= 0 else -1 for at in result.offsets])


def _list(values: list[Scanned]) -> Scanned:
    raw = bracketed("[", [value.raw for value in values])
    return Scanned("JSON", raw, offsets=[value.offset for value in values])

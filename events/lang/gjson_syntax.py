"""Splits gjson path text: components, queries, pipes, sub-selectors, modifiers, literals.

A component means something else to an object than to an array (escapes and wildcards count in objects
only, `#` in arrays only), so it is split when a value of either kind meets it.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from events.lang.gjson_scan import STRING, container_end, trim, unescape

MODIFIERS: Final = frozenset(
    (
        "dig",
        "flatten",
        "fromstr",
        "group",
        "join",
        "keys",
        "pretty",
        "reverse",
        "this",
        "tostr",
        "ugly",
        "valid",
        "values",
    )
)
_NAME: Final = re.compile(r"(?:[^\\.|]|\\.?)*+", re.DOTALL)
_ESCAPE: Final = re.compile(r"\\(.?)", re.DOTALL)
_TO_SEPARATOR: Final = re.compile(r"[^.|]*+")
_MODIFIER_NAME: Final = re.compile(r"@([^:|.]*+)")
_LITERAL_NAME: Final = re.compile(r"![^|.]*+")
_QUOTED: Final = r'"[^"\\]*+(?:\\.[^"\\]*+)*+"?'
_QUERY_TOKEN: Final = re.compile(rf"\\.?|{_QUOTED}|[\[\]()!=<>%]", re.DOTALL)
_SELECTOR_TOKEN: Final = re.compile(rf"\\.?|{_QUOTED}|[\[\](){{}},:]|(?<=[.|])@", re.DOTALL)
_PIPE_TOKEN: Final = re.compile(r"\\.?|\.#[\[(]|\.#.?|\|", re.DOTALL)
_OPERATOR: Final = re.compile(r"==|!=|!%|<=|>=|[<>=%]|!\Z")
_LITERALS: Final = frozenset(("true", "false", "null", "nan", "inf"))
_UNNAMED: Final = re.compile(r"[\x00-\x1f\[\]{}()#|!]")


class Next(NamedTuple):
    """What follows a component: `rest` below the value, or `pipe` for the result; both None at the end."""

    rest: str | None = None
    pipe: str | None = None


class Query(NamedTuple):
    """`#(path op value)`; `every`: with the `#` behind it that asks for all matches."""

    path: str = ""
    op: str = ""
    value: str = ""
    every: bool = False


class Member(NamedTuple):
    """A component as an object sees it: a name or, if `wild`, a pattern."""

    spelled: str
    name: str
    wild: bool
    next: Next


class Element(NamedTuple):
    """A component as an array sees it: its text, and its `query` or the path of `#.path` (`each`)."""

    part: str
    next: Next
    query: Query | None = None
    each: str | None = None


class Selector(NamedTuple):
    """One path of a multipath and the name it was given, "" for none."""

    name: str
    path: str


def split_member(path: str) -> Member:
    """The first component of a path that meets an object."""
    found = _NAME.match(path)
    spelled = found[0] if found else ""
    bare = _ESCAPE.sub("", spelled)
    name = _ESCAPE.sub(r"\1", spelled)
    return Member(spelled, name, "*" in bare or "?" in bare, _next(path, len(spelled), may_pipe=True))


def split_element(path: str) -> Element:
    """The first component of a path that meets an array."""
    if path.startswith("#."):
        return Element("#", Next(), each=path[2:])
    query, i = None, 0
    if path.startswith(("#(", "#[")):
        query, i = split_query(path)
        if query is None:
            return Element(path, Next(), query=Query())
    found = _TO_SEPARATOR.match(path, i)
    end = found.end() if found else i
    part = path[:end]
    return Element(part, _next(path, end, may_pipe="#" not in part), query=query)


def _next(path: str, end: int, *, may_pipe: bool) -> Next:
    """A dot before a modifier or multipath is a pipe, except behind `#`."""
    if end >= len(path):
        return Next()
    rest = path[end + 1 :]
    if path[end] == "|" or (may_pipe and _starts_pipe(rest)):
        return Next(pipe=rest)
    return Next(rest=rest)


def _starts_pipe(rest: str) -> bool:
    if rest.startswith("@"):
        found = _MODIFIER_NAME.match(rest)
        return found is not None and found[1] in MODIFIERS
    return rest.startswith(("[", "{"))


def split_query(path: str) -> tuple[Query | None, int]:
    """The query at the start of the path and the offset behind its bracket; no query when that is missing."""
    depth, operator_at, escaped = 1, 0, False
    for token in _QUERY_TOKEN.finditer(path, 2):
        char = token[0][0]
        if char in "!=<>%":
            if depth == 1 and not operator_at:
                operator_at = token.start()
        elif char in "([":
            depth += 1
        elif char in ")]":
            depth -= 1
        elif char == '"':
            escaped = escaped or "\\" in token[0]
        if not depth:
            end = token.end()
            query = _query(path[2 : end - 1], operator_at - 2, escaped)
            return query._replace(every=path.startswith("#", end)), end
    return None, len(path)


def _query(inner: str, operator_at: int, escaped: bool) -> Query:
    if operator_at < 0:
        return Query(trim(inner))
    comparison = trim(inner[operator_at:])
    found = _OPERATOR.match(comparison)
    op = found[0] if found else ""
    value = trim(comparison[len(op) :])
    if len(value) >= 2 and value[0] == value[-1] == '"':
        value = unescape(value[1:-1]) if escaped else value[1:-1]
    return Query(trim(inner[:operator_at]), "=" if op == "==" else op, value)


def split_pipe(path: str) -> Next:
    """A path behind `#` up to its first pipe that stands outside of queries, and what is behind that pipe.

    As in gjson a pipe right behind `.#` is left in place, and so is any pipe behind a `{...}` at the start
    but the one next to it.
    """
    if path.startswith("{"):
        end = _object_end(path)
        return Next(path[:end], path[end + 1 :]) if path.startswith("|", end) else Next(path)
    i = 0
    while token := _PIPE_TOKEN.search(path, i):
        if token[0] == "|":
            return Next(path[: token.start()], path[token.end() :])
        i = token.end()
        if token[0] in (".#[", ".#("):
            i = _selector_end(path, i - 1)
    return Next(path)


def _object_end(path: str) -> int:
    """End of a leading `{...}`; a quoted name ends it, since gjson starts to count behind the brace."""
    if path.startswith('{"'):
        found = STRING.match(path, 1)
        return found.end() if found else len(path)
    return container_end(path, 1)


def _selector_end(path: str, start: int) -> int:
    """Offset behind the bracket that closes the one at `start`; only its own kind counts."""
    opened = path[start]
    closed = "]" if opened == "[" else ")"
    depth = 0
    for token in _QUERY_TOKEN.finditer(path, start):
        depth += (token[0] == opened) - (token[0] == closed)
        if not depth:
            return token.end()
    return len(path)


def split_selectors(path: str) -> tuple[list[Selector] | None, str]:
    """The paths inside of a leading `[...]` or `{...}` and the text behind it; None when it does not end."""
    selectors: list[Selector] = []
    depth, start, colon, modified = 1, 1, 0, False
    for token in _SELECTOR_TOKEN.finditer(path, 1):
        char, i = token[0][0], token.start()
        if char == "@":
            modified = True
        elif char == ":" and depth == 1 and not colon and not modified:
            colon = i
        elif char in "[({":
            depth += 1
        elif char in "])}":
            depth -= 1
        if depth == 0 or (char == "," and depth == 1):
            selectors.append(_selector(path, start, colon, i))
            start, colon, modified = i + 1, 0, False
        if depth == 0:
            return selectors, path[i + 1 :]
    return None, ""


def _selector(path: str, start: int, colon: int, end: int) -> Selector:
    if colon:
        return Selector(path[start:colon], path[colon + 1 : end])
    return Selector("", path[start:end])


def last_name(path: str) -> str:
    """The name that a multipath gives to the value of a path: its last component, `_` if that is none."""
    name = re.split(r"(?<!\\)[.|]", path)[-1]
    return "_" if _UNNAMED.search(name) else name


def split_modifier(path: str) -> tuple[str, str, str] | None:
    """Name, argument and rest of a path that starts with a modifier; None when gjson does not know it."""
    found = _MODIFIER_NAME.match(path)
    if found is None or found[1] not in MODIFIERS:
        return None
    rest = path[found.end() :]
    if not rest.startswith(":"):
        return found[1], "", rest
    end = _argument_end(rest)
    return found[1], rest[1:end], rest[end:]


def _argument_end(text: str) -> int:
    """End of the argument behind a colon: one JSON text, or all up to a pipe outside of brackets, quotes."""
    if text[1:2] and text[1] in '{["':
        return _bracketed_end(text, 1)
    i = 1
    while i < len(text) and text[i] != "|":
        i = _bracketed_end(text, i) if text[i] in '{["(' else i + 1
    return i


def _bracketed_end(text: str, start: int) -> int:
    if text[start] != '"':
        return container_end(text, start)
    found = STRING.match(text, start)
    return found.end() if found else len(text)


def split_literal(path: str) -> tuple[str, str] | None:
    """The JSON text and the rest of a path that starts with `!`; None when it is no literal."""
    if path[1] in '{["+-0123456789':
        end = container_end(path, 1)
        return path[1:end], path[end:]
    found = _LITERAL_NAME.match(path)
    end = found.end() if found else 1
    return (path[1:end], path[end:]) if path[1:end].lower() in _LITERALS else None

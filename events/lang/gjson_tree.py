"""Walks a decoded document along the gjson paths that mean the same there: names, indexes, `#`, queries.

Everything else, and what the shape of a document turns into something else, is left to the text search:
patterns, pipes, modifiers, multipaths; `#` that meets an object, an escape that meets an array, a path that
meets a string with brackets (gjson looks for values inside of it).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from events.lang.gjson_number import parse_index
from events.lang.gjson_partial import ABSENT
from events.lang.gjson_query import comparison
from events.lang.gjson_result import DECODED, MISSING, Result
from events.lang.gjson_syntax import Query, split_element, split_member, split_pipe

Walk = Callable[[Any], Any]

_NOWHERE: Final[Any] = None  # document and path of values that are only compared
_LONGEST: Final = 200  # characters of a path; longer ones would nest too many walks


class NotWalkable(Exception):
    """The path means something in this document that only a search of its text finds."""


def compile_walk(path: str) -> Walk | None:
    """The function from a decoded container to what the path finds, ABSENT if nothing; None for other paths.

    The function raises NotWalkable.
    """
    if len(path) > _LONGEST or path.startswith("..") or (len(path) > 1 and path[0] in "@![{"):
        return None
    return _array_walk(path) if path.startswith("#") else _member_walk(path)


def _member_walk(path: str) -> Walk | None:
    part = split_member(path)
    if part.wild or part.next.pipe is not None:
        return None
    walk = _name_walk(part.name, only_objects="\\" in part.spelled or "#" in part.spelled)
    if part.next.rest is None:
        return walk
    walk_rest = compile_walk(part.next.rest)
    return walk_rest and _chain(walk, walk_rest)


def _name_walk(name: str, *, only_objects: bool) -> Walk:
    index = parse_index(name)

    def walk(node: Any) -> Any:
        if type(node) is dict:
            return node.get(name, ABSENT)
        if type(node) is not list:
            return ABSENT
        if only_objects:
            raise NotWalkable
        return node[index] if 0 <= index < len(node) else ABSENT

    return walk


def _chain(first: Walk, second: Walk) -> Walk:
    def walk(node: Any) -> Any:
        found = first(node)
        return found if found is ABSENT else second(found)

    return walk


def _array_walk(path: str) -> Walk | None:
    part = split_element(path)
    if part.next.pipe is not None:
        return None
    if part.each is not None:
        return _each_walk(part.each)
    if part.query is not None:
        return _query_walk(part.query, part.next.rest)
    return _on_lists(len) if part.part == "#" else None


def _on_lists(function: Walk) -> Walk:
    """The function for arrays; a scalar has nothing, and an object may have members that are spelled so."""

    def walk(node: Any) -> Any:
        if type(node) is dict:
            raise NotWalkable
        return function(node) if type(node) is list else ABSENT

    return walk


def _restarted(walk: Walk) -> Walk:
    """The walk as a search of its own, which also looks into strings."""

    def restarted(node: Any) -> Any:
        if type(node) is str and ("{" in node or "[" in node):
            raise NotWalkable
        return walk(node)

    return restarted


def _compile_restarted(path: str) -> Walk | None:
    """The walk for a path behind `#`; None if there is a pipe for the result."""
    path_of_each, pipe = split_pipe(path)
    walk = None if pipe is not None else compile_walk(path_of_each or "")
    return walk and _restarted(walk)


def _each_walk(path: str) -> Walk | None:
    walk = _compile_restarted(path)
    if walk is None:
        return None
    found_in = walk
    return _on_lists(lambda node: [found for each in node if (found := found_in(each)) is not ABSENT])


def _query_walk(query: Query, rest: str | None) -> Walk | None:
    fits = _fitting(query)
    walk_rest = _identity if rest is None else _compile_restarted(rest)
    if fits is None or walk_rest is None:
        return None
    return _on_lists(_all_walk(fits, walk_rest) if query.every else _first_walk(fits, walk_rest))


def _identity(node: Any) -> Any:
    return node


def _all_walk(fits: Callable[[Any], bool], walk: Walk) -> Walk:
    return lambda node: [found for each in node if fits(each) and (found := walk(each)) is not ABSENT]


def _first_walk(fits: Callable[[Any], bool], walk: Walk) -> Walk:
    return lambda node: next((walk(each) for each in node if fits(each)), ABSENT)


def _fitting(query: Query) -> Callable[[Any], bool] | None:
    walk, test = compile_walk(query.path), comparison(query.op, query.value)
    if walk is None:
        return None
    found_in = walk

    def fits(element: Any) -> bool:
        if type(element) is dict or type(element) is list:
            return test(_result(found_in(element)))
        return not query.path and test(_result(element))

    return fits


def _result(found: Any) -> Result:
    """The value as a result without a document, good for comparisons."""
    if type(found) is int:
        found = float(found)  # an int looks in its document whether it is -0
    return MISSING if found is ABSENT else DECODED[type(found)](found, _NOWHERE, _NOWHERE)

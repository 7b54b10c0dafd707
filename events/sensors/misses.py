"""Near misses: what a filter that refused an event was probably meant to find.

Told are differences that look like slips: a path that exists one level up or down or in another spelling, a
value of another type, a pattern that matches when case or anchors do not count.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from events.errors import EvaluationError, ExpressionError
from events.event import Event
from events.lang.path import Result, compile_path
from events.lang.regex import compile_regex
from events.sensors.filters import document

if TYPE_CHECKING:
    from events.api.sensor import DataFilter, EventContext
    from events.sensors.dependencies import Dependency

SEARCHED = 5_000
"""Values of a payload that are looked at."""
SHOWN = 60
"""Characters of a value that are shown."""
CLOSE = 0.75
"""How much two names have to have in common (difflib's ratio)."""

Names = tuple[str, ...]


def near_misses(dependency: Dependency, event: Event) -> list[str]:
    """Hints about the filters of the dependency that refuse the event, in their order; empty if none does."""
    filters = dependency.spec.filters
    if filters is None or dependency.filters is None:
        return []
    try:
        event = event if dependency.transform is None else dependency.transform(event)
        return list(dict.fromkeys(hints(dependency, event)))
    except EvaluationError:
        return []


def hints(dependency: Dependency, event: Event) -> Iterator[str]:
    """Raises EvaluationError for a payload that is not JSON."""
    filters, compiled = dependency.spec.filters, dependency.filters
    assert filters is not None
    assert compiled is not None
    kinds = [kind for kind in compiled.kinds if kind.name != "script"]  # nobody could stop one here
    refusing = {check.field for kind in kinds for check in kind.checks if refuses(check.test, event)}
    paths = [(f"data.{n}", item.path) for n, item in enumerate(filters.data)]
    for n, expr in enumerate(filters.exprs):
        paths += [(f"exprs.{n}", field.path) for field in expr.fields]
    for place, path in paths:
        if any(field.endswith(f".filters.{place}") for field in refusing):
            yield from missing_path(path, event)
    for n, item in enumerate(filters.data):
        if any(field.endswith(f".filters.data.{n}") for field in refusing):
            yield from value_hints(item, event)
    if filters.context and any(field.endswith(".filters.context") for field in refusing):
        yield from context_hints(filters.context, event)


def refuses(test: Any, event: Event) -> bool:
    try:
        return not test(event)
    except EvaluationError:
        return True


# paths


def missing_path(path: str, event: Event) -> Iterator[str]:
    """Where the value may be, when the path finds nothing."""
    names = plain_names(path)
    if not names or event.data is None or compile_path(path).get(document(event)).exists:
        return
    tree = document(event).tree
    if found := another_level(names, tree):
        yield f"{path} does not exist, but {'.'.join(found)} does, on another level"
    elif found := another_spelling(names, tree):
        yield f"{path} does not exist, but {'.'.join(found)} does, in another spelling"


def plain_names(path: str) -> Names | None:
    """The names of a path that has no patterns, queries or modifiers."""
    keys = compile_path(path).keys
    return None if keys is None else tuple(map(str, keys))


def another_level(names: Names, tree: Any) -> Names | None:
    """The same names without the first ones, or below something else: the shortest such path."""
    for start in range(1, len(names)):
        if exists(names[start:], tree):
            return names[start:]
    below = (path for path in all_paths(tree) if path[-len(names) :] == names)
    return min(below, key=len, default=None)


def another_spelling(names: Names, tree: Any) -> Names | None:
    """Name for name what is there, where case, `-` and `_` do not count, else what looks alike."""
    found: list[str] = []
    for name in names:
        there = members(tree)
        key = name if name in there else like(name, list(there))
        if key is None:
            return None
        found.append(key)
        tree = there[key]
    return tuple(found)


def like(name: str, names: Sequence[str]) -> str | None:
    plain = folded(name)
    same = [other for other in names if folded(other) == plain]
    return next(iter(same or get_close_matches(name, names, 1, CLOSE)), None)


def folded(name: str) -> str:
    return name.replace("_", "").replace("-", "").lower()


def exists(names: Names, tree: Any) -> bool:
    for name in names:
        inner = members(tree)
        if name not in inner:
            return False
        tree = inner[name]
    return True


def members(tree: Any) -> dict[str, Any]:
    """By name; elements of a list by their numbers."""
    if isinstance(tree, dict):
        return tree
    return {str(index): item for index, item in enumerate(tree)} if isinstance(tree, list) else {}


def all_paths(tree: Any) -> Iterator[Names]:
    """Paths of all values, the nearest first; those of large payloads are not looked at to the end."""
    level: list[tuple[Names, Any]] = [((), tree)]
    seen = 0
    while level and seen < SEARCHED:
        below = []
        for path, value in level:
            for name, inner in members(value).items():
                seen += 1
                below.append(((*path, name), inner))
                yield (*path, name)
                if seen >= SEARCHED:
                    return
        level = below


# values


def value_hints(spec: DataFilter, event: Event) -> Iterator[str]:
    """About the value that a data filter compares."""
    if event.data is None:
        return
    found = compile_path(spec.path).get(document(event))
    if not found.exists:
        return
    yield from type_hints(spec, found)
    if spec.type == "string" and not spec.template and spec.comparator in {"", "="}:
        for pattern in spec.value:
            yield from pattern_hints(spec.path, pattern, found.text)


KINDS = {
    "String": "text", "Number": "a number", "True": "a bool", "False": "a bool", "Null": "null",
    "JSON": "an object or a list",
}  # fmt: skip
WANTED = {"string": "text", "number": "a number", "bool": "a bool"}


def type_hints(spec: DataFilter, found: Result) -> Iterator[str]:
    """The value is of another type than the filter compares."""
    kind, wanted = KINDS[found.kind], WANTED.get(spec.type)
    if wanted is None or spec.template or kind == wanted:
        return
    yield f"{spec.path} is {kind} ({shortened(found.text)}), but the filter compares {wanted}"


def pattern_hints(path: str, pattern: str, text: str) -> Iterator[str]:
    """What keeps a pattern from matching: case, blanks, anchors."""
    if matches(pattern, text):
        return
    if matches(f"(?i){pattern}", text):
        yield f"{path} is {shortened(text)}: {pattern!r} matches when upper and lower case are the same"
    elif matches(pattern, text.strip()):
        yield f"{path} is {text[:SHOWN]!r}: {pattern!r} matches without the blanks around it"
    elif (loose := pattern.removeprefix("^").removesuffix("$")) != pattern and matches(loose, text):
        yield f"{path} is {shortened(text)}: {pattern!r} matches without ^ and $"


def matches(pattern: str, text: str) -> bool:
    try:
        return compile_regex(pattern).search(text)
    except ExpressionError:
        return False


def context_hints(spec: EventContext, event: Event) -> Iterator[str]:
    """Attributes that differ in case only."""
    for name in ("type", "subject", "source", "datacontenttype"):
        wanted, found = getattr(spec, name), getattr(event, name)
        if wanted and wanted != found and wanted.lower() == found.lower():
            yield f"the event's {name} is {found!r}: only upper and lower case differ from {wanted!r}"


def shortened(text: str) -> str:
    return repr(text if len(text) <= SHOWN else f"{text[: SHOWN - 1]}…")

"""Closures of the builtins that loop: `filter(list, {predicate})` and its kin.

Each loop owns three slots of the frame: element, index, accumulator.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from events.errors import EvaluationError
from events.lang.exprlang.access import UNREADABLE, elements
from events.lang.exprlang.code import BUDGET, Code, Frame, boolean, normal
from events.lang.exprlang.values import GoGroups, GoNilGroups, map_key


@dataclass(frozen=True, slots=True)
class Loop:
    """One loop. `slot` is where the element lies, `initial` and `mapped` are those of reduce and filter.

    `raw`: the elements come straight from the event. `throws`: without a hit find fails.
    """

    collection: Code
    body: Code
    slot: int
    raw: bool = False
    initial: Code | None = None
    mapped: Code | None = None
    throws: bool = False

    def start(self, frame: Frame) -> Sequence[Any]:
        """The elements, with their number accounted for."""
        items = elements(self.collection(frame))
        frame[BUDGET].spend(len(items))
        return items

    def found(self, frame: Frame, item: Any) -> Any:
        """What filter and find give for an element that they want."""
        if self.mapped is not None:
            return self.mapped(frame)
        return _readable(item)

    def missing(self) -> None:
        """What find gives without a hit."""
        if self.throws:
            raise EvaluationError("index out of range: no element passes the filter")


def _readable(item: Any) -> Any:
    if item is UNREADABLE:
        raise EvaluationError("the elements of a map cannot be read in a loop")
    return item


def _search(loop: Loop, wanted: bool, result: bool) -> Code:
    """all, none, any: the result as soon as the body gives the wanted bool, its opposite at the end."""
    element, index, body = loop.slot, loop.slot + 1, loop.body

    def run(frame: Frame) -> bool:
        items = loop.start(frame)
        for frame[index], frame[element] in enumerate(items):
            if boolean(body(frame)) is wanted:
                return result
        return not result

    return run


def _count(loop: Loop) -> Code:
    element, index, body = loop.slot, loop.slot + 1, loop.body

    def run(frame: Frame) -> int:
        items, total = loop.start(frame), 0
        for frame[index], frame[element] in enumerate(items):
            total += boolean(body(frame))
        return total

    return run


def _one(loop: Loop) -> Code:
    count = _count(loop)
    return lambda frame: count(frame) == 1


def _filter(loop: Loop) -> Code:
    element, index, body = loop.slot, loop.slot + 1, loop.body

    def run(frame: Frame) -> list[Any]:
        items = loop.start(frame)
        result: list[Any] = []
        for frame[index], frame[element] in enumerate(items):
            item = frame[element]
            if boolean(body(frame)):
                result.append(loop.found(frame, item))
        frame[BUDGET].build(len(result))
        return result

    return run


def _map(loop: Loop) -> Code:
    element, index, body = loop.slot, loop.slot + 1, loop.body

    def run(frame: Frame) -> list[Any]:
        items = loop.start(frame)
        result: list[Any] = []
        for frame[index], frame[element] in enumerate(items):
            result.append(body(frame))  # the loop assigns to the frame, a comprehension cannot
        frame[BUDGET].build(len(result))
        return result

    return run


def _find(loop: Loop, *, backwards: bool, wants_index: bool) -> Code:
    element, index, body = loop.slot, loop.slot + 1, loop.body

    def run(frame: Frame) -> Any:
        items = loop.start(frame)
        for place in range(len(items) - 1, -1, -1) if backwards else range(len(items)):
            frame[index], frame[element] = place, items[place]
            if boolean(body(frame)):
                return place if wants_index else loop.found(frame, items[place])
        return loop.missing()

    return run


def _group(loop: Loop) -> Code:
    element, index, body = loop.slot, loop.slot + 1, loop.body

    def run(frame: Frame) -> GoGroups:
        items, groups = loop.start(frame), GoGroups()
        for frame[index], frame[element] in enumerate(items):
            item = _readable(frame[element])
            key = map_key(body(frame))
            groups.setdefault(key, []).append(normal(frame[BUDGET], item) if loop.raw else item)
        return groups or GoNilGroups()

    return run


def _reduce(loop: Loop) -> Code:
    element, index, accumulator, body = loop.slot, loop.slot + 1, loop.slot + 2, loop.body

    def run(frame: Frame) -> Any:
        items = loop.start(frame)
        frame[index], frame[element] = 0, items[0] if items else UNREADABLE
        if loop.initial is not None:
            frame[accumulator], first = loop.initial(frame), 0
        else:
            item = _readable(frame[element])
            frame[accumulator], first = normal(frame[BUDGET], item) if loop.raw else item, 1
        for place in range(first, len(items)):
            frame[index], frame[element] = place, items[place]
            frame[accumulator] = body(frame)
        return frame[accumulator]

    return run


LOOPS: Final[dict[str, Callable[[Loop], Code]]] = {
    "all": lambda loop: _search(loop, wanted=False, result=False),
    "none": lambda loop: _search(loop, wanted=True, result=False),
    "any": lambda loop: _search(loop, wanted=True, result=True),
    "one": _one,
    "filter": _filter,
    "map": _map,
    "count": _count,
    "find": lambda loop: _find(loop, backwards=False, wants_index=False),
    "findLast": lambda loop: _find(loop, backwards=True, wants_index=False),
    "findIndex": lambda loop: _find(loop, backwards=False, wants_index=True),
    "findLastIndex": lambda loop: _find(loop, backwards=True, wants_index=True),
    "groupBy": _group,
    "reduce": _reduce,
}
"""Builtins that loop: the closure for a loop."""

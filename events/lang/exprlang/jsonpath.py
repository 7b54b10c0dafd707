"""JSONPath of the filter function `jsonpath`: the dialect of github.com/evilmonkeyinc/jsonpath 0.8.1.

Result    a path of names and single indexes gives the value, or an error if it is not there; wildcards, `..`,
          unions, ranges and filters give a list of what is found, and behind them misses are left out
Filters   `[?(expression)]`, see jsonpath_script
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from events.errors import EvaluationError
from events.lang.exprlang.budget import Budget
from events.lang.exprlang.jsonpath_syntax import (
    Current,
    Filter,
    Index,
    Key,
    Length,
    Range,
    Recursive,
    Root,
    Script,
    Step,
    Union,
    Wildcard,
    parse_path,
)
from events.lang.exprlang.values import describe
from events.lang.govalue import GoInt64, byte_length


class Place(NamedTuple):
    """Where a step is taken: the document, the value reached so far, and what the query may still cost."""

    root: Any
    current: Any
    budget: Budget

    def at(self, value: Any) -> Place:
        """The same document at another value."""
        return Place(self.root, value, self.budget)


Apply = Callable[[Place], Any]


@dataclass(frozen=True, slots=True)
class Rest:
    """What follows a step: nothing, or code, of which it counts whether it begins with an index."""

    apply: Apply | None = None
    is_index: bool = False

    def one(self, place: Place, value: Any) -> Any:
        """The rest of the path from this value on."""
        return value if self.apply is None else self.apply(place.at(value))

    def each(self, place: Place, values: Iterable[Any]) -> list[Any]:
        """The rest of the path from each of these values on, without misses and nil."""
        items = list(values)
        place.budget.spend(len(items))
        if self.apply is None:
            return items
        found = [self._try(place.at(item)) for item in items]
        return [item for item in found if item is not None]

    def selected(self, place: Place, values: Iterable[Any]) -> Any:
        """As `each`, but an index that follows is one into the list of values."""
        return self.one(place, list(values)) if self.is_index else self.each(place, values)

    def _try(self, place: Place) -> Any:
        assert self.apply is not None
        try:
            return self.apply(place)
        except EvaluationError:
            return None


class Path:
    """A compiled path."""

    def __init__(self, text: str) -> None:
        """Raises EvaluationError for text that is no path, since upstream finds that out with the event."""
        self._apply = compile_steps(parse_path(text))

    def query(self, budget: Budget, document: Any) -> Any:
        """What the path leads to. Raises EvaluationError."""
        try:
            return self._apply(Place(document, document, budget))
        except ZeroDivisionError as exc:
            raise EvaluationError("JSONPath: integer divide by zero") from exc


def compile_steps(steps: Sequence[Step]) -> Apply:
    """The code of these steps, of which there is at least one."""
    rest = Rest()
    for step in reversed(steps):
        rest = Rest(_COMPILERS[type(step)](step, rest), isinstance(step, Index))
    assert rest.apply is not None
    return rest.apply


def children(value: Any) -> list[Any] | None:
    """The elements of a list, the values of a map in the order of their keys; None for all else."""
    if isinstance(value, dict):
        return [value[key] for key in sorted(value)]
    return value if isinstance(value, list) else None


def whole_number(value: Any) -> int | None:
    """The value as an index if it is a whole number."""
    if isinstance(value, int) and not isinstance(value, bool):
        return int(value)
    return int(value) if type(value) is float and value.is_integer() else None


# --- Steps to one value


def _root(_: Root, rest: Rest) -> Apply:
    return lambda place: rest.one(place, place.root)


def _current(_: Current, rest: Rest) -> Apply:
    return lambda place: rest.one(place, place.current)


def _key(step: Key, rest: Rest) -> Apply:
    name = step.name

    def apply(place: Place) -> Any:
        current = place.current
        if not isinstance(current, dict) or name not in current:
            raise EvaluationError(f"JSONPath: no member {name!r} in {describe(current)}")
        return rest.one(place, current[name])

    return apply


def _index(step: Index, rest: Rest) -> Apply:
    index = step.index

    def apply(place: Place) -> Any:
        current = place.current
        if not isinstance(current, list) or not -len(current) <= index < len(current):
            raise EvaluationError(f"JSONPath: no element {index} in {describe(current)}")
        return rest.one(place, current[index])

    return apply


def _length(_: Length, rest: Rest) -> Apply:
    def apply(place: Place) -> Any:
        current = place.current
        if isinstance(current, dict) and "length" in current:
            return rest.one(place, current["length"])
        if isinstance(current, (dict, list)):
            return rest.one(place, GoInt64(len(current)))
        if isinstance(current, str):
            return rest.one(place, GoInt64(byte_length(current)))
        raise EvaluationError(f"JSONPath: {describe(current)} has no length")

    return apply


def _script(step: Script, rest: Rest) -> Apply:
    def apply(place: Place) -> Any:
        value = step.expression.evaluate(place)
        if isinstance(value, str):
            return _key(Key(value), rest)(place)
        index = whole_number(value)
        if index is None:
            raise EvaluationError("JSONPath: a script must give a name or an index")
        return _index(Index(index), rest)(place)

    return apply


# --- Steps to many values


def _wildcard(_: Wildcard, rest: Rest) -> Apply:
    def apply(place: Place) -> Any:
        return rest.each(place, _children(place))

    return apply


def _recursive(_: Recursive, rest: Rest) -> Apply:
    def apply(place: Place) -> Any:
        found: list[Any] = []
        _descend(place, rest, found)
        return found

    return apply


def _descend(place: Place, rest: Rest, found: list[Any]) -> None:
    """Apply the rest of the path to the value and all below it; lists that it gives are poured out."""
    if place.current is None:
        return
    place.budget.spend(1)
    for result in rest.each(place, [place.current]):
        if isinstance(result, list) and rest.apply is not None:
            place.budget.spend(len(result))
            found.extend(result)
        else:
            found.append(result)
    for child in children(place.current) or ():
        _descend(place.at(child), rest, found)


def _filter(step: Filter, rest: Rest) -> Apply:
    def apply(place: Place) -> Any:
        step.expression.require()
        items = _children(place)
        place.budget.spend(len(items))
        chosen = [item for item in items if step.expression.accepts(place.at(item))]
        if rest.is_index:  # from here on `$` is the filtered value
            return rest.one(Place(place.current, None, place.budget), chosen)
        return rest.each(place, chosen)

    return apply


def _range(step: Range, rest: Rest) -> Apply:
    def apply(place: Place) -> Any:
        items = _elements(place)
        count = len(items)
        first = 0 if step.start is None else _bound(_integer(place, step.start), count)
        last = count if step.stop is None else _bound(_integer(place, step.stop), count)
        stride = 1 if step.stride is None else _integer(place, step.stride)
        if not stride:
            raise EvaluationError("JSONPath: the step of a range must not be 0")
        places = range(first, last, stride) if stride > 0 else range(last - 1, first - 1, stride)
        return rest.selected(place, [items[index] for index in places])

    return apply


def _union(step: Union, rest: Rest) -> Apply:
    def apply(place: Place) -> Any:
        chosen = [_chosen(place, argument) for argument in step.arguments]
        if all(isinstance(item, str) for item in chosen):
            if not isinstance(place.current, dict):
                raise EvaluationError(f"JSONPath: {describe(place.current)} has no names")
            return rest.selected(place, [place.current[name] for name in chosen if name in place.current])
        if any(isinstance(item, str) for item in chosen):
            raise EvaluationError("JSONPath: a union has names or indexes, not both")
        items = _elements(place)
        return rest.selected(place, [items[index] for index in chosen if -len(items) <= index < len(items)])

    return apply


def _chosen(place: Place, argument: Any) -> Any:
    """A name or an index, which an expression may compute."""
    value = argument if isinstance(argument, (str, int)) else argument.evaluate(place)
    if isinstance(value, str):
        return value
    index = whole_number(value)
    if index is None:
        raise EvaluationError(f"JSONPath: {describe(value)} is neither name nor index")
    return index


def _integer(place: Place, argument: Any) -> int:
    value = argument if isinstance(argument, int) else argument.evaluate(place)
    index = whole_number(value)
    if index is None:
        raise EvaluationError(f"JSONPath: {describe(value)} is no bound of a range")
    return index


def _bound(index: int, count: int) -> int:
    return min(max(index + count if index < 0 else index, 0), count)


def _children(place: Place) -> list[Any]:
    found = children(place.current)
    if found is None:
        raise EvaluationError(f"JSONPath: {describe(place.current)} has no elements")
    return found


def _elements(place: Place) -> list[Any]:
    if not isinstance(place.current, list):
        raise EvaluationError(f"JSONPath: {describe(place.current)} has no indexes")
    return place.current


_COMPILERS: Final[dict[type[Step], Callable[[Any, Rest], Apply]]] = {
    Root: _root,
    Current: _current,
    Key: _key,
    Index: _index,
    Length: _length,
    Script: _script,
    Wildcard: _wildcard,
    Recursive: _recursive,
    Filter: _filter,
    Range: _range,
    Union: _union,
}

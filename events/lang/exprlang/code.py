"""Closures that compiled expressions consist of: constants, variables, members, logic.

Frame     a list: variables of the event, budget, then one slot for each local variable and loop value
Raw       values straight from the event may hold int where Go has float64; `normal` makes them Go values, and
          only where the difference can be seen
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final, NoReturn

from events.errors import EvaluationError
from events.lang.exprlang.access import UNREADABLE, cut, fetch, length
from events.lang.exprlang.budget import Budget
from events.lang.exprlang.values import GoFunction, describe, is_absent

Frame = list[Any]
Code = Callable[[Frame], Any]

VARIABLES: Final = 0
BUDGET: Final = 1
FIRST_SLOT: Final = 2

_AS_THEY_ARE: Final = frozenset({str, float, bool, type(None)})


class End:
    """What the members of a chain hand on after an absent one: the nil found there, which can have a type."""

    __slots__ = ("value",)

    def __init__(self, value: Any) -> None:
        self.value = value


END: Final = End(None)


def normal(budget: Budget, value: Any) -> Any:
    """The value with a float for every int; containers are copied. Raises EvaluationError for large ones."""
    kind = type(value)
    if kind in _AS_THEY_ARE:
        return value
    if kind is int:
        return float(value)
    if kind is dict:
        budget.spend(len(value))
        return {key: normal(budget, item) for key, item in value.items()}
    if kind is list:
        budget.spend(len(value))
        return [normal(budget, item) for item in value]
    return value


def normalized(code: Code) -> Code:
    """The code with its result made normal."""

    def run(frame: Frame) -> Any:
        value = code(frame)
        if type(value) in _AS_THEY_ARE:
            return value
        return normal(frame[BUDGET], value)

    return run


def boolean(value: Any) -> bool:
    """The value if it is a bool. Raises EvaluationError."""
    if value is True or value is False:
        return value
    raise EvaluationError(f"expected a bool, got {describe(value)}")


def constant(value: Any) -> Code:
    """Always the same value."""
    return lambda frame: value


def failure(message: str) -> Code:
    """Always an EvaluationError."""

    def run(frame: Frame) -> NoReturn:
        raise EvaluationError(message)

    return run


def slot(index: int) -> Code:
    """A local variable."""
    return lambda frame: frame[index]


def pointer(index: int) -> Code:
    """`#` in a loop."""

    def run(frame: Frame) -> Any:
        value = frame[index]
        if value is UNREADABLE:
            raise EvaluationError("the elements of a map cannot be read in a loop")
        return value

    return run


def path(names: Sequence[str]) -> Code:
    """A variable of the event, or a member of a member of it."""
    first, *rest = names
    if not rest:
        return lambda frame: frame[VARIABLES].get(first)
    return members(lambda frame: frame[VARIABLES].get(first), rest)


def members(base: Code, names: Sequence[str]) -> Code:
    """`base.name.name...`."""
    if len(names) == 1:
        return member(base, names[0])

    def run(frame: Frame) -> Any:
        value = base(frame)
        for name in names:
            value = value.get(name) if type(value) is dict else fetch(value, name)
        return value

    return run


def member(base: Code, name: str) -> Code:
    """`base.name`."""

    def run(frame: Frame) -> Any:
        value = base(frame)
        return value.get(name) if type(value) is dict else fetch(value, name)

    return run


def indexed(base: Code, key: Code) -> Code:
    """`base[key]`."""
    return lambda frame: fetch(base(frame), key(frame))


def linked(base: Code, key: Code, *, optional: bool) -> Code:
    """A member within a chain: an End behind an absent `?.` base."""

    def run(frame: Frame) -> Any:
        value = base(frame)
        if type(value) is End:
            return value
        if optional and is_absent(value):
            return END if value is None else End(value)
        return fetch(value, key(frame))

    return run


def chain(inner: Code) -> Code:
    """A whole chain: nil in place of an End."""

    def run(frame: Frame) -> Any:
        value = inner(frame)
        return value.value if type(value) is End else value

    return run


def sliced(base: Code, start: Code | None, stop: Code | None) -> Code:
    """`base[start:stop]`."""

    def run(frame: Frame) -> Any:
        value = base(frame)
        last = length(value) if stop is None else stop(frame)
        return cut(value, 0 if start is None else start(frame), last)

    return run


def assigned(index: int, value: Code, body: Code) -> Code:
    """`let name = value; body`."""

    def run(frame: Frame) -> Any:
        frame[index] = value(frame)
        return body(frame)

    return run


def conditional(condition: Code, positive: Code, negative: Code) -> Code:
    """`condition ? positive : negative`."""

    def run(frame: Frame) -> Any:
        return positive(frame) if boolean(condition(frame)) else negative(frame)

    return run


def logic(operator: str, operands: Sequence[Code]) -> Code:
    """`and` and `or`: all operands but the last must be bools, the last one is the result if reached."""
    *heads, last = operands
    decides = operator == "or"

    def run(frame: Frame) -> Any:
        for head in heads:
            value = head(frame)
            if value is decides:
                return decides
            if value is not (not decides):
                boolean(value)
        return last(frame)

    return run


def array(items: Sequence[Code]) -> Code:
    """`[items...]`."""

    def run(frame: Frame) -> Any:
        frame[BUDGET].build(len(items))
        return [item(frame) for item in items]

    return run


def mapping(pairs: Sequence[tuple[Code, Code]]) -> Code:
    """`{key: value, ...}`; of equal keys the first one counts."""

    def run(frame: Frame) -> Any:
        frame[BUDGET].build(len(pairs))
        result: dict[str, Any] = {}
        for key, value in pairs:
            name, item = key(frame), value(frame)
            if type(name) is not str:
                raise EvaluationError(f"a map key must be a string, not {describe(name)}")
            result.setdefault(name, item)
        return result

    return run


def budgeted(function: Callable[..., Any], arguments: Sequence[Code]) -> Code:
    """A call of a builtin, which gets the budget first."""
    if len(arguments) == 1:
        only = arguments[0]
        return lambda frame: function(frame[BUDGET], only(frame))
    return lambda frame: function(frame[BUDGET], *[argument(frame) for argument in arguments])


def accounted(argument: Code) -> Code:
    """The argument of a function that may visit all of it: its size counts."""

    def run(frame: Frame) -> Any:
        value = argument(frame)
        if isinstance(value, (list, dict)):
            frame[BUDGET].walk(value)
        elif type(value) is str:
            frame[BUDGET].read(value)
        return value

    return run


def applied(callee: Code, arguments: Sequence[Code]) -> Code:
    """A call of what turns out to be a function. Raises EvaluationError if it is none."""

    def run(frame: Frame) -> Any:
        values = [argument(frame) for argument in arguments]
        function = callee(frame)
        if type(function) is GoFunction:
            result = function.call(frame[BUDGET], *values)
            if type(result) is str:
                frame[BUDGET].write(len(result))
            elif isinstance(result, (list, dict)):
                frame[BUDGET].spend(len(result))
            return result
        if type(function) is End:
            return function
        raise EvaluationError(f"{describe(function)} cannot be called")

    return run

"""Fields and methods: `.a.b` on maps, on missing values, and on objects such as times."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

from events.errors import EvaluationError
from events.lang.gotemplate.arguments import assigned
from events.lang.gotemplate.run import Expression, Run
from events.lang.govalue import NO_VALUE, Function, GoObject, type_name

Arguments = Callable[[Run, Any, Function], Sequence[Any]]
"""Evaluates the operands behind a method for the types of its parameters."""

_MISSING: Final = object()


def path(names: tuple[str, ...]) -> Expression:
    """Fields of the dot."""
    if len(names) == 1:
        return _single(names[0])

    def expression(run: Run, dot: Any) -> Any:
        for name in names:
            dot = dot.get(name, NO_VALUE) if type(dot) is dict else field(dot, name)
        return dot

    return expression


def _single(name: str) -> Expression:
    def expression(run: Run, dot: Any) -> Any:
        return dot.get(name, NO_VALUE) if type(dot) is dict else field(dot, name)

    return expression


def chain(base: Expression, names: tuple[str, ...]) -> Expression:
    """Fields of another value."""
    fields = path(names)
    return lambda run, dot: fields(run, base(run, dot))


def field(value: Any, name: str) -> Any:
    """One field: NO_VALUE of what is missing; an error on nil and on what has no fields."""
    if isinstance(value, dict):
        return value.get(name, NO_VALUE)
    if value is NO_VALUE:
        return NO_VALUE
    if value is None:
        raise EvaluationError(f"field {name} of nil")
    method = method_of(value, name)
    if method is not None:
        check_count(name, method, 0)
        return method.call(value)
    return _object_field(value, name)


def _object_field(value: Any, name: str) -> Any:
    found = value.go_fields().get(name, _MISSING) if isinstance(value, GoObject) else _MISSING
    if found is _MISSING:
        raise EvaluationError(f"can't evaluate field {name} in type {type_name(value)}")
    return found


def method_of(value: Any, name: str) -> Function | None:
    """The method of this name, if the value has one."""
    methods = getattr(value, "go_methods", None)
    return None if methods is None else methods.get(name)


def check_count(name: str, function: Function, given: int) -> None:
    """Raise EvaluationError if the function does not take this many arguments."""
    fixed = len(function.params)
    if given < fixed - 1 if function.variadic else given != fixed:
        least = f"at least {fixed - 1}" if function.variadic else str(fixed)
        raise EvaluationError(f"wrong number of args for {name}: want {least} got {given}")


def method_call(
    base: Expression, names: tuple[str, ...], given: int, arguments: Arguments, last: Expression | None
) -> Expression:
    """Fields of which the last is a method that gets arguments; `last` is a piped one."""
    receiver = chain(base, names[:-1]) if len(names) > 1 else base
    name = names[-1]

    def expression(run: Run, dot: Any) -> Any:
        piped = [] if last is None else [last(run, dot)]
        value = receiver(run, dot)
        if value is NO_VALUE:
            return NO_VALUE
        method = method_of(value, name)
        if method is None:
            raise EvaluationError(f"{name} of {type_name(value)} is not a method but has arguments")
        check_count(name, method, given + len(piped))
        piped = [assigned(argument, parameter_type(method, given)) for argument in piped]
        return method.call(value, *arguments(run, dot, method), *piped)

    return expression


def parameter_type(function: Function, place: int) -> str:
    """The static type of the argument at this place."""
    return function.params[min(place, len(function.params) - 1)]

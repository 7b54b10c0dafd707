"""Calls of Go functions with strict parameter types, as reflection makes them."""

from __future__ import annotations

from typing import Any

from events.errors import EvaluationError
from events.lang.exprlang.values import describe
from events.lang.govalue import Function


def check_arguments(name: str, function: Function, arguments: tuple[Any, ...]) -> None:
    """Raise EvaluationError unless number and types of the arguments are those of the parameters.

    Nil passes only for `interface {}`; nothing is converted, so a JSON number (float64) is no int.
    """
    params, given = function.params, len(arguments)
    if given < len(params) - 1 if function.variadic else given != len(params):
        raise EvaluationError(f"wrong number of arguments for {name}: {given}")
    for index, value in enumerate(arguments):
        wanted = params[min(index, len(params) - 1)]
        if wanted != "any" and describe(value) != wanted:
            raise EvaluationError(f"cannot use {describe(value)} as {wanted} in a call of {name}")

"""Arguments of template functions: literals take the type of the parameter, other values must have it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from events.errors import EvaluationError
from events.lang.gotemplate.literals import Number
from events.lang.gotemplate.nodes import Bool, Nil, NumberLiteral, Operand, String
from events.lang.gotemplate.run import Expression, Run
from events.lang.govalue import NO_VALUE, GoInt64, GoNilList, GoNilMap, GoNilStrings, type_name

VALUE: Final = "reflect.Value"
"""Parameter type of the built-in functions: any value, also none."""

ANY: Final = ("any", "interface {}")
_EXACT: Final[dict[str, type]] = {
    "string": str,
    "int": int,
    "float64": float,
    "bool": bool,
    "map[string]interface {}": dict,
    "[]interface {}": list,
}
_NILS: Final[dict[str, Callable[[], Any]]] = {
    VALUE: lambda: NO_VALUE,
    **dict.fromkeys(ANY, lambda: None),
    "map[string]interface {}": GoNilMap,
    "[]interface {}": GoNilList,
    "[]string": GoNilStrings,
}
_INTEGERS: Final[dict[str, type[int]]] = {
    "int": int,
    "int64": GoInt64,
    "time.Duration": GoInt64,
    "time.Month": int,
}
_UNSIGNED: Final = ("uint", "uint8", "uint16", "uint32", "uint64")


def typed(node: Operand, value: Expression | None, parameter: str) -> Expression:
    """The argument as a parameter of this Go type gets it; `value` is None for a literal.

    What does not fit raises EvaluationError when it is evaluated, as in Go.
    """
    if value is None:
        return literal(node, parameter)
    return value if parameter == VALUE else _checked(value, parameter)


def _checked(value: Expression, parameter: str) -> Expression:
    exact = _EXACT.get(parameter)

    def expression(run: Run, dot: Any) -> Any:
        found = value(run, dot)
        return found if type(found) is exact else assigned(found, parameter)

    def anything(run: Run, dot: Any) -> Any:
        found = value(run, dot)
        return None if found is NO_VALUE else found

    return anything if parameter in ANY else expression


def assigned(value: Any, parameter: str) -> Any:
    """The value if Go can assign it to the type. Raises EvaluationError otherwise."""
    if value is NO_VALUE:
        if parameter in _NILS:
            return _NILS[parameter]()
        raise EvaluationError(f"no value where {parameter} is expected")
    if parameter in ANY or parameter == VALUE or type_name(value) == parameter:
        return value
    raise EvaluationError(f"{type_name(value)} where {parameter} is expected")


def literal(node: Operand, parameter: str) -> Expression:
    """A literal as this type."""
    if isinstance(node, Nil):
        nil = _NILS.get(parameter)
        if nil is not None:
            return lambda run, dot: nil()
        return failing(f"nil where {parameter} is expected")
    if isinstance(node, NumberLiteral):
        return _number(node.value, parameter)
    if isinstance(node, Bool) and parameter in (VALUE, *ANY, "bool"):
        return constant(node.value)
    if isinstance(node, String) and parameter in (VALUE, *ANY, "string"):
        return constant(node.value)
    return failing(f"literal where {parameter} is expected")


def _number(number: Number, parameter: str) -> Expression:
    if parameter in ANY or parameter == VALUE:
        return ideal(number)
    found: Any = None
    if parameter in _INTEGERS:
        found = None if number.as_int is None else _INTEGERS[parameter](number.as_int)
    elif parameter in _UNSIGNED:
        found = number.as_uint
    elif parameter == "float64":
        found = number.as_float
    return failing(f"{number.text} where {parameter} is expected") if found is None else constant(found)


def ideal(number: Number) -> Expression:
    """A number where no type is asked for: its spelling decides."""
    if number.as_complex is not None:
        return constant(number.as_complex)
    if number.as_float is not None and number.looks_float:
        return constant(number.as_float)
    return failing(f"{number.text} overflows int") if number.as_int is None else constant(number.as_int)


def constant(value: Any) -> Expression:
    """Always this value."""
    return lambda run, dot: value


def failing(message: str) -> Expression:
    """An error when it is reached: what Go finds only then must not stop the rest of a template."""

    def expression(run: Run, dot: Any) -> Any:
        raise EvaluationError(message)

    return expression

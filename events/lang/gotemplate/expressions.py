"""Compiler of pipelines: operands, function calls and variables to closures over (run, dot)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from events.errors import EvaluationError
from events.lang.gofmt import Format, sprintf
from events.lang.gotemplate import fields
from events.lang.gotemplate.arguments import VALUE, constant, failing, ideal, typed
from events.lang.gotemplate.nodes import (
    Bool,
    Chain,
    Dot,
    Field,
    Identifier,
    Nil,
    NumberLiteral,
    Operand,
    Pipeline,
    String,
    Variable,
)
from events.lang.gotemplate.run import UNDEFINED, Expression, Run
from events.lang.govalue import NO_VALUE, Function

_LOGIC: Final = {"and": False, "or": True}
"""Functions that stop at the first argument of this truth."""

LOGIC_NAMES: Final = frozenset(_LOGIC)

_COSTS: Final = dict.fromkeys(
    ["bcrypt", "htpasswd", "derivePassword", "buildCustomCert", "genPrivateKey", "genCA", "genCAWithKey"]
    + [f"gen{kind}Cert{key}" for kind in ("SelfSigned", "Signed") for key in ("", "WithKey")],
    200_000,
)
"""Steps of a metered call where it is not one: functions that are slow on purpose."""

_FREE_CALLS: Final = 32
"""So many calls outside of loops are not metered."""


@dataclass(slots=True)
class Program:
    """What all parts of one template share while it is compiled."""

    functions: Mapping[str, Function]
    env_functions: Mapping[str, Function]
    mutating: frozenset[str]
    calls: int = 0
    """Calls so far that are outside of loops."""
    needs_run: bool = False
    """Whether an expression outside of loops uses variables, the environment or the budget of steps."""
    mutates: bool = False
    """Whether a function may change the data."""


@dataclass(slots=True)
class Frame:
    """Variables of one template: how many places they take."""

    size: int = 1
    assigns_root: bool = False
    """Whether `$` was assigned, so that it may differ from the first dot."""

    def fresh(self, data: Any) -> list[Any]:
        """The variables before the template runs: `$` is its data."""
        return [data] + [UNDEFINED] * (self.size - 1)


@dataclass(slots=True)
class Scope:
    """What is visible at one place of a template."""

    program: Program
    frame: Frame
    names: dict[str, int] = field(default_factory=lambda: {"$": 0})
    moved: bool = False
    """Whether the dot may be another value than `$`."""
    repeated: bool = False
    """Whether this place can be reached more than once in a rendering."""

    def inner(self, moved: bool = False, repeated: bool = False) -> Scope:
        """The scope of a body: its variables are its own."""
        return Scope(
            self.program, self.frame, dict(self.names), self.moved or moved, self.repeated or repeated
        )

    def declare(self, name: str) -> int:
        """A new variable, which hides another of its name."""
        self.names[name] = place = self.frame.size
        self.frame.size += 1
        return place


_PIPED: Final = Dot(0)
"""Stands for the operand that the last argument of a piped command has not."""


# --- Pipelines ------------------------------------------------------------------------------------


def pipeline(node: Pipeline, scope: Scope) -> Expression:
    """The value of a pipeline: NO_VALUE instead of nil. Sets its variables."""
    value = present(unset_pipeline(node, scope))
    places = variables(node, scope)
    if not places:
        return value

    def expression(run: Run, dot: Any) -> Any:
        found = value(run, dot)
        for place in places:
            set_variable(run, place, found)
        return found

    return expression


def unset_pipeline(node: Pipeline, scope: Scope) -> Expression:
    """The value of a pipeline as its last command gives it, maybe nil; variables are left alone."""
    value = command(node.commands[0], None, scope)
    for operands in node.commands[1:]:
        value = command(operands, present(value), scope)
    return value


def present(value: Expression) -> Expression:
    """NO_VALUE instead of a nil interface: Go unpacks interfaces between commands."""

    def expression(run: Run, dot: Any) -> Any:
        found = value(run, dot)
        return NO_VALUE if found is None else found

    return expression


def variables(node: Pipeline, scope: Scope) -> list[int | None]:
    """Places of the variables that a pipeline sets; None for one that does not exist."""
    scope.program.needs_run |= bool(node.variables)
    if node.assigns:
        places = [scope.names.get(name) for name in node.variables]
        scope.frame.assigns_root |= 0 in places
        return places
    return [scope.declare(name) for name in node.variables]


def set_variable(run: Run, place: int | None, value: Any) -> None:
    """Raises EvaluationError for a variable that does not exist."""
    if place is None:
        raise EvaluationError("assignment to an undefined variable")
    run.frame[place] = value


def command(operands: Sequence[Operand], last: Expression | None, scope: Scope) -> Expression:
    """One command; `last` is the value of the one before, its last argument."""
    head, rest = operands[0], operands[1:]
    if isinstance(head, Identifier):
        return function_call(head.name, rest, last, scope)
    if isinstance(head, Nil):
        return failing("nil is not a command")
    if not rest and last is None:
        return operand(head, scope)
    base, names = _path_of(head, scope)
    if not names:
        return failing("can't give argument to non-function")
    return fields.method_call(base, names, len(rest), _method_arguments(rest, scope), last)


def _path_of(head: Operand, scope: Scope) -> tuple[Expression, tuple[str, ...]]:
    """The start of a path and its fields."""
    if isinstance(head, Field):
        return _dot, head.names
    if isinstance(head, Variable):
        return variable(head.name, scope), head.names
    if isinstance(head, Chain):
        return operand(head.operand, scope), head.names
    return _dot, ()


# --- Operands -------------------------------------------------------------------------------------


def operand(node: Operand, scope: Scope) -> Expression:
    """The value of an operand where no type is asked for."""
    return _OPERANDS[type(node)](node, scope)


def _dot(run: Run, dot: Any) -> Any:
    return dot


def _field(node: Field, scope: Scope) -> Expression:
    return fields.path(node.names)


def _variable_path(node: Variable, scope: Scope) -> Expression:
    value = variable(node.name, scope)
    if not node.names:
        return value
    return fields.path(node.names) if value is _dot else fields.chain(value, node.names)


def variable(name: str, scope: Scope) -> Expression:
    """The value of a variable."""
    place = scope.names.get(name)
    if place is None:
        return failing(f"undefined variable: {name}")
    if place == 0 and not (scope.moved or scope.frame.assigns_root):
        return _dot
    scope.program.needs_run = True

    def expression(run: Run, dot: Any) -> Any:
        value = run.frame[place]
        if value is UNDEFINED:
            raise EvaluationError(f"undefined variable: {name}")
        return value

    return expression


def _chain(node: Chain, scope: Scope) -> Expression:
    return fields.chain(operand(node.operand, scope), node.names)


def _identifier(node: Identifier, scope: Scope) -> Expression:
    return function_call(node.name, (), None, scope)


_OPERANDS: Final[dict[type, Callable[[Any, Scope], Expression]]] = {
    Dot: lambda node, scope: _dot,
    Field: _field,
    Variable: _variable_path,
    Chain: _chain,
    Identifier: _identifier,
    Pipeline: pipeline,
    Bool: lambda node, scope: constant(node.value),
    String: lambda node, scope: constant(node.value),
    NumberLiteral: lambda node, scope: ideal(node.value),
}


# --- Calls ----------------------------------------------------------------------------------------

_LITERALS: Final = (Bool, Nil, NumberLiteral, String)


def function_call(
    name: str, operands: Sequence[Operand], last: Expression | None, scope: Scope
) -> Expression:
    """A call of a named function; what does not fit raises EvaluationError when it is reached, as in Go."""
    program = scope.program
    function = program.functions.get(name) or program.env_functions.get(name)
    if function is None:
        return _logic(name, operands, last, scope)
    try:
        fields.check_count(name, function, len(operands) + (last is not None))
    except EvaluationError as exc:
        return failing(exc.message)
    arguments = _arguments(function, operands, scope)
    if name in program.env_functions:
        arguments.insert(0, lambda run, dot: run.env)
        program.needs_run = True
    if last is not None:
        last = typed(_PIPED, last, fields.parameter_type(function, len(operands)))
    program.mutates |= name in program.mutating
    call = _format_call(operands) if name == "printf" else function.call
    return (_metered if _is_metered(scope) else _plain)(name, call, arguments, last)


def _is_metered(scope: Scope) -> bool:
    """Whether a call costs steps: in what may be repeated, and when there are many of them."""
    program = scope.program
    program.calls += not scope.repeated
    metered = scope.repeated or program.calls > _FREE_CALLS
    program.needs_run |= metered
    return metered


def _arguments(function: Function, operands: Sequence[Operand], scope: Scope) -> list[Expression]:
    return [
        typed(node, _value(node, scope), fields.parameter_type(function, place))
        for place, node in enumerate(operands)
    ]


def _value(node: Operand, scope: Scope) -> Expression | None:
    return None if isinstance(node, _LITERALS) else operand(node, scope)


def _format_call(operands: Sequence[Operand]) -> Callable[..., Any]:
    """printf; a literal format is parsed now."""
    if not operands or not isinstance(operands[0], String):
        return sprintf
    known = Format(operands[0].value)
    return lambda _, *values: known.render(values)


def _plain(
    name: str, call: Callable[..., Any], arguments: list[Expression], last: Expression | None
) -> Expression:
    """A call without a meter. The piped argument is evaluated first, as in Go."""
    if last is None:
        return _plain_call(name, call, arguments)
    tail = last

    def expression(run: Run, dot: Any) -> Any:
        value = tail(run, dot)
        try:
            return call(*[argument(run, dot) for argument in arguments], value)
        except EvaluationError as exc:
            raise _named(name, exc) from exc

    return expression


def _plain_call(name: str, call: Callable[..., Any], arguments: list[Expression]) -> Expression:
    def expression(run: Run, dot: Any) -> Any:
        try:
            return call(*[argument(run, dot) for argument in arguments])
        except EvaluationError as exc:
            raise _named(name, exc) from exc

    return expression


def _metered(
    name: str, call: Callable[..., Any], arguments: list[Expression], last: Expression | None
) -> Expression:
    """A call of which there can be many: it costs steps by the size of its arguments and its result."""
    base = _COSTS.get(name, 1)

    def metered(run: Run, dot: Any) -> Any:
        tail = () if last is None else (last(run, dot),)
        try:
            values = [*[argument(run, dot) for argument in arguments], *tail]
            run.spend(base + sum([_weight(value) for value in values]))
            result = call(*values)
            run.spend(_weight(result))
            return result
        except EvaluationError as exc:
            raise _named(name, exc) from exc

    return metered


def _weight(value: Any) -> int:
    if isinstance(value, str):
        return len(value) >> 6
    return len(value) >> 4 if isinstance(value, (list, dict)) else 0


def _named(name: str, exc: EvaluationError) -> EvaluationError:
    return EvaluationError(f"{name}: {exc.message}")


def _logic(name: str, operands: Sequence[Operand], last: Expression | None, scope: Scope) -> Expression:
    """`and`, `or`: the first argument that decides, else the last one; those behind it are not evaluated."""
    if not operands and last is None:
        return failing(f"wrong number of args for {name}: want at least 1 got 0")
    decisive = _LOGIC[name]
    values = [typed(node, _value(node, scope), VALUE) for node in operands]
    tail = last

    def expression(run: Run, dot: Any) -> Any:
        found = None if tail is None else tail(run, dot)
        for value in values:
            current = value(run, dot)
            if bool(current) is decisive:
                return current
        return current if tail is None else found

    return expression


def _method_arguments(operands: Sequence[Operand], scope: Scope) -> fields.Arguments:
    """Arguments of a method, whose parameter types show only when it is called."""
    values = [(node, _value(node, scope)) for node in operands]

    def evaluate(run: Run, dot: Any, method: Function) -> list[Any]:
        return [
            typed(node, value, fields.parameter_type(method, place))(run, dot)
            for place, (node, value) in enumerate(values)
        ]

    return evaluate

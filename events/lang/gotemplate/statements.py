"""Compiler of statements: text, printed pipelines, control flow and other templates, to closures.

A statement writes to the run and returns nothing, or the signal of a `break` or `continue` on its way to the
loop.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Any, Final, TypeAlias

from events.errors import EvaluationError
from events.lang.gofmt import sprint
from events.lang.gotemplate.arguments import constant
from events.lang.gotemplate.expressions import (
    Frame,
    Program,
    Scope,
    pipeline,
    present,
    set_variable,
    unset_pipeline,
    variables,
)
from events.lang.gotemplate.nodes import (
    Action,
    Block,
    Break,
    Call,
    Continue,
    If,
    Range,
    Text,
    Tree,
    With,
)
from events.lang.gotemplate.run import Expression, Run
from events.lang.govalue import NO_VALUE, sorted_items, type_name


class Signal(Enum):
    """How a loop is left."""

    BREAK = auto()
    CONTINUE = auto()


Code: TypeAlias = Callable[[Run, Any], Signal | None]


@dataclass(slots=True)
class Unit:
    """One compiled template: its code and how many variables it has."""

    code: Code
    frame: Frame


@dataclass(slots=True)
class Linker:
    """Compiles the templates of a tree; a call finds its target when it runs, as they may call each other."""

    program: Program
    units: dict[str, Unit] = field(default_factory=dict)

    def compile(self, tree: Tree, root: str) -> Unit:
        """The unit of the template of this name; the others may be called any number of times."""
        for name, nodes in tree.blocks.items():
            frame = Frame()
            self.units[name] = Unit(block(nodes, Scope(self.program, frame, repeated=True), self), frame)
        frame = Frame()
        return Unit(block(tree.blocks[root], Scope(self.program, frame), self), frame)


def block(nodes: Block, scope: Scope, linker: Linker) -> Code:
    """Statements one after the other."""
    codes = [_STATEMENTS[type(node)](node, scope, linker) for node in nodes]
    if scope.repeated:
        return _metered(codes)
    return codes[0] if len(codes) == 1 else _sequence(codes)


def _sequence(codes: list[Code]) -> Code:
    def code(run: Run, dot: Any) -> Signal | None:
        for step in codes:
            signal = step(run, dot)
            if signal is not None:
                return signal
        return None

    return code


def _metered(codes: list[Code]) -> Code:
    """A sequence that can run many times: it costs steps by its length."""
    sequence, cost = _sequence(codes), len(codes) + 1

    def code(run: Run, dot: Any) -> Signal | None:
        run.spend(cost)
        return sequence(run, dot)

    return code


def shown(value: Any) -> str:
    """The text of a value in the output."""
    if type(value) is str:
        return value
    return sprint(NO_VALUE if value is None else value)


def _text(node: Text, scope: Scope, linker: Linker) -> Code:
    text = node.text
    return lambda run, dot: run.write(text)


def _action(node: Action, scope: Scope, linker: Linker) -> Code:
    if node.pipeline.variables:
        return _silent(pipeline(node.pipeline, scope))
    value = unset_pipeline(node.pipeline, scope)
    return lambda run, dot: run.write(shown(value(run, dot)))


def _silent(value: Expression) -> Code:
    def code(run: Run, dot: Any) -> None:
        value(run, dot)

    return code


def _break(node: Break, scope: Scope, linker: Linker) -> Code:
    return lambda run, dot: Signal.BREAK


def _continue(node: Continue, scope: Scope, linker: Linker) -> Code:
    return lambda run, dot: Signal.CONTINUE


def _branches(
    node: If | With, scope: Scope, linker: Linker, moved: bool
) -> tuple[list[tuple[Expression, Code]], Code]:
    """Conditions with their bodies. A later branch sees the variables of the conditions before it."""
    scope, found = scope.inner(), []
    for condition, body in node.branches:
        value = pipeline(condition, scope)
        found.append((value, block(body, scope.inner(moved=moved), linker)))
    return found, block(node.otherwise, scope.inner(), linker)


def _if(node: If, scope: Scope, linker: Linker) -> Code:
    branches, otherwise = _branches(node, scope, linker, moved=False)

    def code(run: Run, dot: Any) -> Signal | None:
        for condition, body in branches:
            if condition(run, dot):
                return body(run, dot)
        return otherwise(run, dot)

    return code


def _with(node: With, scope: Scope, linker: Linker) -> Code:
    branches, otherwise = _branches(node, scope, linker, moved=True)

    def code(run: Run, dot: Any) -> Signal | None:
        for condition, body in branches:
            value = condition(run, dot)
            if value:
                return body(run, value)
        return otherwise(run, dot)

    return code


# --- Loops ----------------------------------------------------------------------------------------


def _range(node: Range, scope: Scope, linker: Linker) -> Code:
    scope = scope.inner()
    value = present(unset_pipeline(node.pipeline, scope))
    places = variables(node.pipeline, scope)
    body = block(node.body, scope.inner(moved=True, repeated=True), linker)
    otherwise = block(node.otherwise, scope.inner(), linker)

    def code(run: Run, dot: Any) -> Signal | None:
        found = value(run, dot)
        for place in places:
            set_variable(run, place, found)
        entered = False
        for entry in _entries(found, len(places)):
            entered = True
            for place, part in zip(places, entry[-len(places) :], strict=False):
                set_variable(run, place, part)
            if body(run, entry[1]) is Signal.BREAK:
                break
        return None if entered else _beyond(otherwise(run, dot))

    return code


def _beyond(signal: Signal | None) -> Signal | None:
    """What the `else` of a loop hands on: its `break` ends there, its `continue` is for the loop around."""
    return None if signal is Signal.BREAK else signal


def _entries(value: Any, variables: int) -> Iterable[tuple[Any, Any]]:
    """Index or key, and element, of what a loop goes over. Raises EvaluationError for what has neither."""
    if isinstance(value, list):
        return enumerate(value)
    if isinstance(value, dict):
        return sorted_items(value)
    if value is NO_VALUE:
        return ()
    if not isinstance(value, int) or isinstance(value, bool):
        raise EvaluationError(f"range can't iterate over {type_name(value)}")
    if variables > 1:
        raise EvaluationError("can't iterate over a number with more than one variable")
    return _count(value)


def _count(end: int) -> Iterable[tuple[Any, int]]:
    """The numbers below one, of its type."""
    kind = type(end)
    return ((NO_VALUE, kind(number)) for number in range(end))


# --- Other templates ------------------------------------------------------------------------------


def _call(node: Call, scope: Scope, linker: Linker) -> Code:
    value = constant(NO_VALUE) if node.pipeline is None else pipeline(node.pipeline, scope)
    name, units = node.name, linker.units

    def code(run: Run, dot: Any) -> None:
        unit = units.get(name)
        if unit is None:
            raise EvaluationError(f"template {name!r} not defined")
        argument = value(run, dot)
        outer, run.frame = run.frame, unit.frame.fresh(argument)
        unit.code(run, argument)
        run.frame = outer

    return code


_STATEMENTS: Final[dict[type, Callable[[Any, Scope, Linker], Code]]] = {
    Text: _text,
    Action: _action,
    Break: _break,
    Continue: _continue,
    If: _if,
    With: _with,
    Range: _range,
    Call: _call,
}

"""From a checked and optimized syntax tree to one closure; names, functions, patterns are resolved here."""

from __future__ import annotations

from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from events.errors import EvaluationError, ExpressionError
from events.lang.exprlang import code, environment, nodes
from events.lang.exprlang import code_operators as ops
from events.lang.exprlang.budget import Budget
from events.lang.exprlang.code import Code
from events.lang.exprlang.functions import FUNCTIONS, RAW_RESULT, BuiltinFunction
from events.lang.exprlang.loops import LOOPS, Loop
from events.lang.exprlang.nodes import Node
from events.lang.exprlang.values import IntSet, TextSet

if TYPE_CHECKING:
    from collections.abc import Iterator

    from events.lang.sprig.env import Env

FUNCTION_NAMES: Final = frozenset({"asInt", "asFloat", "jsonpath", "toJson", "sprig"})

_LOOP_SLOTS: Final = 3
_POINTERS: Final = {"index": 1, "acc": 2}
_KEPT: Final = 1000
"""Elements up to which a list that is known at compile time is kept."""
_COMPILING: Final = 100
"""The part of an evaluation's budget that may go into constants at compile time."""

FIXED, IN_LOOP, BY_EVENT = range(3)
"""What a value depends on: on nothing, on the loop around it, on the event."""


@dataclass(frozen=True, slots=True)
class _Scope:
    """A loop that is open: its slots, and whether its elements come straight from the event."""

    slot: int
    raw: bool


class Compiler:
    """One compilation. `frame` makes the frame that the code needs."""

    def __init__(self, text: str, env: Env | None) -> None:
        self._text, self._env = text, env
        self._slots = code.FIRST_SLOT
        self._variables: dict[str, int] = {}
        self._scopes: list[_Scope] = []
        self._looping = False
        self._budget = Budget(_COMPILING)

    def frame(self, variables: Any) -> code.Frame:
        """A new frame for an event with these variables."""
        return [variables, Budget(), *[None] * (self._slots - code.FIRST_SLOT)]

    # --- Values

    def value(self, node: Node) -> Code:
        """Code that gives a Go value."""
        made = self.raw(node)
        return code.normalized(made) if self._is_raw(node) else made

    def raw(self, node: Node) -> Code:
        """Code that gives a Go value, or one straight from the event where `_is_raw` says so."""
        made = self._made(node)
        if isinstance(node, (nodes.Literal, nodes.Constant)) or self._depends(node) is not FIXED:
            return made
        return self._computed(made)

    def _computed(self, made: Code) -> Code:
        """The code, or its value where that is small. What fails now fails with the event, if reached."""
        frame: code.Frame = [{}, self._budget, *[None] * self._slots]
        try:
            value = made(frame)
        except (EvaluationError, RecursionError, OverflowError):
            return made
        if isinstance(value, (list, dict)) and len(value) > _KEPT:
            return made
        return code.constant(value)

    def _made(self, node: Node) -> Code:
        match node:
            case nodes.Literal():
                return code.constant(node.value)
            case nodes.Constant():
                return ops.range_list(node.value) if type(node.value) is range else code.constant(node.value)
            case nodes.Identifier():
                return self._name(node.name)
            case nodes.Pointer():
                return self._pointer(node)
            case nodes.Member():
                return self._member(node)
            case nodes.Chain():
                return code.chain(self._linked(node.node))
            case nodes.Call():
                return self._call(node)
            case nodes.Builtin():
                return self._loop(node) if node.name in LOOPS else self._builtin(node)
            case nodes.Closure():
                return self.value(node.body)
            case nodes.Let():
                return self._let(node)
        return self._operation(node)

    def _operation(self, node: Node) -> Code:
        match node:
            case nodes.Unary():
                return ops.unary(node.operator, self.value(node.operand))
            case nodes.Logic():
                heads = [self.raw(operand) for operand in node.operands[:-1]]
                return code.logic(node.operator, [*heads, self.value(node.operands[-1])])
            case nodes.Binary():
                return self._binary(node)
            case nodes.Conditional():
                return self._conditional(node)
            case nodes.Slice():
                start, stop = (None if part is None else self.value(part) for part in (node.start, node.stop))
                return code.sliced(self.raw(node.base), start, stop)
            case nodes.Array():
                return code.array([self.value(item) for item in node.items])
            case nodes.Map():
                return code.mapping([(self.value(key), self.value(value)) for key, value in node.pairs])
        raise AssertionError(f"no such node: {node}")

    # --- What values depend on

    def _is_raw(self, node: Node) -> bool:
        """Whether the node's value comes straight from the event, where int stands for float64."""
        match node:
            case nodes.Identifier(name=name):
                return name not in self._variables and name not in FUNCTION_NAMES
            case nodes.Member(base=part) | nodes.Slice(base=part) | nodes.Chain(node=part):
                return self._is_raw(part)
            case nodes.Pointer(name=""):
                return self._scopes[-1].raw
            case nodes.Conditional(positive=Node() as first, negative=second):
                return self._is_raw(first) and self._is_raw(second)
            case nodes.Binary(operator="??"):
                return self._is_raw(node.left) and self._is_raw(node.right)
            case nodes.Builtin(name="find" | "findLast" | "filter", mapped=None):
                return self._is_raw(node.arguments[0])
            case nodes.Builtin(name=name) if name in FUNCTIONS and node.arguments:
                return name == RAW_RESULT or (FUNCTIONS[name].hands_on and self._is_raw(node.arguments[0]))
        return False

    def _depends(self, node: Node) -> int:
        """FIXED, IN_LOOP or BY_EVENT."""
        match node:
            case nodes.Identifier() | nodes.Let() | nodes.Builtin(name="now"):
                return BY_EVENT
            case nodes.Pointer():
                return IN_LOOP
            case nodes.Builtin(name=name) if name in LOOPS:
                return self._loop_depends(node)
        return max(map(self._depends, nodes.children(node)), default=FIXED)

    def _loop_depends(self, node: nodes.Builtin) -> int:
        collection, *inner = node.arguments
        within = [*inner, *([node.mapped] if node.mapped is not None else [])]
        by_event = any(self._depends(part) is BY_EVENT for part in within)
        return BY_EVENT if by_event else self._depends(collection)

    # --- Names and members

    def _name(self, name: str) -> Code:
        if name in self._variables:
            return code.slot(self._variables[name])
        if name == "$env":
            return self._environment()
        return self._global(name)

    def _global(self, name: str) -> Code:
        """A name of the environment: a function, or a variable of the event."""
        if name == "sprig":
            return code.constant(environment.sprig(self._env))
        return code.constant(environment.function(name)) if name in FUNCTION_NAMES else code.path([name])

    def _environment(self) -> Code:
        known = environment.functions(self._env)
        return lambda frame: {**frame[code.VARIABLES], **known}

    def _pointer(self, node: nodes.Pointer) -> Code:
        slot = self._scopes[-1].slot
        if node.name == "":
            return code.pointer(slot)
        if node.name not in _POINTERS:
            raise ExpressionError(f"unknown pointer #{node.name}", self._text, node.position)
        return code.slot(slot + _POINTERS[node.name])

    def _member(self, node: nodes.Member) -> Code:
        names, base = _split_path(node)
        if not names:
            return code.indexed(self.raw(node.base), self.value(node.key))
        if isinstance(base, nodes.Identifier) and base.name not in self._variables:
            if base.name == "$env":
                first, *rest = names
                return code.members(self._global(first), rest) if rest else self._global(first)
            if base.name not in FUNCTION_NAMES:
                return code.path([base.name, *names])
        return code.members(self.raw(base), names)

    def _linked(self, node: Node) -> Code:
        """Code of a part of a chain: an End behind an absent `?.` base."""
        if isinstance(node, nodes.Member) and _is_linked(node):
            return code.linked(self._linked(node.base), self.value(node.key), optional=node.optional)
        if isinstance(node, nodes.Call) and _is_linked(node.callee):
            return code.applied(self._linked(node.callee), self._arguments(node))
        return self.raw(node)

    def _let(self, node: nodes.Let) -> Code:
        value = self.value(node.value)
        slot, hidden = self._new_slots(1), self._variables.get(node.name)
        self._variables[node.name] = slot
        made = code.assigned(slot, value, self.value(node.body))
        del self._variables[node.name]
        if hidden is not None:
            self._variables[node.name] = hidden
        return made

    def _new_slots(self, count: int) -> int:
        self._slots += count
        return self._slots - count

    # --- Operators

    def _conditional(self, node: nodes.Conditional) -> Code:
        condition = self.raw(node.condition)
        if node.positive is None:
            return code.logic("or", [condition, self.value(node.negative)])
        part = self.raw if self._is_raw(node) else self.value
        return code.conditional(condition, part(node.positive), part(node.negative))

    def _binary(self, node: nodes.Binary) -> Code:
        operator = node.operator
        if operator in ("==", "!="):
            made = self._equality(node)
            return made if operator == "==" else ops.negated(made)
        if operator == "in":
            return self._membership(node)
        if operator in ops.TEXT_OPERATORS:
            return self._text_operation(node)
        if operator == "??":
            part = self.raw if self._is_raw(node) else self.value
            return ops.binary(operator, part(node.left), part(node.right))
        number = _constant_number(node.right)
        if operator in ops.ORDER_OPERATORS and number is not None:
            return ops.ordered_number(operator, self.value(node.left), number)
        return ops.binary(operator, self.value(node.left), self.value(node.right))

    def _equality(self, node: nodes.Binary) -> Code:
        strict = _common_type(node)
        if strict is not None and node.operator == "==":
            return ops.strictly_equal(strict, self.value(node.left), self.value(node.right))
        number = _constant_number(node.right)
        if number is not None:
            return ops.equals_number(self.value(node.left), number)
        if isinstance(node.right, nodes.Literal):
            return ops.equals_constant(self.raw(node.left), node.right.value)
        return ops.binary("==", self.value(node.left), self.value(node.right))

    def _membership(self, node: nodes.Binary) -> Code:
        if isinstance(node.right, nodes.Constant):
            if isinstance(node.right.value, (IntSet, TextSet)):
                return ops.member_of_constant(self.raw(node.left), node.right.value)
            if type(node.right.value) is range:
                return ops.member_of_range(self.value(node.left), node.right.value)
        return ops.member_of(self.value(node.left), self.raw(node.right), raw=self._is_raw(node.right))

    def _text_operation(self, node: nodes.Binary) -> Code:
        left = ops.read_text(self.raw(node.left)) if self._looping else self.raw(node.left)
        if node.operator != "matches":
            return ops.binary(node.operator, left, self.raw(node.right))
        if node.pattern is not None:
            return ops.matches_constant(left, node.pattern.search)
        if isinstance(node.right, nodes.Literal) and isinstance(node.right.value, str):
            try:
                return ops.matches_constant(left, ops.search_for(node.right.value))
            except EvaluationError as exc:
                return code.failure(exc.message)
        return ops.binary(node.operator, left, self.raw(node.right))

    # --- Calls

    def _call(self, node: nodes.Call) -> Code:
        if node.builtin is not None:
            return self._call_builtin(node.builtin, node.arguments)
        callee = node.callee
        if self._is_jsonpath(callee) and len(node.arguments) == 2:
            made = self._jsonpath(node.arguments[1])
        elif (name := self._sprig_name(callee)) is not None:
            made = code.constant(environment.sprig_function(name, self._env))
        else:
            made = self.raw(callee)
        return code.applied(made, self._arguments(node))

    def _arguments(self, node: nodes.Call) -> list[Code]:
        return [code.accounted(self.value(argument)) for argument in node.arguments]

    def _sprig_name(self, callee: Node) -> str | None:
        """The name in `sprig.name`, for which one function will do instead of the map of all."""
        if not isinstance(callee, nodes.Member) or not isinstance(callee.base, nodes.Identifier):
            return None
        base = callee.base.name
        return _name_of(callee.key) if base == "sprig" and base not in self._variables else None

    def _is_jsonpath(self, callee: Node) -> bool:
        name = callee.name if isinstance(callee, nodes.Identifier) else None
        return name == "jsonpath" and name not in self._variables

    def _jsonpath(self, path: Node) -> Code:
        """`jsonpath`, with its path compiled if that is a literal. A bad path fails with the event."""
        text, made = _name_of(path), environment.function("jsonpath")
        if text is not None:
            with suppress(EvaluationError):
                made = environment.jsonpath(text)
        return code.constant(made)

    def _builtin(self, node: nodes.Builtin) -> Code:
        if node.name == "now":
            return self._now()
        return self._call_function(FUNCTIONS[node.name], node)

    def _call_builtin(self, name: str, arguments: list[Node]) -> Code:
        """A builtin that is called through a variable, which upstream can do with some of them only."""
        if name == "now":
            return self._now()
        if name not in FUNCTIONS or not FUNCTIONS[name].callable:
            return code.failure(f"{name} cannot be called through a variable")
        return self._call_function(FUNCTIONS[name], nodes.Builtin(0, name, arguments))

    def _call_function(self, function: BuiltinFunction, node: nodes.Builtin) -> Code:
        if not function.takes(len(node.arguments)):
            return code.failure(f"wrong number of arguments for {node.name}: {len(node.arguments)}")
        arguments = [self.raw(part) if function.raw else self.value(part) for part in node.arguments]
        if function.hands_on:
            arguments[0] = self.raw(node.arguments[0])
        if self._looping:
            arguments = [code.accounted(argument) for argument in arguments]
        return code.budgeted(function.call, arguments)

    def _now(self) -> Code:
        if self._env is None:
            return code.failure("now() needs the time, which is not available here")
        from events.lang.sprig.times import from_datetime  # loads the time zones

        return code.constant(from_datetime(self._env.now))

    def _loop(self, node: nodes.Builtin) -> Code:
        if len(node.arguments) < 2:
            return code.failure(f"wrong number of arguments for {node.name}")
        collection, body, *initial = node.arguments
        source, raw, slot = self._source(collection), self._is_raw(collection), self._new_slots(_LOOP_SLOTS)
        with self._inside(_Scope(slot, raw)):
            loop = Loop(
                source,
                self.value(body),
                slot,
                raw,
                self.value(initial[0]) if initial else None,
                None if node.mapped is None else self.value(node.mapped),
                node.throws,
            )
        return LOOPS[node.name](loop)

    def _source(self, collection: Node) -> Code:
        """The collection of a loop; a range of literals is not made a list for it."""
        if isinstance(collection, nodes.Constant) and type(collection.value) is range:
            return code.constant(collection.value)
        return self.raw(collection)

    @contextmanager
    def _inside(self, scope: _Scope) -> Iterator[None]:
        looping, self._looping = self._looping, True
        self._scopes.append(scope)
        yield
        self._scopes.pop()
        self._looping = looping


def _split_path(node: Node) -> tuple[list[str], Node]:
    """The names behind a base: `a.b.c` -> ([b, c], a)."""
    names: list[str] = []
    while isinstance(node, nodes.Member) and not node.optional and (name := _name_of(node.key)) is not None:
        names.append(name)
        node = node.base
    return names[::-1], node


def _name_of(node: Node) -> str | None:
    return node.value if isinstance(node, nodes.Literal) and type(node.value) is str else None


def _is_linked(node: Node) -> bool:
    """Whether an absent `?.` base may end the chain before this part of it."""
    while True:
        if isinstance(node, nodes.Member):
            if node.optional:
                return True
            node = node.base
        elif isinstance(node, nodes.Call):
            node = node.callee
        else:
            return False


def _constant_number(node: Node) -> float | None:
    return node.value if isinstance(node, nodes.Literal) and type(node.value) in (int, float) else None


def _common_type(node: nodes.Binary) -> type | None:
    """The type of both sides where upstream relies on it: int or string, and no named type."""
    left, right = node.left.type, node.right.type
    if left is None or right is None or left.kind != right.kind or left.named or right.named:
        return None
    return {"int": int, "string": str}.get(left.kind)

"""Type checker of filter expressions: what upstream refuses before any event comes is refused here.

Types decide more than errors: `x in [1, 2]` and `a == b` run differently when both sides are known to be int.
Arguments of functions that are not known before the event (`sprig.upper(...)`, `asInt(...)`) go unchecked.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from events.errors import ExpressionError
from events.lang.exprlang import nodes
from events.lang.exprlang.gotypes import (
    ANY,
    BOOL,
    FLOAT,
    FUNCTION,
    GROUPS,
    INT,
    LIST,
    MAP,
    STRING,
    TIME,
    Signature,
    Type,
    assignable,
    comparable,
    is_any,
    is_bool,
    is_integer,
    is_list,
    is_map,
    is_number,
    is_string,
    kind,
    slice_of,
)
from events.lang.exprlang.nodes import Node
from events.lang.exprlang.signatures import BUILTIN_NAMES, OVERLOADS, RULES
from events.lang.exprlang.timemethods import METHODS, TIME_FIELDS
from events.lang.exprlang.typerules import coalesced, fits, operation
from events.lang.regex import compile_regex

_LITERAL_TYPES: Final[dict[type, Type]] = {bool: BOOL, int: INT, float: FLOAT, str: STRING}


@dataclass(frozen=True, slots=True)
class Typed:
    """What is known of a value: type, the builtin that it names, the common type of an array's items."""

    type: Type | None
    builtin: str | None = None
    item: Type | None = None


_UNKNOWN: Final = Typed(ANY)


def check(root: Node, text: str) -> None:
    """Set the type of every node that upstream checks. Raises ExpressionError."""
    _Checker(text).visit(root)


class _Checker:
    """One walk over a tree. `scopes` are the collections of open closures, with the names behind `#`."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._scopes: list[tuple[Type | None, dict[str, Type]]] = []
        self._variables: dict[str, Typed] = {}

    def visit(self, node: Node) -> Typed:
        """Check a node and what is below it."""
        found = self._dispatch(node)
        node.type = found.type
        return found

    def _dispatch(self, node: Node) -> Typed:
        match node:
            case nodes.Literal():
                return Typed(_LITERAL_TYPES.get(type(node.value)))
            case nodes.Identifier():
                return self._identifier(node)
            case nodes.Unary():
                return Typed(self._unary(node))
            case nodes.Logic():
                return Typed(self._logic(node))
            case nodes.Binary():
                return Typed(self._binary(node))
            case nodes.Chain():
                return self.visit(node.node)
            case nodes.Member():
                return self._member(node)
            case nodes.Slice():
                return Typed(self._slice(node))
            case nodes.Call():
                return Typed(self._call(node))
            case nodes.Builtin():
                return Typed(self._builtin(node))
        return self._dispatch_rest(node)

    def _dispatch_rest(self, node: Node) -> Typed:
        match node:
            case nodes.Closure():
                return Typed(self._closure(node))
            case nodes.Pointer():
                return Typed(self._pointer(node))
            case nodes.Let():
                return self._let(node)
            case nodes.Conditional():
                return Typed(self._conditional(node))
            case nodes.Array():
                return self._array(node)
            case nodes.Map():
                for key, value in node.pairs:
                    self.visit(key)
                    self.visit(value)
                return Typed(MAP)
        raise AssertionError(f"no such node: {node}")

    def _fault(self, node: Node, message: str) -> ExpressionError:
        return ExpressionError(message, self._text, node.position)

    # --- Names

    def _identifier(self, node: nodes.Identifier) -> Typed:
        if node.name in self._variables:
            return self._variables[node.name]
        return Typed(MAP) if node.name == "$env" else _global(node.name)

    def _let(self, node: nodes.Let) -> Typed:
        if node.name in BUILTIN_NAMES:
            raise self._fault(node, f"{node.name} is a builtin")
        if node.name in self._variables:
            raise self._fault(node, f"{node.name} is defined already")
        self._variables[node.name] = self.visit(node.value)
        found = self.visit(node.body)
        del self._variables[node.name]
        return found

    def _pointer(self, node: nodes.Pointer) -> Type | None:
        if not self._scopes:
            raise self._fault(node, "# and . need a closure around them")
        collection, names = self._scopes[-1]
        if node.name:
            if node.name not in names:
                raise self._fault(node, f"unknown pointer #{node.name}")
            return names[node.name]
        return _element(collection)

    # --- Operators

    def _unary(self, node: nodes.Unary) -> Type | None:
        found = self.visit(node.operand).type
        if node.operator in ("!", "not"):
            if is_bool(found) or is_any(found):
                return BOOL
        elif is_number(found) or is_any(found):
            return found
        raise self._fault(node, f"{node.operator} does not take {found}")

    def _logic(self, node: nodes.Logic) -> Type:
        for operand in node.operands:
            found = self.visit(operand).type
            if not (is_bool(found) or is_any(found)):
                raise self._fault(operand, f"{node.operator} does not take {found}")
        return BOOL

    def _binary(self, node: nodes.Binary) -> Type | None:
        left, right = self.visit(node.left).type, self.visit(node.right)
        if node.operator == "??":
            return coalesced(left, right.type)
        if node.operator == "in":
            return self._membership(node, left, right)
        if node.operator == "matches" and isinstance(node.right, nodes.Literal):
            self._compile_pattern(node, node.right)
        found = operation(node.operator, left, right.type)
        if found is None:
            raise self._fault(node, f"{node.operator} does not take {left} and {right.type}")
        return found

    def _compile_pattern(self, node: nodes.Binary, literal: nodes.Literal) -> None:
        if not isinstance(literal.value, str):
            return
        try:
            node.pattern = compile_regex(literal.value)
        except ExpressionError as exc:
            raise self._fault(literal, exc.message) from exc

    def _membership(self, node: nodes.Binary, left: Type | None, right: Typed) -> Type:
        collection = right.type
        if is_map(collection):
            assert collection is not None
            assert collection.key is not None
            fits = left is None or is_any(left) or assignable(left, collection.key)
        elif is_list(collection):
            assert collection is not None
            fits = left is None or (comparable(left, collection.element) and comparable(left, right.item))
        elif kind(collection) == "struct":
            fits = is_string(left) or is_any(left)
        else:
            fits = is_any(collection) or (is_any(left) and is_string(collection))
        if not fits:
            raise self._fault(node, f"in does not take {left} and {collection}")
        return BOOL

    def _conditional(self, node: nodes.Conditional) -> Type | None:
        condition = self.visit(node.condition).type
        if not (is_bool(condition) or is_any(condition)):
            raise self._fault(node.condition, f"{condition} is no condition")
        positive = condition if node.positive is None else self.visit(node.positive).type
        negative = self.visit(node.negative).type
        if positive is None or negative is None:
            return positive or negative
        return positive if assignable(positive, negative) else ANY

    # --- Members and calls

    def _member(self, node: nodes.Member) -> Typed:
        base, key = self.visit(node.base).type, self.visit(node.key).type
        name = _text_of(node.key)
        if isinstance(node.base, nodes.Identifier) and node.base.name == "$env":
            return _UNKNOWN if name is None else _global(name)
        if name is not None:
            if base is None:
                raise self._fault(node, f"nil has no member {name}")
            if name in METHODS.get(base.name, ()):
                return Typed(METHODS[base.name][name])
        return Typed(self._element(node, base, key, name))

    def _element(
        self, node: nodes.Member, base: Type | None, key: Type | None, name: str | None
    ) -> Type | None:
        if is_any(base) or (base == TIME and name in TIME_FIELDS):
            return ANY
        if base is not None and is_map(base):
            assert base.key is not None
            if key is not None and not assignable(key, base.key) and not is_any(key):
                raise self._fault(node.key, f"{key} is no key of {base}")
            return base.element
        if base is not None and is_list(base):
            if not is_integer(key) and not is_any(key):
                raise self._fault(node.key, f"{key} is no index of a list")
            return base.element
        raise self._fault(node, f"{base} has no member {key if name is None else name}")

    def _slice(self, node: nodes.Slice) -> Type | None:
        base = self.visit(node.base).type
        if not (is_any(base) or is_string(base) or is_list(base)):
            raise self._fault(node, f"{base} cannot be sliced")
        for bound in (node.start, node.stop):
            if bound is not None:
                found = self.visit(bound).type
                if not is_integer(found) and not is_any(found):
                    raise self._fault(bound, f"{found} is no index")
        return base

    def _call(self, node: nodes.Call) -> Type | None:
        callee = self.visit(node.callee)
        if callee.builtin is not None:
            node.builtin = callee.builtin
            return self._arguments(node, callee.builtin, node.arguments)
        if callee.type is None or not (is_any(callee.type) or callee.type.signature):
            raise self._fault(node, f"{callee.type} cannot be called")
        signature = callee.type.signature
        if signature is None:
            return ANY
        if signature.results > 2:
            raise self._fault(node, "a function with more than two results cannot be called")
        return self._overload(node, (signature,), node.arguments)

    def _arguments(self, node: Node, name: str, arguments: list[Node]) -> Type | None:
        """The result type of a builtin that takes values only."""
        if name in RULES:
            types = [self.visit(argument).type for argument in arguments]
            try:
                return RULES[name](types)
            except ValueError as exc:
                raise ExpressionError(f"{name} {exc}", self._text, node.position) from exc
        return self._overload(node, OVERLOADS.get(name) or _DECLARED[name], arguments)

    def _overload(self, node: Node, signatures: tuple[Signature, ...], arguments: list[Node]) -> Type | None:
        types = [self.visit(argument).type for argument in arguments]
        for signature in signatures:
            if fits(signature, types):
                return signature.result
        given = ", ".join("nil" if found is None else str(found) for found in types)
        raise self._fault(node, f"no such call with ({given})")

    # --- Builtins

    def _builtin(self, node: nodes.Builtin) -> Type | None:
        if node.name in _CLOSURE_RULES:
            return self._predicate(node)
        if node.name == "get":
            return self._get(node)
        return self._arguments(node, node.name, node.arguments)

    def _predicate(self, node: nodes.Builtin) -> Type | None:
        collection = self.visit(node.arguments[0]).type
        if not (is_list(collection) or is_any(collection)):
            raise self._fault(node.arguments[0], f"{node.name} takes only arrays, not {collection}")
        self._scopes.append((collection, _POINTERS.get(node.name, {})))
        result = self.visit(node.arguments[1]).type
        self._scopes.pop()
        for initial in node.arguments[2:]:
            self.visit(initial)
        if node.name not in ("map", "groupBy", "reduce") and not (is_bool(result) or is_any(result)):
            raise self._fault(node.arguments[1], f"the predicate must give a boolean, not {result}")
        assert result is not None
        return _CLOSURE_RULES[node.name](collection, result)

    def _closure(self, node: nodes.Closure) -> Type:
        found = self.visit(node.body).type
        if found is None:
            raise self._fault(node.body, "a closure must not be nil")
        return found

    def _get(self, node: nodes.Builtin) -> Type | None:
        if len(node.arguments) != 2:
            raise self._fault(node, f"get expects 2 arguments, got {len(node.arguments)}")
        base, key = node.arguments
        if isinstance(base, nodes.Identifier) and base.name == "$env":
            return None if _text_of(key) is not None else ANY
        found = self.visit(base).type
        if found is None or not (is_any(found) or is_list(found) or is_map(found)):
            raise self._fault(base, f"{found} cannot be indexed")
        if is_any(found):
            return ANY
        self._check_key(found, key)
        return found.element

    def _check_key(self, base: Type, key: Node) -> None:
        found = self.visit(key).type
        if is_list(base):
            fits = is_integer(found)
        else:
            assert base.key is not None
            fits = found is not None and assignable(found, base.key)
        if not fits and not is_any(found):
            raise self._fault(key, f"{found} is no key of {base}")

    def _array(self, node: nodes.Array) -> Typed:
        types = [self.visit(item).type for item in node.items]
        same = bool(types) and None not in types and len({kind(found) for found in types}) == 1
        return Typed(LIST, item=types[-1] if same else None)


def _global(name: str) -> Typed:
    """A name outside of the expression: a builtin, or a variable of the event."""
    return Typed(FUNCTION, builtin=name) if name in BUILTIN_NAMES else _UNKNOWN


def _text_of(node: Node) -> str | None:
    return node.value if isinstance(node, nodes.Literal) and isinstance(node.value, str) else None


_DECLARED: Final[dict[str, tuple[Signature, ...]]] = dict.fromkeys(
    BUILTIN_NAMES - OVERLOADS.keys() - RULES.keys(), (Signature((ANY,), ANY, variadic=True),)
)
"""Builtins that can be reached as functions, but have no types as such."""


_POINTERS: Final[dict[str, dict[str, Type]]] = {"map": {"index": INT}, "reduce": {"index": INT, "acc": ANY}}


def _element(collection: Type | None) -> Type | None:
    return ANY if collection is None or is_any(collection) else collection.element


_CLOSURE_RULES: Final[dict[str, Callable[[Type | None, Type], Type | None]]] = {
    **dict.fromkeys(("all", "none", "any", "one"), lambda collection, result: BOOL),
    "filter": lambda collection, result: LIST if is_any(collection) else collection,
    "map": lambda collection, result: slice_of(result),
    **dict.fromkeys(("count", "findIndex", "findLastIndex"), lambda collection, result: INT),
    **dict.fromkeys(("find", "findLast"), lambda collection, result: _element(collection)),
    "groupBy": lambda collection, result: GROUPS,
    "reduce": lambda collection, result: result,
}
"""Builtins with a closure: from the types of collection and closure to the type of the result."""

"""Syntax tree of filter expressions. The type checker fills in `type`; None also means nil or unknown."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from events.lang.exprlang.gotypes import Type


@dataclass(slots=True, eq=False)
class Node:
    """What all nodes have: where they start in the text, and their static Go type."""

    position: int
    type: Type | None = field(default=None, kw_only=True)


@dataclass(slots=True, eq=False)
class Literal(Node):
    """nil, a bool, an int, a float or a string: written in the text, or folded from such."""

    value: Any


@dataclass(slots=True, eq=False)
class Constant(Node):
    """A value put together at compile time: a list of literals, a range, a set for `in`."""

    value: Any


@dataclass(slots=True, eq=False)
class Identifier(Node):
    """A variable, or the name of a builtin that is not called."""

    name: str


@dataclass(slots=True, eq=False)
class Unary(Node):
    """`not x`, `-x`, `+x`."""

    operator: str
    operand: Node


@dataclass(slots=True, eq=False)
class Binary(Node):
    """`left operator right`, all but `and` and `or`. `pattern`: the regular expression of `matches`."""

    operator: str
    left: Node
    right: Node
    pattern: Any = None


@dataclass(slots=True, eq=False)
class Logic(Node):
    """`a and b and ...` or `a or b or ...`; `&&` and `||` are the same operators."""

    operator: str
    operands: list[Node]


@dataclass(slots=True, eq=False)
class Chain(Node):
    """What holds `?.` members: an absent one makes the whole of it nil."""

    node: Node


@dataclass(slots=True, eq=False)
class Member(Node):
    """`base.name`, `base?.name` (then `optional`), `base[index]`."""

    base: Node
    key: Node
    optional: bool = False


@dataclass(slots=True, eq=False)
class Slice(Node):
    """`base[start:stop]`."""

    base: Node
    start: Node | None
    stop: Node | None


@dataclass(slots=True, eq=False)
class Call(Node):
    """A call of a variable or member. `builtin`: the builtin that the variable is known to hold."""

    callee: Node
    arguments: list[Node]
    builtin: str | None = None


@dataclass(slots=True, eq=False)
class Builtin(Node):
    """A call of a builtin. `mapped` and `throws` are set by the optimizer for filter and find."""

    name: str
    arguments: list[Node]
    mapped: Node | None = None
    throws: bool = False


@dataclass(slots=True, eq=False)
class Closure(Node):
    """The predicate of `filter` and its kin."""

    body: Node


@dataclass(slots=True, eq=False)
class Pointer(Node):
    """`#` (name empty), `#index`, `#acc`."""

    name: str


@dataclass(slots=True, eq=False)
class Conditional(Node):
    """`condition ? positive : negative`; `positive` is None in `condition ?: negative`."""

    condition: Node
    positive: Node | None
    negative: Node


@dataclass(slots=True, eq=False)
class Let(Node):
    """`let name = value; body`."""

    name: str
    value: Node
    body: Node


@dataclass(slots=True, eq=False)
class Array(Node):
    """`[items...]`."""

    items: list[Node]


@dataclass(slots=True, eq=False)
class Map(Node):
    """`{key: value, ...}`."""

    pairs: list[tuple[Node, Node]]


def children(node: Node) -> list[Node]:
    """The parts of a node in the order in which upstream walks over them; `mapped` is not among them."""
    match node:
        case Unary(operand=part) | Chain(node=part) | Closure(body=part):
            return [part]
        case (
            Binary(left=first, right=second) | Member(base=first, key=second) | Let(value=first, body=second)
        ):
            return [first, second]
        case Slice():
            return [part for part in (node.base, node.start, node.stop) if part is not None]
        case Call():
            return [node.callee, *node.arguments]
        case Builtin(arguments=parts) | Array(items=parts) | Logic(operands=parts):
            return list(parts)
        case Conditional():
            return [part for part in (node.condition, node.positive, node.negative) if part is not None]
        case Map():
            return [part for pair in node.pairs for part in pair]
    return []

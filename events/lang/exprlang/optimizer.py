"""Rewrites of a checked syntax tree, in upstream's order.

They are not only about speed. Some change what an expression means, so compatibility needs them: `x in ["a"]`
fails for a number, `x or true` never evaluates x, `filter(...)[0]` stops at its first hit.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from events.errors import EvaluationError, ExpressionError
from events.lang.exprlang import nodes, operators
from events.lang.exprlang.gotypes import FLOAT, INT, Type, kind
from events.lang.exprlang.nodes import Node
from events.lang.exprlang.values import IntSet, TextSet

MAX_RANGE: Final = 1_000_000
"""The longest range that is put together at compile time."""

_PASSES: Final = 1000

Visit = Callable[[Node], Node]


def optimize(root: Node, text: str) -> Node:
    """The rewritten tree. Raises ExpressionError for `x % 0` on literals."""
    root = _walk(root, _in_array)
    for _ in range(_PASSES):
        fold = _Fold(text)
        root = _walk(root, fold.visit)
        if not fold.applied:
            break
    for visit in (_in_range, _constant_range, _filter_map, _filter_len, _filter_last, _filter_first):
        root = _walk(root, visit)
    return root


def _walk(node: Node, visit: Visit) -> Node:
    """Replace the parts of a node, then the node itself, by what `visit` makes of them."""
    match node:
        case nodes.Unary():
            node.operand = _walk(node.operand, visit)
        case nodes.Chain():
            node.node = _walk(node.node, visit)
        case nodes.Closure():
            node.body = _walk(node.body, visit)
        case nodes.Binary():
            node.left, node.right = _walk(node.left, visit), _walk(node.right, visit)
        case nodes.Member():
            node.base, node.key = _walk(node.base, visit), _walk(node.key, visit)
        case nodes.Let():
            node.value, node.body = _walk(node.value, visit), _walk(node.body, visit)
        case nodes.Logic():
            node.operands = [_walk(part, visit) for part in node.operands]
        case nodes.Array():
            node.items = [_walk(part, visit) for part in node.items]
        case nodes.Builtin():
            node.arguments = [_walk(part, visit) for part in node.arguments]
        case nodes.Map():
            node.pairs = [(_walk(key, visit), _walk(value, visit)) for key, value in node.pairs]
        case _:
            _walk_rest(node, visit)
    return visit(node)


def _walk_rest(node: Node, visit: Visit) -> None:
    match node:
        case nodes.Slice():
            node.base = _walk(node.base, visit)
            node.start = node.start and _walk(node.start, visit)
            node.stop = node.stop and _walk(node.stop, visit)
        case nodes.Call():
            node.callee = _walk(node.callee, visit)
            node.arguments = [_walk(part, visit) for part in node.arguments]
        case nodes.Conditional():
            node.condition = _walk(node.condition, visit)
            node.positive = node.positive and _walk(node.positive, visit)
            node.negative = _walk(node.negative, visit)


# --- Lists and ranges


def _in_array(node: Node) -> Node:
    if not (isinstance(node, nodes.Binary) and node.operator == "in" and isinstance(node.right, nodes.Array)):
        return node
    items = node.right.items
    values = [item.value for item in items if isinstance(item, nodes.Literal)]
    if not items or len(values) < len(items):
        return node
    if all(type(value) is str for value in values):
        found: Node = nodes.Constant(node.right.position, TextSet(values))
    elif kind(node.left.type) == "int" and all(type(value) is int for value in values):
        found = nodes.Constant(node.right.position, IntSet(values))
    else:
        return node
    return nodes.Binary(node.position, "in", node.left, found)


def _in_range(node: Node) -> Node:
    """`x in 1..3` for an int is two comparisons."""
    if not (isinstance(node, nodes.Binary) and node.operator == "in" and kind(node.left.type) == "int"):
        return node
    if _range_bounds(node.right) is None:
        return node
    assert isinstance(node.right, nodes.Binary)
    return nodes.Logic(
        node.position,
        "and",
        [
            nodes.Binary(node.position, ">=", node.left, node.right.left),
            nodes.Binary(node.position, "<=", node.left, node.right.right),
        ],
    )


def _constant_range(node: Node) -> Node:
    bounds = _range_bounds(node)
    if bounds is None:
        return node
    size = operators.wrap(bounds[1] - bounds[0] + 1)
    if size > MAX_RANGE:
        return node
    return nodes.Constant(node.position, range(bounds[0], bounds[0] + max(size, 0)))


def _range_bounds(node: Node) -> tuple[int, int] | None:
    if not (isinstance(node, nodes.Binary) and node.operator == ".."):
        return None
    if _literal_type(node.left) is int and _literal_type(node.right) is int:
        assert isinstance(node.left, nodes.Literal)
        assert isinstance(node.right, nodes.Literal)
        return node.left.value, node.right.value
    return None


# --- Filters


def _as_filter(node: Node) -> nodes.Builtin | None:
    return node if isinstance(node, nodes.Builtin) and node.name == "filter" else None


def _filter_map(node: Node) -> Node:
    """`map(filter(list, p), f)` is one loop, in which `#index` counts the elements of the list."""
    if not (isinstance(node, nodes.Builtin) and node.name == "map"):
        return node
    inner, closure = _as_filter(node.arguments[0]), node.arguments[1]
    if inner is None or inner.mapped is not None or not isinstance(closure, nodes.Closure):
        return node
    return nodes.Builtin(node.position, "filter", inner.arguments, mapped=closure.body)


def _filter_len(node: Node) -> Node:
    inner = _filter_below(node, "len")
    return node if inner is None else nodes.Builtin(node.position, "count", inner.arguments)


def _filter_last(node: Node) -> Node:
    return _shortened(node, "last", -1, "findLast")


def _filter_first(node: Node) -> Node:
    return _shortened(node, "first", 0, "find")


def _shortened(node: Node, function: str, index: int, search: str) -> Node:
    """`first(filter(...))` and `filter(...)[0]` become a search; only the second one fails without a hit."""
    inner = _filter_below(node, function)
    throws = inner is None
    if isinstance(node, nodes.Member) and not node.optional and _literal_type(node.key) is int:
        assert isinstance(node.key, nodes.Literal)
        inner = _as_filter(node.base) if node.key.value == index else None
    if inner is None:
        return node
    return nodes.Builtin(node.position, search, inner.arguments, mapped=inner.mapped, throws=throws)


def _filter_below(node: Node, function: str) -> nodes.Builtin | None:
    """The filter that is the only argument of this builtin."""
    if isinstance(node, nodes.Builtin) and node.name == function and len(node.arguments) == 1:
        return _as_filter(node.arguments[0])
    return None


# --- Literals


def _literal_type(node: Node) -> type | None:
    return type(node.value) if isinstance(node, nodes.Literal) else None


class _Fold:
    """One pass that computes what follows from literals alone."""

    def __init__(self, text: str) -> None:
        self._text = text
        self.applied = False

    def visit(self, node: Node) -> Node:
        """The node, or what it folds to."""
        folded = self._folded(node)
        if folded is None:
            return node
        self.applied = True
        return folded

    def _folded(self, node: Node) -> Node | None:
        match node:
            case nodes.Unary():
                return _fold_unary(node)
            case nodes.Binary():
                return self._fold_binary(node)
            case nodes.Logic():
                return _fold_logic(node)
            case nodes.Array():
                return _fold_array(node)
            case nodes.Builtin():
                return _fold_filters(node)
        return None

    def _fold_binary(self, node: nodes.Binary) -> Node | None:
        if not (isinstance(node.left, nodes.Literal) and isinstance(node.right, nodes.Literal)):
            return None
        left, right = node.left.value, node.right.value
        types = (type(left), type(right))
        if node.operator == "==":
            same = types[0] is types[1] and types[0] in (int, str, bool)
            return nodes.Literal(node.position, left == right) if same else None
        if types == (str, str):
            return nodes.Literal(node.position, left + right) if node.operator == "+" else None
        if not (types[0] in _NUMBERS and types[1] in _NUMBERS and node.operator in operators.ARITHMETIC):
            return None
        if node.operator == "%" and types != (int, int):
            return None
        return self._computed(node, left, right)

    def _computed(self, node: nodes.Binary, left: float, right: float) -> Node:
        try:
            value = operators.ARITHMETIC[node.operator](left, right)
        except EvaluationError as exc:
            raise ExpressionError(exc.message, self._text, node.position) from exc
        type_ = None if node.operator == "%" else _NUMBERS[type(value)]
        return nodes.Literal(node.position, value, type=type_)


_NUMBERS: Final[dict[type, Type]] = {int: INT, float: FLOAT}


def _fold_unary(node: nodes.Unary) -> Node | None:
    if not isinstance(node.operand, nodes.Literal):
        return None
    value = node.operand.value
    if node.operator in ("!", "not"):
        return nodes.Literal(node.position, not value) if type(value) is bool else None
    if type(value) not in _NUMBERS:
        return None
    value = operators.negate(value) if node.operator == "-" else value
    return nodes.Literal(node.position, value, type=_NUMBERS[type(value)])


def _fold_logic(node: nodes.Logic) -> Node | None:
    """Drop the side that decides nothing; one literal that decides makes the rest go unevaluated."""
    neutral = node.operator == "and"
    values = [
        part.value for part in node.operands if isinstance(part, nodes.Literal) and type(part.value) is bool
    ]
    if not values:
        return None
    if (not neutral) in values:
        return nodes.Literal(node.position, not neutral)
    rest = [part for part in node.operands if not (isinstance(part, nodes.Literal) and part.value is neutral)]
    if not rest:
        return nodes.Literal(node.position, neutral)
    return rest[0] if len(rest) == 1 else nodes.Logic(node.position, node.operator, rest)


def _fold_array(node: nodes.Array) -> Node | None:
    values = [part.value for part in node.items if isinstance(part, nodes.Literal) and part.value is not None]
    if not values or len(values) < len(node.items):
        return None
    return nodes.Constant(node.position, values)


def _fold_filters(node: nodes.Builtin) -> Node | None:
    """A filter of a filter is one filter."""
    inner = _as_filter(node.arguments[0]) if _as_filter(node) and node.arguments else None
    if inner is None:
        return None
    both = nodes.Logic(node.position, "and", [inner.arguments[1], node.arguments[1]])
    return nodes.Builtin(node.position, "filter", [inner.arguments[0], both])

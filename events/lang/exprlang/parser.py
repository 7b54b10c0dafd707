"""Parser of filter expressions: text to syntax tree, with the grammar of antonmedv/expr 1.15.5.

Oddities of upstream that texts can depend on are kept: a `not` that binds to nothing is skipped, `a + b not
in c` loses its `not`, literals take no `.name` or `[index]`, `??` needs parentheses beside other operators.
"""

from __future__ import annotations

import math
from typing import Final

from events.errors import ExpressionError
from events.lang.exprlang import nodes
from events.lang.exprlang.lexer import (
    BRACKET,
    EOF,
    IDENTIFIER,
    NUMBER,
    OPERATOR,
    STRING,
    Token,
    is_name,
    tokenize,
)
from events.lang.exprlang.nodes import Node
from events.lang.exprlang.signatures import BUILTIN_NAMES, PREDICATES

MAX_NESTING: Final = 80
"""How deeply brackets, operands and branches may nest."""
MAX_HEIGHT: Final = 200
"""How high the syntax tree may grow, which long chains of operators or members do (`and` and `or` do not)."""

_UNARY: Final = {"not": 50, "!": 50, "-": 90, "+": 90}
_BINARY: Final = {
    "|": 0,
    **dict.fromkeys(("or", "||"), 10),
    **dict.fromkeys(("and", "&&"), 15),
    **dict.fromkeys(
        ("==", "!=", "<", ">", ">=", "<=", "in", "matches", "contains", "startsWith", "endsWith"), 20
    ),
    "..": 25,
    **dict.fromkeys("+-", 30),
    **dict.fromkeys("*/%", 60),
    **dict.fromkeys(("**", "^"), 100),
    "??": 500,
}
_RIGHT_ASSOCIATIVE: Final = ("**", "^")
_LOGIC: Final = {"or": "or", "||": "or", "and": "and", "&&": "and"}
_NAMED_LITERALS: Final[dict[str, bool | None]] = {"true": True, "false": False, "nil": None}
_MAX_INT: Final = 2**63 - 1


def parse(text: str) -> Node:
    """The syntax tree of the text. Raises ExpressionError."""
    parser = _Parser(text)
    node = parser.expression(0)
    if parser.current.kind is not EOF:
        raise parser.unexpected()
    _check_height(node, text)
    return node


def _check_height(root: Node, text: str) -> None:
    level, height = [root], 0
    while level:
        height += 1
        if height > MAX_HEIGHT:
            raise ExpressionError("expression is nested too deeply", text, level[0].position)
        level = [child for node in level for child in nodes.children(node)]


def _joined(position: int, operator: str, left: Node, right: Node) -> Node:
    """One operation; `a or b or c` becomes one node, so that long lists of alternatives stay flat."""
    logic = _LOGIC.get(operator)
    if logic is None:
        return nodes.Binary(position, operator, left, right)
    if isinstance(left, nodes.Logic) and left.operator == logic:
        left.operands.append(right)
        return left
    return nodes.Logic(position, logic, [left, right])


class _Parser:
    """Recursive descent over the tokens, operators by precedence climbing."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = tokenize(text)
        self._place = 0
        self._nesting = 0
        self._closures = 0
        self.current = self._tokens[0]

    # --- Tokens

    def _advance(self) -> Token:
        token = self.current
        self._place = min(self._place + 1, len(self._tokens) - 1)
        self.current = self._tokens[self._place]
        return token

    def _at(self, kind: str, value: str) -> bool:
        return self.current.is_(kind, value)

    def _accept(self, kind: str, value: str) -> bool:
        found = self.current.is_(kind, value)
        if found:
            self._advance()
        return found

    def _expect(self, kind: str, value: str) -> None:
        if not self._accept(kind, value):
            raise self.unexpected()

    def _identifier(self) -> Token:
        if self.current.kind is not IDENTIFIER:
            raise self.unexpected()
        return self._advance()

    def _fault(self, message: str, position: int | None = None) -> ExpressionError:
        return ExpressionError(message, self._text, self.current.position if position is None else position)

    def unexpected(self) -> ExpressionError:
        """The error for the current token."""
        return self._fault(f"unexpected {self.current}")

    # --- Operators

    def expression(self, precedence: int) -> Node:
        """An expression of operators that bind at least this tightly; 0 takes `let`, `|` and `?:` too."""
        self._nesting += 1
        if self._nesting > MAX_NESTING:
            raise self._fault("expression is nested too deeply")
        if precedence == 0 and self._at(OPERATOR, "let"):
            node = self._let()
        else:
            node = self._binary(precedence)
            if precedence == 0:
                node = self._conditional(node)
        self._nesting -= 1
        return node

    def _binary(self, precedence: int) -> Node:
        left, previous = self._primary(), ""
        while self.current.kind is OPERATOR:
            negation = self._advance() if self._at(OPERATOR, "not") else None
            operator = self.current
            binding = _BINARY.get(operator.value, -1)
            if binding < precedence:
                break
            self._advance()
            left = self._operation(left, operator, negation, previous)
            previous = operator.value
        return left

    def _operation(self, left: Node, operator: Token, negation: Token | None, previous: str) -> Node:
        name = operator.value
        if name == "|":
            return self._pipe(left)
        if previous == "??" and name != "??":
            raise self._fault(f"operator {name} and ?? need parentheses", operator.position)
        right = self.expression(_BINARY[name] + (name not in _RIGHT_ASSOCIATIVE))
        node = _joined(operator.position, name, left, right)
        return node if negation is None else nodes.Unary(negation.position, "not", node)

    def _let(self) -> Node:
        self._advance()
        name = self._identifier()
        self._expect(OPERATOR, "=")
        value = self.expression(0)
        self._expect(OPERATOR, ";")
        return nodes.Let(name.position, name.value, value, self.expression(0))

    def _conditional(self, node: Node) -> Node:
        while self._at(OPERATOR, "?"):
            position = self._advance().position
            positive: Node | None = None
            if not self._accept(OPERATOR, ":"):
                positive = self.expression(0)
                self._expect(OPERATOR, ":")
            node = nodes.Conditional(position, node, positive, self.expression(0))
        return node

    def _pipe(self, left: Node) -> Node:
        name = self._identifier()
        if name.value in PREDICATES:
            self._expect(BRACKET, "(")
            return self._predicate(name, left)
        arguments = [left, *self._arguments()]
        if name.value in BUILTIN_NAMES:
            return nodes.Builtin(name.position, name.value, arguments)
        return nodes.Call(name.position, nodes.Identifier(name.position, name.value), arguments)

    # --- Operands

    def _primary(self) -> Node:
        token = self.current
        if token.kind is OPERATOR and token.value in _UNARY:
            self._advance()
            operand = self.expression(_UNARY[token.value])
            return self._postfix(nodes.Unary(token.position, token.value, operand))
        if self._accept(BRACKET, "("):
            node = self.expression(0)
            self._expect(BRACKET, ")")
            return self._postfix(node)
        if token.kind is OPERATOR and token.value in ("#", "."):
            return self._postfix(self._pointer())
        return self._secondary()

    def _pointer(self) -> Node:
        token, name = self.current, ""
        if not self._closures:
            raise self._fault("# and . need a closure around them")
        if token.value == "#":
            self._advance()
            if self.current.kind is IDENTIFIER:
                name = self._advance().value
        return nodes.Pointer(token.position, name)

    def _secondary(self) -> Node:
        token = self.current
        if token.kind is NUMBER:
            return nodes.Literal(token.position, self._number(self._advance()))
        if token.kind is STRING:
            return nodes.Literal(token.position, self._advance().value)
        if token.kind is IDENTIFIER:
            self._advance()
            if token.value in _NAMED_LITERALS:
                return nodes.Literal(token.position, _NAMED_LITERALS[token.value])
            return self._postfix(self._call(token))
        if token.is_(BRACKET, "["):
            return self._postfix(self._array())
        if token.is_(BRACKET, "{"):
            return self._postfix(self._map())
        raise self.unexpected()

    def _number(self, token: Token) -> int | float:
        text = token.value.replace("_", "")
        try:
            if "x" in text:
                value: int | float = int(text, 16)
            elif any(mark in text for mark in ".eE"):
                value = float(text)
            else:
                value = int(text)
        except ValueError:
            raise self._fault("invalid number literal", token.position) from None
        if value > _MAX_INT if isinstance(value, int) else math.isinf(value):
            raise self._fault("number literal is too large", token.position)
        return value

    def _call(self, name: Token) -> Node:
        if not self._at(BRACKET, "("):
            return nodes.Identifier(name.position, name.value)
        if name.value in PREDICATES:
            self._advance()
            collection = self.expression(0)
            self._expect(OPERATOR, ",")
            return self._predicate(name, collection)
        arguments = self._arguments()
        if name.value in BUILTIN_NAMES:
            return nodes.Builtin(name.position, name.value, arguments)
        return nodes.Call(name.position, nodes.Identifier(name.position, name.value), arguments)

    def _predicate(self, name: Token, collection: Node) -> Node:
        arguments = [collection, self._closure()]
        if name.value == "reduce" and self._accept(OPERATOR, ","):
            arguments.append(self.expression(0))
        self._expect(BRACKET, ")")
        return nodes.Builtin(name.position, name.value, arguments)

    def _closure(self) -> Node:
        position = self.current.position
        braces = self._accept(BRACKET, "{")
        self._closures += 1
        body = self.expression(0)
        self._closures -= 1
        if braces:
            self._expect(BRACKET, "}")
        return nodes.Closure(position, body)

    def _arguments(self) -> list[Node]:
        self._expect(BRACKET, "(")
        arguments: list[Node] = []
        while not self._at(BRACKET, ")"):
            if arguments:
                self._expect(OPERATOR, ",")
            arguments.append(self.expression(0))
        self._advance()
        return arguments

    def _array(self) -> Node:
        position = self._advance().position
        items: list[Node] = []
        while not self._at(BRACKET, "]"):
            if items:
                self._expect(OPERATOR, ",")
                if self._at(BRACKET, "]"):
                    break
            items.append(self.expression(0))
        self._advance()
        return nodes.Array(position, items)

    def _map(self) -> Node:
        position = self._advance().position
        pairs: list[tuple[Node, Node]] = []
        while not self._at(BRACKET, "}"):
            if pairs:
                self._expect(OPERATOR, ",")
                if self._at(BRACKET, "}"):
                    break
            key = self._key()
            self._expect(OPERATOR, ":")
            pairs.append((key, self.expression(0)))
        self._advance()
        return nodes.Map(position, pairs)

    def _key(self) -> Node:
        if self.current.kind in (NUMBER, STRING, IDENTIFIER):
            token = self._advance()
            return nodes.Literal(token.position, token.value)
        if self._at(BRACKET, "("):
            return self.expression(0)
        raise self._fault("a map key is a string, a number, a name, or an expression in parentheses")

    # --- What follows an operand

    def _postfix(self, node: Node) -> Node:
        while self.current.kind in (OPERATOR, BRACKET) and self.current.value in (".", "?.", "["):
            node = self._index(node) if self.current.value == "[" else self._member(node)
        return node

    def _member(self, node: Node) -> Node:
        optional = self._advance().value == "?."
        name = self._advance()
        if not (name.kind is IDENTIFIER or (name.kind is OPERATOR and is_name(name.value))):
            raise self._fault("a name must follow the dot", name.position)
        chained = isinstance(node, nodes.Chain)
        base = node.node if isinstance(node, nodes.Chain) else node
        key = nodes.Literal(name.position, name.value)
        node = nodes.Member(name.position, base, key, optional)
        if self._at(BRACKET, "("):
            node = nodes.Call(name.position, node, self._arguments())
        return nodes.Chain(name.position, node) if chained or optional else node

    def _index(self, node: Node) -> Node:
        position = self._advance().position
        start = None if self._at(OPERATOR, ":") else self.expression(0)
        if not self._accept(OPERATOR, ":"):
            assert start is not None
            self._expect(BRACKET, "]")
            return nodes.Member(position, node, start)
        stop = None if self._at(BRACKET, "]") else self.expression(0)
        self._expect(BRACKET, "]")
        return nodes.Slice(position, node, start, stop)

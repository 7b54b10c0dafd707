"""Parser of Go templates, as Go's text/template/parse: tokens to nodes."""

from __future__ import annotations

from collections.abc import Callable, Container
from typing import Final, NoReturn

from events.errors import ExpressionError
from events.lang.gotemplate import literals
from events.lang.gotemplate.lex import Kind, Token, tokens
from events.lang.gotemplate.nodes import (
    Action,
    Block,
    Bool,
    Break,
    Call,
    Chain,
    Continue,
    Dot,
    Field,
    Identifier,
    If,
    Nil,
    NumberLiteral,
    Operand,
    Pipeline,
    Range,
    Statement,
    String,
    Text,
    Tree,
    Variable,
    With,
    is_empty,
)

ROOT: Final = "param"
"""Name of the main template; a `define` of this name takes its place if the rest is empty."""

_LITERALS: Final = (Bool, Dot, Nil, NumberLiteral, String)


def parse(source: str, functions: Container[str]) -> Tree:
    """The nodes of a template. Raises ExpressionError: bad syntax, unknown function or variable."""
    try:
        parser = _Parser(source, functions)
        parser.main()
    except RecursionError as exc:
        raise ExpressionError("template is nested too deeply", source) from exc
    return parser.tree


class _Parser:
    """Holds the place in the tokens, and the variables and ranges that are open there."""

    def __init__(self, source: str, functions: Container[str]) -> None:
        self.tree, self.functions = Tree(source), functions
        self.tokens, self.at = tokens(source), 0
        self.variables, self.ranges = ["$"], 0

    # templates

    def main(self) -> None:
        statements: list[Statement] = []
        while self.peek().kind is not Kind.END:
            if self.peek().kind is Kind.OPEN and self.keyword_after_open() == "define":
                self.define()
            else:
                statements += self.block(until=())
        self.add(ROOT, tuple(statements), 0)

    def keyword_after_open(self) -> str:
        """The keyword that opens the next action, or nothing."""
        at = self.at + 1
        while self.tokens[at].kind is Kind.SPACE:
            at += 1
        return self.tokens[at].text if self.tokens[at].kind is Kind.KEYWORD else ""

    def define(self) -> None:
        self.open_keyword()
        name, position = self.template_name("define clause"), self.peek().start
        self.expect_close("define clause")
        self.add(name, self.separate_block("define clause"), position)

    def separate_block(self, context: str) -> Block:
        """The body of another template, up to its end: it sees no variable and no range from outside."""
        outside, self.variables, self.ranges = (self.variables, self.ranges), ["$"], 0
        body = self.block(until=("end", "else"))
        self.end(context)
        self.variables, self.ranges = outside
        return body

    def add(self, name: str, block: Block, position: int) -> None:
        if is_empty(self.tree.blocks.get(name, ())):
            self.tree.blocks[name] = block
        elif not is_empty(block):
            self.fail(f"multiple definition of template {name!r}", position)

    # statements

    def block(self, until: tuple[str, ...]) -> Block:
        """Statements up to an action that opens with one of these keywords; at top level up to a define."""
        statements: list[Statement] = []
        while True:
            token = self.peek()
            if token.kind is Kind.END:
                if until:
                    self.fail("unexpected EOF", token.start)
                return tuple(statements)
            if token.kind is Kind.TEXT:
                self.at += 1
                statements.append(Text(token.start, token.text))
                continue
            keyword = self.keyword_after_open()
            if keyword in until or (not until and keyword == "define"):
                return tuple(statements)
            statements.append(self.action(keyword))

    def action(self, keyword: str) -> Statement:
        position = self.peek().start
        known = _STATEMENTS.get(keyword)
        if known is not None:
            self.open_keyword()
            return known(self, position)
        self.at += 1
        pipeline = self.pipeline("command", Kind.CLOSE)
        return Action(pipeline.position, pipeline)

    def break_(self, position: int) -> Statement:
        self.loop_exit("break", position)
        return Break(position)

    def continue_(self, position: int) -> Statement:
        self.loop_exit("continue", position)
        return Continue(position)

    def loop_exit(self, word: str, position: int) -> None:
        self.expect_close(f"{{{{{word}}}}}")
        if not self.ranges:
            self.fail(f"{{{{{word}}}}} outside {{{{range}}}}", position)

    def if_(self, position: int) -> Statement:
        return If(position, *self.branches("if"))

    def with_(self, position: int) -> Statement:
        return With(position, *self.branches("with"))

    def branches(self, word: str) -> tuple[tuple[tuple[Pipeline, Block], ...], Block]:
        """Pipelines with their bodies, `else if` or `else with` included, and the body of the last else."""
        scope, found = len(self.variables), []
        while True:
            pipeline = self.pipeline(word, Kind.CLOSE)
            found.append((pipeline, self.inner_block()))
            if not self.else_():
                self.end(word)
                otherwise: Block = ()
                break
            if not self.next_is(word):
                otherwise = self.else_block(word)
                break
        del self.variables[scope:]
        return tuple(found), otherwise

    def range_(self, position: int) -> Statement:
        scope = len(self.variables)
        pipeline = self.pipeline("range", Kind.CLOSE)
        self.ranges += 1
        body = self.inner_block()
        self.ranges -= 1
        otherwise: Block = ()
        if self.else_():
            otherwise = self.else_block("range")
        else:
            self.end("range")
        del self.variables[scope:]
        return Range(position, pipeline, body, otherwise)

    def inner_block(self) -> Block:
        return self.block(until=("end", "else"))

    def else_(self) -> bool:
        """Step over `else` if it comes next."""
        found = self.keyword_after_open() == "else"
        if found:
            self.open_keyword()
        return found

    def next_is(self, word: str) -> bool:
        """Step over this keyword if it comes next in the same action."""
        token = self.next_word()
        if token.kind is Kind.KEYWORD and token.text == word:
            return True
        self.at -= 1
        return False

    def else_block(self, context: str) -> Block:
        self.expect_close("else")
        body = self.inner_block()
        self.end(context)
        return body

    def end(self, context: str) -> None:
        if self.keyword_after_open() != "end":
            self.fail(f"expected end of {context}", self.peek().start)
        self.open_keyword()
        self.expect_close("end")

    def template(self, position: int) -> Statement:
        name = self.template_name("template clause")
        token = self.next_word()
        if token.kind is Kind.CLOSE:
            return Call(position, name, None)
        self.at -= 1
        return Call(position, name, self.pipeline("template clause", Kind.CLOSE))

    def block_(self, position: int) -> Statement:
        name = self.template_name("block clause")
        pipeline = self.pipeline("block clause", Kind.CLOSE)
        self.add(name, self.separate_block("block clause"), position)
        return Call(position, name, pipeline)

    def template_name(self, context: str) -> str:
        token = self.next_word()
        if token.kind not in (Kind.STRING, Kind.RAW_STRING):
            self.unexpected(token, context)
        return self.unquoted(token)

    # pipelines

    def pipeline(self, context: str, end: Kind) -> Pipeline:
        position = self.peek_word().start
        variables, assigns = self.declarations(context)
        commands: list[tuple[Operand, ...]] = []
        while (token := self.next_word()).kind is not end:
            if token.kind not in _OPERANDS and token != (Kind.KEYWORD, "nil", token.start):
                self.unexpected(token, context)
            self.at -= 1
            commands.append(self.command())
        self.check(commands, context, position)
        return Pipeline(position, tuple(commands), variables, assigns)

    def check(self, commands: list[tuple[Operand, ...]], context: str, position: int) -> None:
        if not commands:
            self.fail(f"missing value for {context}", position)
        for stage, command in enumerate(commands[1:], 2):
            if isinstance(command[0], _LITERALS):
                self.fail(f"non executable command in pipeline stage {stage}", command[0].position)

    def declarations(self, context: str) -> tuple[tuple[str, ...], bool]:
        """Variables that the pipeline sets, and whether by `=`. A range may set two."""
        names: list[str] = []
        while (token := self.peek_word()).kind is Kind.VARIABLE:
            start = self.at
            self.next_word()
            mark = self.next_word()
            comma = mark.kind is Kind.CHAR and mark.text == ","
            if not comma and mark.kind not in (Kind.ASSIGN, Kind.DECLARE):
                self.at = start
                break
            names.append(token.text)
            self.variables.append(token.text)
            if not comma:
                return tuple(names), mark.kind is Kind.ASSIGN
            if context != "range" or len(names) > 1:
                self.fail(f"too many declarations in {context}", mark.start)
            if self.peek_word().kind not in (Kind.VARIABLE, Kind.CLOSE, Kind.RIGHT_PAREN):
                self.fail("range can only initialize variables", mark.start)
        return tuple(names), False

    def command(self) -> tuple[Operand, ...]:
        """Operands between spaces; steps over a `|` behind them."""
        operands: list[Operand] = []
        while True:
            self.peek_word()
            operand = self.operand()
            if operand is not None:
                operands.append(operand)
            token = self.next()
            if token.kind is Kind.SPACE:
                continue
            if token.kind in (Kind.CLOSE, Kind.RIGHT_PAREN):
                self.at -= 1
            elif token.kind is not Kind.PIPE:
                self.unexpected(token, "operand")
            break
        if not operands:
            self.fail("empty command", self.peek().start)
        return tuple(operands)

    def operand(self) -> Operand | None:
        """A term with the fields behind it; None if there is no term."""
        term = self.term()
        start, names = self.peek().start, []
        if term is None or self.peek().kind is not Kind.FIELD:
            return term
        while self.peek().kind is Kind.FIELD:
            names.append(self.next().text[1:])
        if isinstance(term, Field):
            return Field(term.position, (*term.names, *names))
        if isinstance(term, Variable):
            return Variable(term.position, term.name, (*term.names, *names))
        if isinstance(term, _LITERALS):
            self.fail("unexpected . after term", start)
        return Chain(start, term, tuple(names))

    def term(self) -> Operand | None:
        token = self.next_word()
        known = _TERMS.get(token.kind)
        if known is not None:
            return known(self, token)
        if token.kind is Kind.KEYWORD and token.text == "nil":
            return Nil(token.start)
        self.at -= 1
        return None

    def identifier(self, token: Token) -> Operand:
        if token.text not in self.functions:
            self.fail(f"function {token.text!r} not defined", token.start)
        return Identifier(token.start, token.text)

    def variable(self, token: Token) -> Operand:
        if token.text not in self.variables:
            self.fail(f"undefined variable {token.text!r}", token.start)
        return Variable(token.start, token.text)

    def number(self, token: Token) -> Operand:
        value = _NUMBERS[token.kind](token.text)
        if value is None:
            self.fail(f"illegal number syntax: {token.text!r}", token.start)
        return NumberLiteral(token.start, value)

    def parenthesised(self, token: Token) -> Operand:
        return self.pipeline("parenthesized pipeline", Kind.RIGHT_PAREN)

    def unquoted(self, token: Token) -> str:
        value = literals.unquote(token.text)
        if value is None:
            self.fail(f"invalid string literal {token.text}", token.start)
        return value

    # tokens

    def next(self) -> Token:
        token = self.tokens[self.at]
        self.at += 1
        return token

    def peek(self) -> Token:
        return self.tokens[self.at]

    def next_word(self) -> Token:
        """The next token that is no space."""
        while (token := self.next()).kind is Kind.SPACE:
            pass
        return token

    def peek_word(self) -> Token:
        """The same, without stepping over it; spaces before it are gone."""
        token = self.next_word()
        self.at -= 1
        return token

    def open_keyword(self) -> None:
        """Step over `{{` and the keyword behind it."""
        self.at += 1
        self.next_word()

    def expect_close(self, context: str) -> None:
        token = self.next_word()
        if token.kind is not Kind.CLOSE:
            self.unexpected(token, context)

    def unexpected(self, token: Token, context: str) -> NoReturn:
        what = token.text or "end of template"
        self.fail(f"unexpected {what!r} in {context}", token.start)

    def fail(self, message: str, position: int) -> NoReturn:
        raise ExpressionError(message, self.tree.source, position)


_STATEMENTS: Final[dict[str, Callable[[_Parser, int], Statement]]] = {
    "block": _Parser.block_,
    "break": _Parser.break_,
    "continue": _Parser.continue_,
    "if": _Parser.if_,
    "range": _Parser.range_,
    "template": _Parser.template,
    "with": _Parser.with_,
}
_NUMBERS: Final = {
    Kind.NUMBER: literals.number,
    Kind.COMPLEX: literals.complex_number,
    Kind.CHARACTER: literals.character,
}
_TERMS: Final[dict[Kind, Callable[[_Parser, Token], Operand]]] = {
    Kind.IDENTIFIER: _Parser.identifier,
    Kind.VARIABLE: _Parser.variable,
    Kind.NUMBER: _Parser.number,
    Kind.COMPLEX: _Parser.number,
    Kind.CHARACTER: _Parser.number,
    Kind.LEFT_PAREN: _Parser.parenthesised,
    Kind.DOT: lambda _, token: Dot(token.start),
    Kind.FIELD: lambda _, token: Field(token.start, (token.text[1:],)),
    Kind.BOOL: lambda _, token: Bool(token.start, token.text == "true"),
    Kind.STRING: lambda parser, token: String(token.start, parser.unquoted(token)),
    Kind.RAW_STRING: lambda parser, token: String(token.start, parser.unquoted(token)),
}
_OPERANDS: Final = frozenset(_TERMS)

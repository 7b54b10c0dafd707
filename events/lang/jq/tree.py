"""jq syntax trees. Offsets (`start`) are characters of the program text."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, NamedTuple

from events.lang.jq.values import Value


class Node:
    """One part of a program."""

    __slots__ = ()


@dataclass(frozen=True, slots=True, eq=False)
class Identity(Node):
    pass


@dataclass(frozen=True, slots=True, eq=False)
class Literal(Node):
    value: Value


@dataclass(frozen=True, slots=True, eq=False)
class Text(Node):
    """A string of literals and interpolations; all parts give text."""

    parts: tuple[Node, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Index(Node):
    base: Node
    key: Node


@dataclass(frozen=True, slots=True, eq=False)
class Slice(Node):
    base: Node
    start: Node
    end: Node


@dataclass(frozen=True, slots=True, eq=False)
class Iterate(Node):
    base: Node


@dataclass(frozen=True, slots=True, eq=False)
class Array(Node):
    body: Node | None


@dataclass(frozen=True, slots=True, eq=False)
class Object(Node):
    """Members are key and value; without value it is the input's member under that key."""

    members: tuple[tuple[Node, Node | None], ...]


@dataclass(frozen=True, slots=True, eq=False)
class Unary(Node):
    operator: str
    operand: Node


@dataclass(frozen=True, slots=True, eq=False)
class Binary(Node):
    """`|`, `,`, `//`, `and`, `or`, comparisons and arithmetic."""

    operator: str
    left: Node
    right: Node


@dataclass(frozen=True, slots=True, eq=False)
class Update(Node):
    """`=`, `|=`, `+=` and so on; `operator` is without the `=`, empty for the plain assignment."""

    operator: str
    target: Node
    source: Node


@dataclass(frozen=True, slots=True, eq=False)
class If(Node):
    condition: Node
    then: Node
    otherwise: Node


@dataclass(frozen=True, slots=True, eq=False)
class Try(Node):
    body: Node
    catch: Node | None


class Pattern(NamedTuple):
    """What `as` binds: a variable, or the patterns of elements (int keys) or members (node keys)."""

    variable: str | None = None
    parts: tuple[tuple[int | Node, Pattern], ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Bind(Node):
    source: Node
    patterns: tuple[Pattern, ...]
    body: Node


@dataclass(frozen=True, slots=True, eq=False)
class Reduce(Node):
    source: Node
    pattern: Pattern
    start: Node
    update: Node


@dataclass(frozen=True, slots=True, eq=False)
class Foreach(Node):
    source: Node
    pattern: Pattern
    start: Node
    update: Node
    extract: Node


@dataclass(frozen=True, slots=True, eq=False)
class Label(Node):
    name: str
    body: Node


@dataclass(frozen=True, slots=True, eq=False)
class Break(Node):
    name: str
    start: int


@dataclass(frozen=True, slots=True, eq=False)
class Define(Node):
    """`def name(parameters): definition; body`; parameters that are values start with `$`."""

    name: str
    parameters: tuple[str, ...]
    definition: Node
    body: Node


@dataclass(frozen=True, slots=True, eq=False)
class Call(Node):
    """A function, or a variable where the name starts with `$`."""

    name: str
    arguments: tuple[Node, ...] = ()
    start: int | None = None


IDENTITY: Final = Identity()

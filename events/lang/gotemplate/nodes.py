"""The parsed form of a Go template. `position` is an offset into its text."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeAlias

from events.lang.gotemplate.literals import Number


@dataclass(frozen=True, slots=True)
class Dot:
    position: int


@dataclass(frozen=True, slots=True)
class Nil:
    position: int


@dataclass(frozen=True, slots=True)
class Bool:
    position: int
    value: bool


@dataclass(frozen=True, slots=True)
class String:
    position: int
    value: str


@dataclass(frozen=True, slots=True)
class NumberLiteral:
    position: int
    value: Number


@dataclass(frozen=True, slots=True)
class Field:
    """`.a.b`: fields of the dot."""

    position: int
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Variable:
    """`$x.a.b`: a variable and fields of it."""

    position: int
    name: str
    names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Identifier:
    """The name of a function."""

    position: int
    name: str


@dataclass(frozen=True, slots=True)
class Chain:
    """`(pipeline).a.b` or `function.a.b`."""

    position: int
    operand: Operand
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Pipeline:
    """Commands, each getting the value of the one before as its last argument; then variables to set."""

    position: int
    commands: tuple[tuple[Operand, ...], ...]
    variables: tuple[str, ...] = ()
    assigns: bool = False
    """Whether the variables exist already (`=`) or are new (`:=`)."""


Operand: TypeAlias = (
    Dot | Nil | Bool | String | NumberLiteral | Field | Variable | Identifier | Chain | Pipeline
)


@dataclass(frozen=True, slots=True)
class Text:
    position: int
    text: str


@dataclass(frozen=True, slots=True)
class Action:
    """A pipeline whose value is printed, unless it sets variables."""

    position: int
    pipeline: Pipeline


@dataclass(frozen=True, slots=True)
class Break:
    position: int


@dataclass(frozen=True, slots=True)
class Continue:
    position: int


@dataclass(frozen=True, slots=True)
class If:
    """`if` and `else if`: the body of the first true pipeline."""

    position: int
    branches: tuple[tuple[Pipeline, Block], ...]
    otherwise: Block


@dataclass(frozen=True, slots=True)
class With:
    """`with` and `else with`: the body of the first true pipeline, its value as the dot."""

    position: int
    branches: tuple[tuple[Pipeline, Block], ...]
    otherwise: Block


@dataclass(frozen=True, slots=True)
class Range:
    position: int
    pipeline: Pipeline
    body: Block
    otherwise: Block


@dataclass(frozen=True, slots=True)
class Call:
    """`template "name" pipeline`."""

    position: int
    name: str
    pipeline: Pipeline | None


Statement: TypeAlias = Text | Action | Break | Continue | If | With | Range | Call
Block: TypeAlias = tuple[Statement, ...]


@dataclass(slots=True)
class Tree:
    """The main template and those that it defines, by name."""

    source: str
    blocks: dict[str, Block] = field(default_factory=dict)


def is_empty(block: Block) -> bool:
    """Whether there is nothing but spaces: such a definition gives way to another of its name."""
    return all(isinstance(node, Text) and not node.text.strip() for node in block)

"""jq programs as closures: what a compiled part is, what is in scope, and how functions are called.

Environments are tuples: a variable or a closure parameter is the element whose number was settled at compile
time. A part that always gives exactly one value is a plain function, every other one a generator.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

from events.errors import ExpressionError
from events.lang.jq import tree
from events.lang.jq.values import JqError, Value, described

Env = tuple[Any, ...]
One = Callable[[Env, Value], Value]
Many = Callable[[Env, Value], Iterable[Value]]


class Spot(NamedTuple):
    """A value on the way of a path: `path` leads to `here`, and further steps need `value` to be that."""

    value: Value
    path: tuple[Value, ...]
    here: Value


Paths = Callable[[Env, Spot], Iterable[Spot]]


class BreakSignal(Exception):
    """`break`: ends the activation of the label that has this token."""

    def __init__(self, token: object) -> None:
        super().__init__("break")
        self.token = token


class Filter(NamedTuple):
    """A compiled part: `many` gives its outputs; `one` its only output, if it always has exactly one."""

    many: Many
    one: One | None = None


def single(one: One) -> Filter:
    return Filter(lambda env, value: (one(env, value),), one)


IDENTITY: Final = single(lambda env, value: value)


def then(source: Filter, step: Callable[[Value], Value]) -> Filter:
    """`source | step` for a plain function."""
    one, many = source.one, source.many
    if source is IDENTITY:
        return single(lambda env, value: step(value))
    if one is not None:
        return single(lambda env, value: step(one(env, value)))
    return Filter(lambda env, value: (step(item) for item in many(env, value)))


def combined(sources: Sequence[Filter], step: Callable[..., Value]) -> Filter:
    """The plain function of all combinations of outputs; those of the last source change slowest."""
    if len(sources) == 1:
        return then(sources[0], step)
    ones = [source.one for source in sources]
    if len(ones) == 2 and ones[0] and ones[1]:
        left, right = ones[0], ones[1]

        def both(env: Env, value: Value) -> Value:
            second = right(env, value)
            return step(left(env, value), second)

        return single(both)
    rows = each_row(sources)
    if all(ones):
        return single(lambda env, value: step(*next(iter(rows(env, value)))))
    return Filter(lambda env, value: (step(*row) for row in rows(env, value)))


def each_row(sources: Sequence[Filter]) -> Many:
    """All combinations of outputs, as tuples; those of the last source change slowest."""
    if not sources:
        return lambda env, value: ((),)
    *first, last = sources
    before, many = each_row(first), last.many

    def rows(env: Env, value: Value) -> Iterator[Value]:
        for item in many(env, value):
            for row in before(env, value):
                yield (*row, item)

    return rows


def located(paths: Paths) -> Many:
    """The paths themselves, as arrays. Raises JqError where a part left the way."""

    def locate(env: Env, value: Value) -> Iterator[Value]:
        for spot in paths(env, Spot(value, (), value)):
            check_way(spot)
            yield list(spot.path)

    return locate


def check_way(spot: Spot, doing: str = "") -> None:
    """Raises JqError where the value is not what the path leads to."""
    if not on_way(spot):
        raise JqError(f"invalid path {doing}against: {described(spot.value)}")


def on_way(spot: Spot) -> bool:
    """Whether the value is what the path leads to: containers the very same, scalars equal."""
    value, here = spot.value, spot.here
    if value is here:
        return True
    if type(value) is not type(here) or type(value) is dict:
        return False
    if type(value) is list:
        return not value and not here
    return bool(value == here) or (value != value and here != here)


# --- Scope and functions --------------------------------------------------------------------------


class Closure(NamedTuple):
    """An argument that is a query: what it is, and where it was written."""

    many: Many
    paths: Paths
    env: Env


class Scope(NamedTuple):
    """What is visible: variables (`$name`) and closure parameters by number, functions by name and arity."""

    size: int = 0
    variables: Mapping[str, int] = {}
    functions: Mapping[tuple[str, int], int | Function] = {}

    def with_variable(self, name: str) -> Scope:
        return Scope(self.size + 1, {**self.variables, name: self.size}, self.functions)

    def with_closure(self, name: str) -> Scope:
        return Scope(self.size + 1, self.variables, {**self.functions, (name, 0): self.size})

    def with_function(self, function: Function) -> Scope:
        key = (function.name, len(function.parameters))
        return Scope(self.size, self.variables, {**self.functions, key: function})


class Function:
    """A function of the program or the prelude, compiled at most once for values and once for paths."""

    def __init__(self, compiler: Compiler, node: tree.Define, scope: Scope) -> None:
        self.name, self.parameters = node.name, node.parameters
        self.size = scope.size
        self._compiler, self._definition = compiler, node.definition
        self._value: Filter | None = None
        self._paths: Paths | None = None
        inner = scope.with_function(self)
        for name in self.parameters:
            inner = inner.with_closure(name.removeprefix("$"))
        for name in self.values:
            inner = inner.with_variable(name)
        self._scope = inner

    @property
    def values(self) -> list[str]:
        """The parameters that are values."""
        return [name for name in self.parameters if name.startswith("$")]

    def value(self) -> Filter:
        """The body. While it is being compiled, what it gives to itself is looked up when it runs."""
        if self._value is None:
            self._value = Filter(lambda env, value: self.value().many(env, value))
            self._value = self._compiler.value(self._definition, self._scope)
        return self._value

    def paths(self) -> Paths:
        if self._paths is None:
            self._paths = lambda env, spot: self.paths()(env, spot)
            self._paths = self._compiler.paths(self._definition, self._scope)
        return self._paths


Frames = Callable[[Env, Value], Iterable[Env]]


def frames(compiler: Compiler, function: Function, arguments: Sequence[tree.Node], scope: Scope) -> Frames:
    """The environments in which the body runs: one for each combination of the parameters that are values.

    Values of the first such parameter change slowest.
    """
    closures = [(compiler.value(node, scope).many, compiler.lazy_paths(node, scope)) for node in arguments]
    numbers = [at for at, name in enumerate(function.parameters) if name.startswith("$")]
    size = function.size

    def frame(env: Env) -> Env:
        return (*env[:size], *[Closure(many, paths, env) for many, paths in closures])

    if not numbers:
        return lambda env, value: (frame(env),)
    rows = each_row([compiler.value(arguments[at], scope) for at in reversed(numbers)])

    def bound(env: Env, value: Value) -> Iterator[Env]:
        start = frame(env)
        for row in rows(env, value):
            yield (*start, *reversed(row))

    return bound


# --- Compiler -------------------------------------------------------------------------------------

ValueRule = Callable[["Compiler", Any, Scope], Filter]
PathRule = Callable[["Compiler", Any, Scope], Paths]
ValueForm = Callable[["Compiler", Sequence[tree.Node], Scope], Filter]
PathForm = Callable[["Compiler", Sequence[tree.Node], Scope], Paths]


class Library(NamedTuple):
    """What the language consists of: rules by node type, builtins by name and arity."""

    value_rules: Mapping[type[tree.Node], ValueRule]
    path_rules: Mapping[type[tree.Node], PathRule]
    value_forms: Mapping[tuple[str, int], ValueForm]
    path_forms: Mapping[tuple[str, int], PathForm]
    definitions: Callable[[], Mapping[tuple[str, int], tree.Define]]


def aside(compiler: Compiler, node: tree.Node, scope: Scope) -> Paths:
    """The path rule of what gives mere values: they leave the way, unless they equal what is there."""
    many = compiler.value(node, scope).many
    return lambda env, spot: (Spot(item, spot.path, spot.here) for item in many(env, spot.value))


class Compiler:
    """Turns the tree of one program into closures. Raises ExpressionError."""

    def __init__(self, library: Library, text: str) -> None:
        self.library, self.text = library, text
        self._values: dict[int, tuple[tree.Node, Filter]] = {}
        self._paths: dict[int, tuple[tree.Node, Paths]] = {}
        self._prelude: dict[tuple[str, int], Function] = {}

    def value(self, node: tree.Node, scope: Scope) -> Filter:
        """What the node gives. A node has one scope, so it is compiled once."""
        if id(node) not in self._values:
            self._values[id(node)] = node, self.library.value_rules[type(node)](self, node, scope)
        return self._values[id(node)][1]

    def paths(self, node: tree.Node, scope: Scope) -> Paths:
        """What the node gives, with the paths that lead there."""
        if id(node) not in self._paths:
            rule = self.library.path_rules.get(type(node), aside)
            self._paths[id(node)] = node, rule(self, node, scope)
        return self._paths[id(node)][1]

    def lazy_paths(self, node: tree.Node, scope: Scope) -> Paths:
        """As `paths`, compiled when first used: few arguments ever are."""
        return lambda env, spot: self.paths(node, scope)(env, spot)

    def function(self, call: tree.Call, scope: Scope) -> int | Function | None:
        """The closure parameter or function of a call; None for a form. Raises ExpressionError if unknown."""
        key = (call.name, len(call.arguments))
        if (found := scope.functions.get(key)) is not None:
            return found
        if key in self.library.value_forms:
            return None
        definition = self.library.definitions().get(key)
        if definition is None:
            raise self.error(f"function not defined: {call.name}/{len(call.arguments)}", call.start)
        if key not in self._prelude:
            self._prelude[key] = Function(self, definition, Scope())
        return self._prelude[key]

    def error(self, message: str, start: int | None) -> ExpressionError:
        return ExpressionError(message, self.text, start)

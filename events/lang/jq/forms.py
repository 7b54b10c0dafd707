"""jq builtins whose arguments are queries, and all builtins by name and arity."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final, TypeVar

from events.errors import EvaluationError
from events.lang.jq import tree
from events.lang.jq.builtins import FUNCTIONS, GENERATORS, ORDERED, from_entries, to_entries
from events.lang.jq.loops import PATH_LOOPS, VALUE_LOOPS
from events.lang.jq.paths import Editor, children, get_path, keys
from events.lang.jq.program import (
    IDENTITY,
    Compiler,
    Env,
    Filter,
    PathForm,
    Paths,
    Scope,
    Spot,
    ValueForm,
    check_way,
    combined,
    located,
    single,
)
from events.lang.jq.ranking import by_rank, distinct, greatest, groups, least
from events.lang.jq.regex import substituted
from events.lang.jq.updates import modified
from events.lang.jq.values import (
    JqError,
    Value,
    described,
    preview,
    total,
    truthy,
)

Nodes = Sequence[tree.Node]
T = TypeVar("T")


# --- Plain functions ------------------------------------------------------------------------------


def _plain(function: Callable[..., Value]) -> ValueForm:
    """A function of the input and of all arguments; the last argument's outputs vary slowest."""
    return lambda compiler, nodes, scope: combined(
        [IDENTITY, *[compiler.value(node, scope) for node in nodes]], function
    )


def _ordered(function: Callable[..., Value]) -> ValueForm:
    """As `_plain`; the first argument's outputs vary slowest."""

    def form(compiler: Compiler, nodes: Nodes, scope: Scope) -> Filter:
        sources = [compiler.value(node, scope) for node in reversed(nodes)]
        return combined([IDENTITY, *sources], lambda value, *row: function(value, *reversed(row)))

    return form


def _generator(function: Callable[..., Iterable[Value]]) -> ValueForm:
    """As `_ordered`, with any number of results."""

    def form(compiler: Compiler, nodes: Nodes, scope: Scope) -> Filter:
        many = _ordered(function)(compiler, nodes, scope).many
        return Filter(lambda env, value: (out for results in many(env, value) for out in results))

    return form


def _empty(compiler: Compiler, nodes: Nodes, scope: Scope) -> Filter:
    return Filter(lambda env, value: ())


def _empty_paths(compiler: Compiler, nodes: Nodes, scope: Scope) -> Paths:
    return lambda env, spot: ()


def _select(compiler: Compiler, nodes: Nodes, scope: Scope) -> Filter:
    test = compiler.value(nodes[0], scope)
    if one := test.one:
        return Filter(lambda env, value: (value,) if truthy(one(env, value)) else ())
    return Filter(lambda env, value: (value for verdict in test.many(env, value) if truthy(verdict)))


def _select_paths(compiler: Compiler, nodes: Nodes, scope: Scope) -> Paths:
    many = compiler.value(nodes[0], scope).many
    return lambda env, spot: (spot for verdict in many(env, spot.value) if truthy(verdict))


def _map(compiler: Compiler, nodes: Nodes, scope: Scope) -> Filter:
    source = compiler.value(nodes[0], scope)
    if one := source.one:
        return single(lambda env, value: [one(env, item) for item in children(value)])
    return single(lambda env, value: [out for item in children(value) for out in source.many(env, item)])


def _map_values(compiler: Compiler, nodes: Nodes, scope: Scope) -> Filter:
    many = compiler.value(nodes[0], scope).many
    return single(lambda env, value: _mapped_values(lambda item: many(env, item), value))


def _mapped_values(change: Callable[[Value], Iterable[Value]], value: Value) -> Value:
    paths: list[Value] = [[key] for key in keys(value)]
    return modified(paths, value, change)


def _add(compiler: Compiler, nodes: Nodes, scope: Scope) -> Filter:
    many = compiler.value(nodes[0], scope).many
    return single(lambda env, value: total(many(env, value)))


def _is_empty(compiler: Compiler, nodes: Nodes, scope: Scope) -> Filter:
    many = compiler.value(nodes[0], scope).many
    return single(lambda env, value: not any(True for _ in many(env, value)))


def _quantified(wanted: bool) -> ValueForm:
    """`any` (True) or `all` (False) of items and a condition: ends at the first verdict that decides."""

    def form(compiler: Compiler, nodes: Nodes, scope: Scope) -> Filter:
        items = compiler.value(nodes[0], scope).many if len(nodes) == 2 else _each
        test = compiler.value(nodes[-1], scope).many if nodes else IDENTITY.many
        return single(
            lambda env, value: (
                wanted
                == any(truthy(verdict) == wanted for item in items(env, value) for verdict in test(env, item))
            )
        )

    return form


def _each(env: Env, value: Value) -> Iterable[Value]:
    return children(value)


# --- Paths ----------------------------------------------------------------------------------------


def _path(compiler: Compiler, nodes: Nodes, scope: Scope) -> Filter:
    return Filter(located(compiler.paths(nodes[0], scope)))


def _get_path_paths(compiler: Compiler, nodes: Nodes, scope: Scope) -> Paths:
    found = compiler.value(nodes[0], scope).many

    def places(env: Env, spot: Spot) -> Iterator[Spot]:
        for path in found(env, spot.value):
            there = get_path(spot.value, path)
            check_way(spot)
            yield Spot(there, (*spot.path, *path), there if path else spot.here)

    return places


def _delete(compiler: Compiler, nodes: Nodes, scope: Scope) -> Filter:
    paths = located(compiler.paths(nodes[0], scope))
    return single(lambda env, value: Editor().delete_paths(value, list(paths(env, value))))


# --- Objects as entries ---------------------------------------------------------------------------


def _with_entries(compiler: Compiler, nodes: Nodes, scope: Scope) -> Filter:
    many = compiler.value(nodes[0], scope).many
    return single(
        lambda env, value: from_entries([out for entry in to_entries(value) for out in many(env, entry)])
    )


# --- By a key -------------------------------------------------------------------------------------


def _by(name: str, step: Callable[[list[Value], list[Value]], Value]) -> ValueForm:
    """`name(f)`: `step` of the elements and of the arrays of what `f` gives for each."""

    def form(compiler: Compiler, nodes: Nodes, scope: Scope) -> Filter:
        many = compiler.value(nodes[0], scope).many

        def run(env: Env, value: Value) -> Value:
            ranks: list[Value] = [list(many(env, item)) for item in children(value)]
            if type(value) is not list:
                raise JqError(f"{name}({preview(ranks)}) cannot be applied to: {described(value)}")
            return step(value, ranks)

        return single(run)

    return form


def _self_ranked(name: str, step: Callable[[list[Value], list[Value]], Value]) -> ValueForm:
    def checked(value: Value) -> Value:
        if type(value) is not list:
            raise JqError(f"{name} cannot be applied to: {described(value)}")
        return step(value, value)

    return _plain(checked)


# --- Walk and substitute --------------------------------------------------------------------------


def _walk(compiler: Compiler, nodes: Nodes, scope: Scope) -> Filter:
    many = compiler.value(nodes[0], scope).many

    def walk(env: Env, value: Value) -> Iterable[Value]:
        if type(value) is list:
            value = [out for item in value for out in walk(env, item)]
        elif type(value) is dict:
            value = _mapped_values(lambda item: walk(env, item), value)
        return many(env, value)

    return Filter(walk)


def _substitute(compiler: Compiler, nodes: Nodes, scope: Scope) -> Filter:
    """sub(re; text; flags): one result for each output of `text`, which sees the named captures."""
    patterns, text = compiler.value(nodes[0], scope).many, compiler.value(nodes[1], scope).many
    flags = compiler.value(nodes[2], scope).many

    def run(env: Env, value: Value) -> Iterator[Value]:
        for pattern in patterns(env, value):
            for flag in flags(env, value):
                yield from substituted(value, pattern, flag, lambda captures: text(env, captures))

    return Filter(run)


def _now(compiler: Compiler, nodes: Nodes, scope: Scope) -> Filter:
    def now(env: Env, value: Value) -> Value:
        if env[NOW] is None:
            raise EvaluationError("jq: `now` is not known here", compiler.text)
        return env[NOW]

    return single(now)


def _builtins(compiler: Compiler, nodes: Nodes, scope: Scope) -> Filter:
    library = compiler.library
    names = [f"{name}/{arity}" for name, arity in {**library.value_forms, **library.definitions()}]
    listed: Value = sorted(name for name in names if name[0] != "@")
    return single(lambda env, value: listed)


NOW: Final = 0
"""The number of the variable that holds the time."""

VALUE_FORMS: Final[dict[tuple[str, int], ValueForm]] = {
    ("empty", 0): _empty,
    ("select", 1): _select,
    ("map", 1): _map,
    ("map_values", 1): _map_values,
    ("add", 1): _add,
    **VALUE_LOOPS,
    ("isempty", 1): _is_empty,
    **{("any", arity): _quantified(True) for arity in range(3)},
    **{("all", arity): _quantified(False) for arity in range(3)},
    ("path", 1): _path,
    ("del", 1): _delete,
    ("with_entries", 1): _with_entries,
    ("min_by", 1): _by("min_by", least),
    ("max_by", 1): _by("max_by", greatest),
    ("sort_by", 1): _by("sort_by", by_rank),
    ("group_by", 1): _by("group_by", groups),
    ("unique_by", 1): _by("unique_by", distinct),
    ("walk", 1): _walk,
    ("sub", 3): _substitute,
    ("now", 0): _now,
    ("builtins", 0): _builtins,
    **{key: _plain(function) for key, function in FUNCTIONS.items()},
    **{key: _ordered(function) for key, function in ORDERED.items()},
    **{key: _generator(function) for key, function in GENERATORS.items()},
    ("min", 0): _self_ranked("min", least),
    ("max", 0): _self_ranked("max", greatest),
    ("unique", 0): _self_ranked("unique", distinct),
}

PATH_FORMS: Final[dict[tuple[str, int], PathForm]] = {
    ("empty", 0): _empty_paths,
    ("select", 1): _select_paths,
    **PATH_LOOPS,
    ("getpath", 1): _get_path_paths,
}

"""jq loops: builtins that recurse, repeat or take some of the outputs, for values and for paths.

They loop here and keep their own stacks, so that they need none of Python's.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from itertools import count, islice
from typing import Final, TypeVar

from events.lang.jq import tree
from events.lang.jq.locate import members
from events.lang.jq.paths import children
from events.lang.jq.program import (
    Compiler,
    Env,
    Filter,
    Many,
    PathForm,
    Paths,
    Scope,
    Spot,
    ValueForm,
    on_way,
    single,
)
from events.lang.jq.values import JqError, Value, compare, described, is_number, plain, truthy

Nodes = Sequence[tree.Node]
T = TypeVar("T")


def _deep(start: T, grow: Callable[[T], Iterable[T]]) -> Iterator[T]:
    """The start and all that grows from it, depth first."""
    yield start
    rest = [iter(grow(start))]
    while rest:
        for item in rest[-1]:
            yield item
            rest.append(iter(grow(item)))
            break
        else:
            rest.pop()


def _recurse_all(compiler: Compiler, nodes: Nodes, scope: Scope) -> Filter:
    return Filter(lambda env, value: _deep(value, _children_if_any))


def _children_if_any(value: Value) -> list[Value]:
    return children(value) if type(value) in (list, dict) else []


def _recurse_all_paths(compiler: Compiler, nodes: Nodes, scope: Scope) -> Paths:
    return lambda env, spot: _deep(spot, _members_if_any)


def _members_if_any(spot: Spot) -> Iterable[Spot]:
    return members(spot) if type(spot.value) in (list, dict) and on_way(spot) else ()


def _recurse(compiler: Compiler, nodes: Nodes, scope: Scope) -> Filter:
    many = _guarded(compiler, nodes, scope)
    return Filter(lambda env, value: _deep(value, lambda item: many(env, item)))


def _guarded(compiler: Compiler, nodes: Nodes, scope: Scope) -> Many:
    """The outputs of the first query for which the second one, if there is one, holds."""
    many = compiler.value(nodes[0], scope).many
    if len(nodes) == 1:
        return many
    test = compiler.value(nodes[1], scope).many
    return lambda env, value: (
        item for item in many(env, value) for verdict in test(env, item) if truthy(verdict)
    )


def _recurse_paths(compiler: Compiler, nodes: Nodes, scope: Scope) -> Paths:
    paths = compiler.paths(nodes[0], scope)
    if len(nodes) == 1:
        return lambda env, spot: _deep(spot, lambda place: paths(env, place))
    test = compiler.value(nodes[1], scope).many
    return lambda env, spot: _deep(
        spot,
        lambda place: (
            grown for grown in paths(env, place) for verdict in test(env, grown.value) if truthy(verdict)
        ),
    )


def _while(compiler: Compiler, nodes: Nodes, scope: Scope) -> Filter:
    test, update = compiler.value(nodes[0], scope), compiler.value(nodes[1], scope)
    holds, change = test.one, update.one

    def loop(env: Env, value: Value) -> Iterator[Value]:
        assert holds
        assert change
        while truthy(holds(env, value)):
            yield value
            value = change(env, value)

    def run(env: Env, value: Value) -> Iterator[Value]:
        for item in _passing(env, (value,), test.many):
            yield from _deep(item, lambda each: _passing(env, update.many(env, each), test.many))

    return Filter(loop if holds and change else run)


def _passing(env: Env, items: Iterable[Value], test: Many) -> Iterator[Value]:
    return (item for item in items for verdict in test(env, item) if truthy(verdict))


def _while_paths(compiler: Compiler, nodes: Nodes, scope: Scope) -> Paths:
    test, paths = compiler.value(nodes[0], scope).many, compiler.paths(nodes[1], scope)

    def run(env: Env, spot: Spot) -> Iterator[Spot]:
        for place in _passing_spots(env, (spot,), test):
            yield from _deep(place, lambda each: _passing_spots(env, paths(env, each), test))

    return run


def _passing_spots(env: Env, spots: Iterable[Spot], test: Many) -> Iterator[Spot]:
    return (spot for spot in spots for verdict in test(env, spot.value) if truthy(verdict))


def _until(compiler: Compiler, nodes: Nodes, scope: Scope) -> Filter:
    test, update = compiler.value(nodes[0], scope), compiler.value(nodes[1], scope)
    holds, change = test.one, update.one

    def loop(env: Env, value: Value) -> Value:
        assert holds
        assert change
        while not truthy(holds(env, value)):
            value = change(env, value)
        return value

    if holds and change:
        return single(loop)
    return Filter(lambda env, value: _settled(value, partial(test.many, env), partial(update.many, env)))


def _until_paths(compiler: Compiler, nodes: Nodes, scope: Scope) -> Paths:
    test, update = compiler.value(nodes[0], scope).many, compiler.paths(nodes[1], scope)
    return lambda env, spot: _settled(spot, lambda place: test(env, place.value), partial(update, env))


def _settled(start: T, test: Callable[[T], Iterable[Value]], grow: Callable[[T], Iterable[T]]) -> Iterator[T]:
    """What grows from the start until the test holds, depth first."""

    def judged(items: Iterable[T]) -> Iterator[tuple[bool, T]]:
        return ((truthy(verdict), item) for item in items for verdict in test(item))

    rest = [judged((start,))]
    while rest:
        for done, item in rest[-1]:
            if done:
                yield item
            else:
                rest.append(judged(grow(item)))
            break
        else:
            rest.pop()


def _repeat(compiler: Compiler, nodes: Nodes, scope: Scope) -> Filter:
    many = compiler.value(nodes[0], scope).many
    return Filter(lambda env, value: (out for _ in count() for out in many(env, value)))


def _repeat_paths(compiler: Compiler, nodes: Nodes, scope: Scope) -> Paths:
    paths = compiler.paths(nodes[0], scope)
    return lambda env, spot: (out for _ in count() for out in paths(env, spot))


# --- Some of the outputs --------------------------------------------------------------------------


def _first(compiler: Compiler, nodes: Nodes, scope: Scope) -> Filter:
    many = compiler.value(nodes[0], scope).many
    return Filter(lambda env, value: islice(many(env, value), 1))


def _first_paths(compiler: Compiler, nodes: Nodes, scope: Scope) -> Paths:
    paths = compiler.paths(nodes[0], scope)
    return lambda env, spot: islice(paths(env, spot), 1)


def _last(compiler: Compiler, nodes: Nodes, scope: Scope) -> Filter:
    many = compiler.value(nodes[0], scope).many
    return Filter(lambda env, value: deque(many(env, value), 1))


def _limit(compiler: Compiler, nodes: Nodes, scope: Scope) -> Filter:
    counts, many = [compiler.value(node, scope).many for node in nodes]
    return Filter(lambda env, value: _each_part(counts(env, value), lambda: many(env, value), _limited))


def _limit_paths(compiler: Compiler, nodes: Nodes, scope: Scope) -> Paths:
    counts, paths = compiler.value(nodes[0], scope).many, compiler.paths(nodes[1], scope)
    return lambda env, spot: _each_part(counts(env, spot.value), lambda: paths(env, spot), _limited)


def _skip(compiler: Compiler, nodes: Nodes, scope: Scope) -> Filter:
    counts, many = [compiler.value(node, scope).many for node in nodes]
    return Filter(lambda env, value: _each_part(counts(env, value), lambda: many(env, value), _skipped))


def _skip_paths(compiler: Compiler, nodes: Nodes, scope: Scope) -> Paths:
    counts, paths = compiler.value(nodes[0], scope).many, compiler.paths(nodes[1], scope)
    return lambda env, spot: _each_part(counts(env, spot.value), lambda: paths(env, spot), _skipped)


Items = Callable[[], Iterable[T]]


def _each_part(
    counts: Iterable[Value], items: Items[T], part: Callable[[Items[T], float], Iterable[T]]
) -> Iterator[T]:
    """A part of the items for each count; what is no number fails at the first item."""
    for count_ in counts:
        if compare(count_, 0) < 0:
            verb = "limit" if part is _limited else "skip"
            raise JqError(f"{verb} doesn't support negative count", raised=True)
        if is_number(count_):
            yield from part(items, min(plain(count_), _MANY))
        elif next(iter(items()), _NOTHING) is not _NOTHING:
            raise JqError(f"cannot subtract: {described(count_)} and number (1)")


def _limited(items: Items[T], number: float) -> Iterable[T]:
    return islice(items(), math.ceil(number)) if number else ()


def _skipped(items: Items[T], number: float) -> Iterable[T]:
    return islice(items(), math.floor(number), None)


_NOTHING: Final = object()
_MANY: Final = 2**53


VALUE_LOOPS: Final[dict[tuple[str, int], ValueForm]] = {
    ("recurse", 0): _recurse_all,
    ("recurse", 1): _recurse,
    ("recurse", 2): _recurse,
    ("while", 2): _while,
    ("until", 2): _until,
    ("repeat", 1): _repeat,
    ("first", 1): _first,
    ("last", 1): _last,
    ("limit", 2): _limit,
    ("skip", 2): _skip,
}

PATH_LOOPS: Final[dict[tuple[str, int], PathForm]] = {
    ("recurse", 0): _recurse_all_paths,
    ("recurse", 1): _recurse_paths,
    ("recurse", 2): _recurse_paths,
    ("while", 2): _while_paths,
    ("until", 2): _until_paths,
    ("repeat", 1): _repeat_paths,
    ("first", 1): _first_paths,
    ("limit", 2): _limit_paths,
    ("skip", 2): _skip_paths,
}

"""jq path rules: one per kind of node that can be part of a path, tree to closures that give places.

A node without a rule here gives values that leave the way (`program.aside`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Final

from events.lang.jq import tree
from events.lang.jq.evaluate import label_number, label_scope
from events.lang.jq.paths import children, cut, index, keys
from events.lang.jq.patterns import alternatives, attempts, binder
from events.lang.jq.program import (
    BreakSignal,
    Compiler,
    Env,
    Function,
    PathRule,
    Paths,
    Scope,
    Spot,
    aside,
    check_way,
    frames,
)
from events.lang.jq.values import JqError, Value, truthy


def _identity(compiler: Compiler, node: tree.Identity, scope: Scope) -> Paths:
    return lambda env, spot: (spot,)


def step(spot: Spot, key: Value, found: Value) -> Spot:
    """The place one key further. Raises JqError where the value has left the way."""
    check_way(spot)
    return Spot(found, (*spot.path, key), found)


def _index(compiler: Compiler, node: tree.Index, scope: Scope) -> Paths:
    base, found = compiler.paths(node.base, scope), compiler.value(node.key, scope).many

    def places(env: Env, spot: Spot) -> Iterator[Spot]:
        for key in found(env, spot.value):
            for place in base(env, spot):
                yield step(place, key, index(place.value, key))

    return places


def _slice(compiler: Compiler, node: tree.Slice, scope: Scope) -> Paths:
    base = compiler.paths(node.base, scope)
    starts, ends = compiler.value(node.start, scope).many, compiler.value(node.end, scope).many

    def places(env: Env, spot: Spot) -> Iterator[Spot]:
        for start in starts(env, spot.value):
            for end in ends(env, spot.value):
                for place in base(env, spot):
                    yield step(place, {"start": start, "end": end}, cut(place.value, start, end))

    return places


def members(spot: Spot) -> Iterator[Spot]:
    """The places of all members."""
    if type(spot.value) in (list, dict):
        check_way(spot, "on iterating ")
    for key, item in zip(keys(spot.value), children(spot.value), strict=True):
        yield Spot(item, (*spot.path, key), item)


def _iterate(compiler: Compiler, node: tree.Iterate, scope: Scope) -> Paths:
    base = compiler.paths(node.base, scope)
    return lambda env, spot: (member for place in base(env, spot) for member in members(place))


def _binary(compiler: Compiler, node: tree.Binary, scope: Scope) -> Paths:
    join = _JOINS.get(node.operator)
    if join is None:
        return aside(compiler, node, scope)
    return join(compiler.paths(node.left, scope), compiler.paths(node.right, scope))


def _pipe(left: Paths, right: Paths) -> Paths:
    return lambda env, spot: (out for place in left(env, spot) for out in right(env, place))


def _comma(left: Paths, right: Paths) -> Paths:
    def both(env: Env, spot: Spot) -> Iterator[Spot]:
        yield from left(env, spot)
        yield from right(env, spot)

    return both


def _alternative(left: Paths, right: Paths) -> Paths:
    def places(env: Env, spot: Spot) -> Iterator[Spot]:
        found = False
        for place in left(env, spot):
            if truthy(place.value):
                found = True
                yield place
        if not found:
            yield from right(env, spot)

    return places


_JOINS: Final[dict[str, Callable[[Paths, Paths], Paths]]] = {"|": _pipe, ",": _comma, "//": _alternative}


def _if(compiler: Compiler, node: tree.If, scope: Scope) -> Paths:
    test = compiler.value(node.condition, scope).many
    yes, no = compiler.paths(node.then, scope), compiler.paths(node.otherwise, scope)

    def places(env: Env, spot: Spot) -> Iterator[Spot]:
        for verdict in test(env, spot.value):
            yield from (yes if truthy(verdict) else no)(env, spot)

    return places


def _try(compiler: Compiler, node: tree.Try, scope: Scope) -> Paths:
    body = compiler.paths(node.body, scope)
    catch = compiler.paths(node.catch, scope) if node.catch else lambda env, spot: ()

    def places(env: Env, spot: Spot) -> Iterator[Spot]:
        try:
            yield from body(env, spot)
        except JqError as exc:
            caught = exc.value
        else:
            return
        yield from catch(env, spot._replace(value=caught))

    return places


def _label(compiler: Compiler, node: tree.Label, scope: Scope) -> Paths:
    body = compiler.paths(node.body, label_scope(node, scope))

    def places(env: Env, spot: Spot) -> Iterator[Spot]:
        token = object()
        try:
            yield from body((*env, token), spot)
        except BreakSignal as signal:
            if signal.token is not token:
                raise

    return places


def _break(compiler: Compiler, node: tree.Break, scope: Scope) -> Paths:
    number = label_number(compiler, node, scope)

    def leave(env: Env, spot: Spot) -> Iterable[Spot]:
        raise BreakSignal(env[number])

    return leave


def _bind(compiler: Compiler, node: tree.Bind, scope: Scope) -> Paths:
    source = compiler.value(node.source, scope).many
    binders, inner = alternatives(compiler, node.patterns, scope)
    body = compiler.paths(node.body, inner)

    def places(env: Env, spot: Spot) -> Iterator[Spot]:
        for item in source(env, spot.value):
            yield from attempts(binders, env, item, lambda wider: body(wider, spot))

    return places


def _reduce(compiler: Compiler, node: tree.Reduce, scope: Scope) -> Paths:
    start, source = compiler.paths(node.start, scope), compiler.paths(node.source, scope)
    bind, inner = binder(compiler, node.pattern, scope)
    update = compiler.paths(node.update, inner)

    def places(env: Env, spot: Spot) -> Iterator[Spot]:
        for first in start(env, spot):
            state = first.value
            for item in source(env, spot._replace(path=first.path, here=first.here)):
                for wider in bind(env, item.value):
                    for new in update(wider, item._replace(value=state)):
                        state = new.value
            yield first._replace(value=state)

    return places


def _foreach(compiler: Compiler, node: tree.Foreach, scope: Scope) -> Paths:
    start, source = compiler.paths(node.start, scope), compiler.paths(node.source, scope)
    bind, inner = binder(compiler, node.pattern, scope)
    update, extract = compiler.paths(node.update, inner), compiler.paths(node.extract, inner)

    def places(env: Env, spot: Spot) -> Iterator[Spot]:
        for first in start(env, spot):
            state = first.value
            for item in source(env, spot._replace(path=first.path, here=first.here)):
                for wider in bind(env, item.value):
                    for new in update(wider, item._replace(value=state)):
                        state = new.value
                        yield from extract(wider, new)

    return places


def _define(compiler: Compiler, node: tree.Define, scope: Scope) -> Paths:
    return compiler.paths(node.body, scope.with_function(Function(compiler, node, scope)))


def _call(compiler: Compiler, node: tree.Call, scope: Scope) -> Paths:
    if node.name.startswith("$"):
        return aside(compiler, node, scope)
    found = compiler.function(node, scope)
    if found is None:
        form = compiler.library.path_forms.get((node.name, len(node.arguments)))
        return form(compiler, node.arguments, scope) if form else aside(compiler, node, scope)
    if isinstance(found, int):
        return _closure_call(found)
    return _function_call(compiler, found, node, scope)


def _closure_call(number: int) -> Paths:
    def run(env: Env, spot: Spot) -> Iterable[Spot]:
        closure = env[number]
        return closure.paths(closure.env, spot)  # type: ignore[no-any-return]  # a Closure

    return run


def _function_call(compiler: Compiler, function: Function, node: tree.Call, scope: Scope) -> Paths:
    body, calls = function.paths(), frames(compiler, function, node.arguments, scope)
    return lambda env, spot: (out for frame in calls(env, spot.value) for out in body(frame, spot))


PATH_RULES: Final[dict[type[tree.Node], PathRule]] = {
    tree.Identity: _identity,
    tree.Index: _index,
    tree.Slice: _slice,
    tree.Iterate: _iterate,
    tree.Binary: _binary,
    tree.If: _if,
    tree.Try: _try,
    tree.Bind: _bind,
    tree.Reduce: _reduce,
    tree.Foreach: _foreach,
    tree.Label: _label,
    tree.Break: _break,
    tree.Define: _define,
    tree.Call: _call,
}

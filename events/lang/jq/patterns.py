"""jq patterns: what `as` binds, also with the alternatives of `?//`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from events.lang.jq import tree
from events.lang.jq.paths import index
from events.lang.jq.program import Compiler, Env, Many, Scope
from events.lang.jq.values import JqError, Value, described

Binder = Callable[[Env, Value], Iterable[Env]]


def binder(compiler: Compiler, pattern: tree.Pattern, scope: Scope) -> tuple[Binder, Scope]:
    """What the pattern appends to an environment, and the scope in which its variables are visible."""
    if pattern.variable is not None:
        return lambda env, value: ((*env, value),), scope.with_variable(pattern.variable)
    steps: list[tuple[Many, bool, Binder]] = []
    for key, inner in pattern.parts:
        node = tree.Literal(key) if isinstance(key, int) else key
        keys = compiler.value(node, scope).many
        bind, scope = binder(compiler, inner, scope)
        steps.append((keys, isinstance(key, int), bind))
    return lambda env, value: _bound(steps, 0, env, value), scope


def _bound(steps: list[tuple[Many, bool, Binder]], at: int, env: Env, value: Value) -> Iterator[Env]:
    if at == len(steps):
        yield env
        return
    keys, element, bind = steps[at]
    for key in keys(env, value):
        if element and value is not None and type(value) is not list:
            raise JqError(f"expected an array but got: {described(value)}")
        for wider in bind(env, index(value, key)):
            yield from _bound(steps, at + 1, wider, value)


def alternatives(
    compiler: Compiler, patterns: tuple[tree.Pattern, ...], scope: Scope
) -> tuple[list[Binder], Scope]:
    """Binders of `?//`: each appends all variables of all patterns, null where its own pattern has none."""
    if len(patterns) == 1:
        bind, inner = binder(compiler, patterns[0], scope)
        return [bind], inner
    bound = [binder(compiler, pattern, scope) for pattern in patterns]
    inners = [inner for _, inner in bound]
    names = sorted({name for inner in inners for name, at in inner.variables.items() if at >= scope.size})
    wide = scope
    for name in names:
        wide = wide.with_variable(name)
    return [_widened(bind, inner, names, scope.size) for bind, inner in bound], wide


def _widened(bind: Binder, inner: Scope, names: list[str], size: int) -> Binder:
    numbers = [inner.variables.get(name, -1) for name in names]

    def widen(env: Env, value: Value) -> Iterator[Env]:
        for own in bind(env, value):
            yield (*env, *[own[number] if number >= size else None for number in numbers])

    return widen


def attempts(
    binders: list[Binder], env: Env, item: Value, body: Callable[[Env], Iterable[Any]]
) -> Iterator[Any]:
    """The body with the variables of the first pattern for which nothing raises."""
    for bind in binders[:-1]:
        try:
            for wider in bind(env, item):
                yield from body(wider)
        except JqError:
            continue
        return
    for wider in binders[-1](env, item):
        yield from body(wider)

"""jq evaluation rules: one per kind of node, tree to closures that give values."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final

from events.lang.jq import tree
from events.lang.jq.paths import children, cut, index
from events.lang.jq.patterns import alternatives, attempts, binder
from events.lang.jq.program import (
    IDENTITY,
    BreakSignal,
    Compiler,
    Env,
    Filter,
    Function,
    Scope,
    ValueRule,
    combined,
    frames,
    single,
    then,
)
from events.lang.jq.updates import update
from events.lang.jq.values import BINARY, JqError, Value, described, negate, posate, truthy

# --- Values and access ----------------------------------------------------------------------------


def _identity(compiler: Compiler, node: tree.Identity, scope: Scope) -> Filter:
    return IDENTITY


def _literal(compiler: Compiler, node: tree.Literal, scope: Scope) -> Filter:
    value = node.value
    return single(lambda env, _: value)


def _index(compiler: Compiler, node: tree.Index, scope: Scope) -> Filter:
    base: tree.Node = node
    keys: list[Value] = []
    while isinstance(base, tree.Index) and isinstance(base.key, tree.Literal):
        keys.insert(0, base.key.value)
        base = base.base
    if not keys:
        return combined([compiler.value(node.base, scope), compiler.value(node.key, scope)], index)
    return then(compiler.value(base, scope), _walker(keys))


def _walker(keys: list[Value]) -> Callable[[Value], Value]:
    names = all(type(key) is str for key in keys)

    def walk(value: Value) -> Value:
        for key in keys:
            value = value.get(key) if names and type(value) is dict else index(value, key)
        return value

    return walk


def _slice(compiler: Compiler, node: tree.Slice, scope: Scope) -> Filter:
    sources = [compiler.value(part, scope) for part in (node.base, node.end, node.start)]
    return combined(sources, lambda value, end, start: cut(value, start, end))


def _iterate(compiler: Compiler, node: tree.Iterate, scope: Scope) -> Filter:
    many = compiler.value(node.base, scope).many
    if node.base is tree.IDENTITY:
        return Filter(lambda env, value: children(value))
    return Filter(lambda env, value: (item for each in many(env, value) for item in children(each)))


def _array(compiler: Compiler, node: tree.Array, scope: Scope) -> Filter:
    if node.body is None:
        return single(lambda env, value: [])
    many = compiler.value(node.body, scope).many
    return single(lambda env, value: list(many(env, value)))


def _object(compiler: Compiler, node: tree.Object, scope: Scope) -> Filter:
    members = []
    for key, member in node.members:
        one = compiler.value(member, scope).one if member else None
        if not (one and isinstance(key, tree.Literal) and type(key.value) is str):
            return _varied_object(compiler, node, scope)
        members.append((key.value, one))
    return single(lambda env, value: {key: one(env, value) for key, one in members})


def _varied_object(compiler: Compiler, node: tree.Object, scope: Scope) -> Filter:
    members = [
        (compiler.value(key, scope).many, compiler.value(value, scope).many if value else None)
        for key, value in node.members
    ]

    def objects(env: Env, value: Value, at: int, made: list[tuple[Value, Value]]) -> Iterator[Value]:
        if at == len(members):
            yield dict(map(_checked_member, made))
            return
        keys, values = members[at]
        for key in keys(env, value):
            for item in values(env, value) if values else (index(value, key),):
                yield from objects(env, value, at + 1, [*made, (key, item)])

    return Filter(lambda env, value: objects(env, value, 0, []))


def _checked_member(member: tuple[Value, Value]) -> tuple[Value, Value]:
    if type(member[0]) is not str:
        raise JqError(f"expected a string for object key but got: {described(member[0])}")
    return member


def _text(compiler: Compiler, node: tree.Text, scope: Scope) -> Filter:
    return combined([compiler.value(part, scope) for part in node.parts], lambda *texts: "".join(texts))


# --- Operators ------------------------------------------------------------------------------------


def _unary(compiler: Compiler, node: tree.Unary, scope: Scope) -> Filter:
    return then(compiler.value(node.operand, scope), negate if node.operator == "-" else posate)


def _binary(compiler: Compiler, node: tree.Binary, scope: Scope) -> Filter:
    left, right = compiler.value(node.left, scope), compiler.value(node.right, scope)
    if node.operator in _SPECIAL:
        return _SPECIAL[node.operator](left, right)
    return combined([left, right], BINARY[node.operator])


def _pipe(left: Filter, right: Filter) -> Filter:
    one, other, many, others = left.one, right.one, left.many, right.many
    if left is IDENTITY:
        return right
    if one and other:
        return single(lambda env, value: other(env, one(env, value)))
    if one:
        return Filter(lambda env, value: others(env, one(env, value)))
    if other:
        return Filter(lambda env, value: (other(env, item) for item in many(env, value)))
    return Filter(lambda env, value: (out for item in many(env, value) for out in others(env, item)))


def _comma(left: Filter, right: Filter) -> Filter:
    first, second = left.many, right.many

    def both(env: Env, value: Value) -> Iterator[Value]:
        yield from first(env, value)
        yield from second(env, value)

    return Filter(both)


def _alternative(left: Filter, right: Filter) -> Filter:
    one, other, many, others = left.one, right.one, left.many, right.many
    if one and other:

        def either(env: Env, value: Value) -> Value:
            found = one(env, value)
            return found if truthy(found) else other(env, value)

        return single(either)

    def alternatives(env: Env, value: Value) -> Iterator[Value]:
        found = False
        for item in many(env, value):
            if truthy(item):
                found = True
                yield item
        if not found:
            yield from others(env, value)

    return Filter(alternatives)


def _and(left: Filter, right: Filter) -> Filter:
    return _choice(left, _boolean(right), single(lambda env, value: False))


def _or(left: Filter, right: Filter) -> Filter:
    return _choice(left, single(lambda env, value: True), _boolean(right))


def _boolean(source: Filter) -> Filter:
    return then(source, truthy)


_SPECIAL: Final[dict[str, Callable[[Filter, Filter], Filter]]] = {
    "|": _pipe,
    ",": _comma,
    "//": _alternative,
    "and": _and,
    "or": _or,
}

# --- Control --------------------------------------------------------------------------------------


def _if(compiler: Compiler, node: tree.If, scope: Scope) -> Filter:
    return _choice(*[compiler.value(part, scope) for part in (node.condition, node.then, node.otherwise)])


def _choice(condition: Filter, yes: Filter, no: Filter) -> Filter:
    test, then_one, else_one = condition.one, yes.one, no.one
    if test and then_one and else_one:
        return single(lambda env, value: (then_one if truthy(test(env, value)) else else_one)(env, value))

    def choose(env: Env, value: Value) -> Iterator[Value]:
        for verdict in condition.many(env, value):
            yield from (yes if truthy(verdict) else no).many(env, value)

    return Filter(choose)


def _try(compiler: Compiler, node: tree.Try, scope: Scope) -> Filter:
    body = compiler.value(node.body, scope)
    catch = compiler.value(node.catch, scope) if node.catch else Filter(lambda env, value: ())
    if body.one and catch.one:
        return single(_guarded(body.one, catch.one))

    def attempt(env: Env, value: Value) -> Iterator[Value]:
        try:
            yield from body.many(env, value)
        except JqError as exc:
            caught = exc.value
        else:
            return
        yield from catch.many(env, caught)

    return Filter(attempt)


def _guarded(body: Callable[[Env, Value], Value], catch: Callable[[Env, Value], Value]) -> Any:
    def attempt(env: Env, value: Value) -> Value:
        try:
            return body(env, value)
        except JqError as exc:
            return catch(env, exc.value)

    return attempt


_LABEL: Final = "label "


def _label(compiler: Compiler, node: tree.Label, scope: Scope) -> Filter:
    many = compiler.value(node.body, label_scope(node, scope)).many

    def run(env: Env, value: Value) -> Iterator[Value]:
        token = object()
        try:
            yield from many((*env, token), value)
        except BreakSignal as signal:
            if signal.token is not token:
                raise

    return Filter(run)


def label_number(compiler: Compiler, node: tree.Break, scope: Scope) -> int:
    """Where the label's token is. Raises ExpressionError if there is no such label."""
    number = scope.variables.get(_LABEL + node.name)
    if number is None:
        raise compiler.error(f"label not defined: {node.name}", node.start)
    return number


def label_scope(node: tree.Label, scope: Scope) -> Scope:
    return scope.with_variable(_LABEL + node.name)


def _break(compiler: Compiler, node: tree.Break, scope: Scope) -> Filter:
    number = label_number(compiler, node, scope)

    def leave(env: Env, value: Value) -> Value:
        raise BreakSignal(env[number])

    return Filter(leave)


# --- Variables and folds --------------------------------------------------------------------------


def _bind(compiler: Compiler, node: tree.Bind, scope: Scope) -> Filter:
    source = compiler.value(node.source, scope)
    binders, inner = alternatives(compiler, node.patterns, scope)
    body = compiler.value(node.body, inner)
    one, body_one = source.one, body.one
    if one and body_one and node.patterns[0].variable and len(binders) == 1:
        return single(lambda env, value: body_one((*env, one(env, value)), value))

    def run(env: Env, value: Value) -> Iterator[Value]:
        for item in source.many(env, value):
            yield from attempts(binders, env, item, lambda wider: body.many(wider, value))

    return Filter(run)


def _reduce(compiler: Compiler, node: tree.Reduce, scope: Scope) -> Filter:
    start, source = compiler.value(node.start, scope), compiler.value(node.source, scope)
    bind, inner = binder(compiler, node.pattern, scope)
    update = compiler.value(node.update, inner)

    def folded(env: Env, value: Value, state: Value) -> Value:
        for item in source.many(env, value):
            for wider in bind(env, item):
                for new in update.many(wider, state):
                    state = new
        return state

    if one := start.one:
        return single(lambda env, value: folded(env, value, one(env, value)))
    return Filter(lambda env, value: (folded(env, value, state) for state in start.many(env, value)))


def _foreach(compiler: Compiler, node: tree.Foreach, scope: Scope) -> Filter:
    start, source = compiler.value(node.start, scope), compiler.value(node.source, scope)
    bind, inner = binder(compiler, node.pattern, scope)
    update, extract = compiler.value(node.update, inner), compiler.value(node.extract, inner)

    def steps(env: Env, value: Value) -> Iterator[Value]:
        for state in start.many(env, value):
            yield from folded(env, value, state)

    def folded(env: Env, value: Value, state: Value) -> Iterator[Value]:
        for item in source.many(env, value):
            for wider in bind(env, item):
                for new in update.many(wider, state):
                    state = new
                    yield from extract.many(wider, new)

    return Filter(steps)


# --- Functions ------------------------------------------------------------------------------------


def _define(compiler: Compiler, node: tree.Define, scope: Scope) -> Filter:
    function = Function(compiler, node, scope)
    function.value()
    return compiler.value(node.body, scope.with_function(function))


def _call(compiler: Compiler, node: tree.Call, scope: Scope) -> Filter:
    if node.name.startswith("$"):
        return _variable(compiler, node, scope)
    found = compiler.function(node, scope)
    if found is None:
        return compiler.library.value_forms[node.name, len(node.arguments)](compiler, node.arguments, scope)
    if isinstance(found, int):
        return _closure_call(found)
    return _function_call(compiler, found, node, scope)


def _variable(compiler: Compiler, node: tree.Call, scope: Scope) -> Filter:
    number = scope.variables.get(node.name)
    if number is not None:
        return single(lambda env, value: env[number])
    if node.name == "$ENV":
        return single(lambda env, value: {})
    raise compiler.error(f"variable not defined: {node.name}", node.start)


def _closure_call(number: int) -> Filter:
    def run(env: Env, value: Value) -> Iterable[Value]:
        closure = env[number]
        return closure.many(closure.env, value)  # type: ignore[no-any-return]  # a Closure

    return Filter(run)


def _function_call(compiler: Compiler, function: Function, node: tree.Call, scope: Scope) -> Filter:
    body, size = function.value(), function.size
    many, one = body.many, body.one
    if not node.arguments:
        if one:
            return single(lambda env, value: one(env[:size], value))
        return Filter(lambda env, value: many(env[:size], value))
    calls = frames(compiler, function, node.arguments, scope)
    return Filter(lambda env, value: (out for frame in calls(env, value) for out in many(frame, value)))


VALUE_RULES: Final[dict[type[tree.Node], ValueRule]] = {
    tree.Identity: _identity,
    tree.Literal: _literal,
    tree.Text: _text,
    tree.Index: _index,
    tree.Slice: _slice,
    tree.Iterate: _iterate,
    tree.Array: _array,
    tree.Object: _object,
    tree.Unary: _unary,
    tree.Binary: _binary,
    tree.Update: update,
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

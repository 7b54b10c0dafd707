"""jq updates: `=`, `|=`, `+=` and so on."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from types import NoneType

from events.lang.jq import tree
from events.lang.jq.paths import Editor, get_path
from events.lang.jq.program import IDENTITY, Compiler, Filter, Scope, combined, located, single
from events.lang.jq.values import BINARY, Value


def update(compiler: Compiler, node: tree.Update, scope: Scope) -> Filter:
    """The value rule of updates."""
    source = compiler.value(node.source, scope)
    if node.operator == "" and (constant := _constant_path(node.target)):
        return combined([IDENTITY, source], lambda value, new: Editor().set_path(value, constant, new))
    paths = located(compiler.paths(node.target, scope))
    if node.operator == "|":
        return single(
            lambda env, value: modified(paths(env, value), value, lambda old: source.many(env, old))
        )
    write = _assigned if node.operator == "" else _computed(BINARY[node.operator])
    if one := source.one:
        return single(lambda env, value: write(paths(env, value), value, one(env, value)))
    return Filter(
        lambda env, value: (write(paths(env, value), value, new) for new in source.many(env, value))
    )


def _constant_path(node: tree.Node) -> list[Value]:
    """The path of `.a[0].b`; empty where the target is anything else."""
    path: list[Value] = []
    while isinstance(node, (tree.Index, tree.Slice)):
        key = _constant_key(node)
        if key is None:
            return []
        path.insert(0, key)
        node = node.base
    return path if node is tree.IDENTITY else []


def _constant_key(node: tree.Index | tree.Slice) -> Value:
    parts = (node.key,) if isinstance(node, tree.Index) else (node.start, node.end)
    values = [part.value for part in parts if isinstance(part, tree.Literal)]
    if len(values) < len(parts) or not all(type(value) in (str, int, float, NoneType) for value in values):
        return None
    return values[0] if isinstance(node, tree.Index) else {"start": values[0], "end": values[1]}


def _assigned(paths: Iterable[Value], value: Value, new: Value) -> Value:
    editor = Editor()
    for path in paths:
        value = editor.set_path(value, path, new)
    return value


def _computed(operator: Callable[[Value, Value], Value]) -> Callable[[Iterable[Value], Value, Value], Value]:
    return lambda paths, value, new: modified(paths, value, lambda old: (operator(old, new),))


def modified(paths: Iterable[Value], value: Value, change: Callable[[Value], Iterable[Value]]) -> Value:
    """The value with what lies at each path changed to the first output, or deleted if there is none."""
    editor = Editor()
    gone = []
    for path in paths:
        for new in change(get_path(value, path)):
            value = editor.set_path(value, path, new)
            break
        else:
            gone.append(path)
    return editor.delete_paths(value, gone)

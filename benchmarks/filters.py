"""Each kind of filter and parameter on a 10 kB push, against a jsonpath-ng look-up of the same path.

Beside it the same access in plain Python, on the decoded dict. The payload is decoded already, except in the
lines that say so.
"""

from __future__ import annotations

import timeit
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jsonpath_ng.parser
import orjson

from benchmarks.load import push_body, tell
from events.api.sensor import Filters, TriggerParameterSource
from events.event import Event, Firing
from events.sensors.filters import compile_filters
from events.sensors.parameters import compile_source
from events.sensors.problems import Problems

DATA = b'{"headers":{},"body":%b}' % push_body()
REF = {"path": "body.ref", "type": "string"}
CONTEXT = {"source": "github", "type": "github", "time": "1970-01-01T00:00:00Z"}
DAY = 86_400 * 10**9
TOLD = '{{ index (splitList "/" .Input) 2 }}'


class Case(NamedTuple):
    """What is measured, the path that it reads in `tree`, and the same in plain Python."""

    name: str
    ours: Callable[[], object]
    path: str
    tree: Any
    plain: Callable[[], object]


def event() -> Event:
    return Event("1", "github", "push", "github", 1, DATA)


def predicate(**spec: Any) -> Callable[[Event], bool]:
    filters = compile_filters(Filters.model_validate(spec), "", "filters", Problems())
    assert filters is not None
    if not filters.test(event()):
        raise RuntimeError(f"{spec} does not pass")
    return filters.test


def parameter(**spec: Any) -> Callable[[Firing], object]:
    return compile_source(TriggerParameterSource.model_validate({"dependencyName": "push", **spec}))


def cases() -> list[Case]:
    one, tree = event(), orjson.loads(DATA)
    body = tree["body"]
    firing = Firing("a" * 26, "default", "ci", "call", {"push": one}, 1)

    def test(**spec: Any) -> Callable[[], object]:
        compiled = predicate(**spec)
        return lambda: compiled(one)

    def resolve(**spec: Any) -> Callable[[], object]:
        compiled = parameter(**spec)
        return lambda: compiled(firing)

    def first() -> object:
        return decoding(event())

    def ref() -> object:
        return body["ref"] == "refs/heads/main"

    def one_id() -> object:
        return body["repository"]["id"] == 1

    decoding = predicate(data=[REF | {"value": ["^refs/heads/main$"]}])
    number = {"path": "body.repository.id", "type": "number", "value": ["1"]}
    private = {"path": "body.repository.private", "type": "bool", "value": ["true"]}
    field = {"path": "body.repository.id", "name": "id"}
    name = "body.repository.full_name"
    return [
        Case("data, ^text$", test(data=[REF | {"value": ["^refs/heads/main$"]}]), "body.ref", tree, ref),
        Case("data, regular expression", test(data=[REF | {"value": ["m.*n$"]}]), "body.ref", tree, ref),
        Case("data, number", test(data=[number]), "body.repository.id", tree, one_id),
        Case("data, bool", test(data=[private]), "body.repository.private", tree,
             lambda: body["repository"]["private"] is True),
        Case("data, template", test(data=[REF | {"template": TOLD, "value": ["main"]}]), "body.ref", tree,
             lambda: body["ref"].split("/")[2] == "main"),
        Case("exprs", test(exprs=[{"expr": "id == 1", "fields": [field]}]), "body.repository.id", tree,
             one_id),
        Case("context", test(context={"source": "github", "type": "github"}), "source", CONTEXT,
             lambda: one.source == "github" and one.type == "github"),
        Case("time", test(time={"start": "00:00:00", "stop": "23:59:59"}), "time", CONTEXT,
             lambda: 0 <= (one.time_ns or 0) % DAY < DAY - 10**9),
        Case("parameter, dataKey", resolve(dataKey=name), name, tree,
             lambda: body["repository"]["full_name"]),
        Case("parameter, dataTemplate", resolve(dataTemplate="{{ .Input.body.ref }}"), "body.ref", tree,
             lambda: body["ref"]),
        Case("data, ^text$, decoding the payload", first, "body.ref", None,
             lambda: orjson.loads(DATA)["body"]["ref"] == "refs/heads/main"),
    ]  # fmt: skip


def nanoseconds(call: Callable[[], object], quick: bool) -> float:
    timer, number = timeit.Timer(call), 5
    if not quick:
        number = max(10, int(0.02 / max(timer.timeit(50) / 50, 1e-8)))
    return min(timer.repeat(2 if quick else 7, number)) / number * 1e9


def run(quick: bool) -> None:
    for case in cases():
        path = jsonpath_ng.parser.parse(case.path)
        ours, other, plain = (
            nanoseconds(call, quick) for call in (case.ours, partial(look_up, path, case.tree), case.plain)
        )
        detail = f"{ours:.0f} / {other:.0f} ns; {ours / plain:.1f}x plain Python's {plain:.0f} ns"
        aim = None if "emplate" in case.name else 1.0  # a template is more than a look-up
        tell(f"filters: {case.name}, to jsonpath-ng", ours / other, aim, detail)


def look_up(path: Any, tree: Any) -> object:
    return path.find(orjson.loads(DATA) if tree is None else tree)

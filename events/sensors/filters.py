"""Filters of a dependency, compiled to predicates over an event.

Every kind is a list of checks joined by its own operator; the kinds are joined by `filtersLogicalOperator`.
An error in an `or` group counts as false (as upstream documents it) unless nothing else passes.

Upstream  pkg/sensors/dependencies/filter.go
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from events.errors import EvaluationError, ExpressionError
from events.event import Event
from events.lang.document import Document
from events.lang.gjson_result import DecodedString
from events.lang.path import Path, Result, compile_path
from events.lang.scalars import parse_bool, parse_float
from events.sensors.moments import clock, event_moment
from events.sensors.problems import Problems, raising

if TYPE_CHECKING:
    from events.api.sensor import DataFilter, EventContext, ExprFilter, Filters, PayloadField, TimeFilter

Value = TypeVar("Value")
Predicate = Callable[[Event], bool]
"""True: passes. Raises EvaluationError when it cannot tell."""


class Check(NamedTuple):
    """One filter of one kind: what `explain` shows of it besides its verdict."""

    field: str
    test: Predicate
    expression: str
    wanted: str
    found: Callable[[Event], str | None]
    """The value that was looked at, as text; None when there is none."""


class Kind(NamedTuple):
    """All filters of one kind, and how they are joined."""

    name: str
    checks: tuple[Check, ...]
    operator: str
    test: Predicate


class CompiledFilters(NamedTuple):
    kinds: tuple[Kind, ...]
    operator: str
    test: Predicate


def document(event: Event) -> Document:
    """The decoded payload of an event that has one: made once, shared by all sensors of the process."""
    doc = event.document
    if doc is None:
        doc = event.document = Document(event.data or b"")
    return doc  # type: ignore[no-any-return]


def checked(event: Event) -> Document:
    """As `document`, but the payload has to be JSON."""
    doc = document(event)
    if not doc.valid:
        raise EvaluationError("the event's data is not valid JSON")
    return doc


# data


def compile_data(spec: DataFilter, field: str, problems: Problems) -> Check:
    path = problems.attempt(f"{field}.path", lambda: compile_path(spec.path))
    wanted = f"{spec.type} {spec.comparator or '='} {' | '.join(spec.value)}"
    if path is None:
        return Check(
            field, raising("the path does not compile", spec.path), spec.path, wanted, lambda _: None
        )
    render = compile_view(spec, field, problems)
    compare = COMPARERS.get(spec.type, unknown_type)(spec, field, problems)

    def test(event: Event) -> bool:
        if event.data is None:
            return True
        found = path.get(checked(event))
        if not found.exists:
            raise EvaluationError("the path does not exist in the event's data", spec.path)
        if not spec.value:
            raise EvaluationError("the filter has no values", spec.path)
        return compare(render(found, event) if render else found)

    def show(event: Event) -> str | None:
        if event.data is None:
            return None
        found = path.get(document(event))
        if not found.exists:
            return None
        return (render(found, event) if render else found).text

    return Check(field, test, spec.path, wanted, show)


def compile_view(
    spec: DataFilter, field: str, problems: Problems
) -> Callable[[Result, Event], Result] | None:
    """The filter's `template`: turns the found value into the string that is compared."""
    if not spec.template:
        return None
    from events.lang.gotemplate import compile_template
    from events.sensors.templating import template_env

    text, path_of_text = spec.template, compile_path("@this")
    template = problems.attempt(f"{field}.template", lambda: compile_template(text))

    def view(found: Result, event: Event) -> Result:
        if template is None:
            raise EvaluationError("the template does not compile", text)
        output = template.render({"Input": found.text}, template_env(event.time_ns or 0, event.id))
        if output in {"", "<no value>"}:
            raise EvaluationError("the template gives no value", text)
        return DecodedString(output, document(event), path_of_text)

    return view


Compare = Callable[[Result], bool]


def compare_string(spec: DataFilter, field: str, problems: Problems) -> Compare:
    if spec.comparator not in {"", "=", "!="}:
        return lambda _: False
    tests = [string_test(value, f"{field}.value.{n}", problems) for n, value in enumerate(spec.value)]
    wanted = spec.comparator != "!="
    if len(tests) == 1:
        only = tests[0]
        return lambda found: only(found.text) is wanted
    return lambda found: any(test(text) is wanted for text in (found.text,) for test in tests)


SPECIAL = frozenset("\\.+*?()|[]{}^$")


def string_test(pattern: str, field: str, problems: Problems) -> Callable[[str], bool]:
    """An unanchored regular expression; plain literals and `^literal$` need no engine."""
    literal = anchored_literal(pattern)
    if literal is not None:
        return lambda text: text == literal
    if not SPECIAL & set(pattern):
        return lambda text: pattern in text
    from events.lang.regex import compile_regex

    regex = problems.attempt(field, lambda: compile_regex(pattern))
    return raising("the regular expression does not compile", pattern) if regex is None else regex.search


def anchored_literal(pattern: str) -> str | None:
    """`main` for `^main$`; None for anything that is more than an anchored literal."""
    inner = pattern[1:-1]
    if len(pattern) < 2 or pattern[0] != "^" or pattern[-1] != "$" or SPECIAL & set(inner):
        return None
    return inner


NUMBER_TESTS: dict[str, Callable[[float, float], bool]] = {
    "": lambda found, wanted: found == wanted,
    "=": lambda found, wanted: found == wanted,
    "!=": lambda found, wanted: found != wanted,
    ">": lambda found, wanted: found > wanted,
    ">=": lambda found, wanted: found >= wanted,
    "<": lambda found, wanted: found < wanted,
    "<=": lambda found, wanted: found <= wanted,
}


def compare_number(spec: DataFilter, field: str, problems: Problems) -> Compare:
    wanted = parsed(spec.value, field, problems, parse_float)
    holds = NUMBER_TESTS.get(spec.comparator)
    if holds is None:
        return lambda _: False
    return lambda found: any(holds(found.number, value()) for value in wanted)


def compare_bool(spec: DataFilter, field: str, problems: Problems) -> Compare:
    wanted = parsed(spec.value, field, problems, parse_bool)
    equal = spec.comparator != "!="
    return lambda found: any((found.boolean is value()) is equal for value in wanted)


def parsed(
    values: Sequence[str], field: str, problems: Problems, parse: Callable[[str], Value]
) -> list[Callable[[], Value]]:
    """Values in order; one that does not parse is an error only when it is reached."""
    return [constant(text, f"{field}.value.{n}", problems, parse) for n, text in enumerate(values)]


def constant(text: str, field: str, problems: Problems, parse: Callable[[str], Value]) -> Callable[[], Value]:
    value = problems.attempt(field, lambda: parse(text))
    if value is not None:
        return lambda: value

    def fail() -> Value:
        raise EvaluationError("not a value of this type", text)

    return fail


def unknown_type(spec: DataFilter, field: str, problems: Problems) -> Compare:
    problems.attempt(f"{field}.type", lambda: _refuse_type(spec.type))
    return raising(f"unknown type {spec.type!r}", spec.path)


def _refuse_type(name: str) -> None:
    raise ExpressionError("the type has to be string, number or bool", name)


COMPARERS = {"string": compare_string, "number": compare_number, "bool": compare_bool}


# exprs


def compile_expr(spec: ExprFilter, field: str, problems: Problems) -> Check:
    from events.lang.govaluate import compile_expression

    expression = problems.attempt(f"{field}.expr", lambda: compile_expression(spec.expr))
    paths = [bindable(item, f"{field}.fields.{n}", problems) for n, item in enumerate(spec.fields)]

    def bind(event: Event) -> dict[str, object]:
        doc = checked(event)
        return {name: bound(path, text, doc) for name, text, path in paths}

    def test(event: Event) -> bool:
        if event.data is None:
            return True
        variables = bind(event)
        if expression is None:
            raise EvaluationError("the expression does not compile", spec.expr)
        return expression.evaluate(variables) is True

    def show(event: Event) -> str | None:
        return None if event.data is None else ", ".join(f"{k} = {v!r}" for k, v in bind(event).items())

    return Check(field, test, spec.expr, "true", show)


def bindable(item: PayloadField, field: str, problems: Problems) -> tuple[str, str, Path | None]:
    return item.name, item.path, problems.attempt(f"{field}.path", lambda: compile_path(item.path))


def bound(path: Path | None, text: str, doc: Document) -> object:
    found = path.get(doc) if path else None
    if found is None or not found.exists:
        raise EvaluationError("the path does not exist in the event's data", text)
    return found.value()


# context and time


def compile_context(spec: EventContext, field: str) -> Check:
    wanted = {
        key: value
        for key in ("type", "subject", "source", "datacontenttype")
        if (value := getattr(spec, key))
    }
    pairs = tuple(wanted.items())

    def test(event: Event) -> bool:
        return all(getattr(event, key) == value for key, value in pairs)

    def show(event: Event) -> str:
        return ", ".join(f"{key} = {getattr(event, key)}" for key in wanted)

    return Check(field, test, ", ".join(wanted), ", ".join(f"{k} = {v}" for k, v in pairs), show)


def compile_time(spec: TimeFilter, field: str, problems: Problems) -> Check:
    from events.lang.clock import compile_window

    window = problems.attempt(field, lambda: compile_window(spec.start, spec.stop, spec.timezone or None))
    text = f"{spec.start} to {spec.stop} {spec.timezone or 'UTC'}"

    def test(event: Event) -> bool:
        if window is None:
            raise EvaluationError("the time window does not parse", text)
        return window.contains(event_moment(event))

    return Check(field, test, "time", text, lambda event: event_moment(event).isoformat())


# script


def compile_script(source: str, field: str, problems: Problems) -> Check:
    from events.lang.lua import compile_lua

    script = problems.attempt(field, lambda: compile_lua(source))

    def test(event: Event) -> bool:
        if event.data is None:
            return True
        if script is None:
            raise EvaluationError("the script does not compile", source)
        return script.filter(checked(event).tree, clock(event))

    return Check(field, test, "script", "true", lambda _: None)


# combination


def join(checks: Sequence[Check], operator: str) -> Predicate:
    """The checks of one kind: `and` stops at the first false or error, `or` at the first true."""
    tests = [check.test for check in checks]
    if operator == "or" and len(tests) != 1:
        return lambda event: any_of(tests, event)
    if len(tests) == 1:
        return tests[0]
    return lambda event: all(test(event) for test in tests)


def any_of(tests: Sequence[Predicate], event: Event) -> bool:
    """True if one passes; an error counts as false, and is raised if none passes."""
    error: EvaluationError | None = None
    for test in tests:
        try:
            if test(event):
                return True
        except EvaluationError as exc:
            error = error or exc
    if error is not None:
        raise error
    return False


def any_kind(kinds: Sequence[Kind]) -> Predicate:
    """One kind is enough; an error of a script refuses the event all the same, as upstream."""
    tests = [kind.test for kind in kinds if kind.name != "script"]
    script = next((kind.test for kind in kinds if kind.name == "script"), None)
    if script is None:
        return lambda event: any_of(tests, event)
    return lambda event: script(event) or any_of(tests, event)


def all_of(tests: Sequence[Predicate], event: Event) -> bool:
    """All kinds are asked, so that an error in one is told even when another says no."""
    verdict = True
    for test in tests:
        verdict = test(event) and verdict
    return verdict


def compile_filters(
    spec: Filters | None, operator: str, field: str, problems: Problems
) -> CompiledFilters | None:
    """None when the dependency has no `filters`: everything passes."""
    if spec is None:
        return None
    kinds = tuple(kind for kind in compile_kinds(spec, field, problems) if kind is not None)
    tests = [kind.test for kind in kinds]
    if operator == "or":
        test: Predicate = any_kind(kinds)
    else:
        test = tests[0] if len(tests) == 1 else partial(all_of, tests)
    return CompiledFilters(kinds, operator or "and", test)


def compile_kinds(spec: Filters, field: str, problems: Problems) -> list[Kind | None]:
    """In the order in which upstream evaluates them."""
    exprs = [
        compile_expr(item, f"{field}.exprs.{n}", problems) for n, item in enumerate(spec.exprs) if item.fields
    ]
    data = [compile_data(item, f"{field}.data.{n}", problems) for n, item in enumerate(spec.data)]
    context = [compile_context(spec.context, f"{field}.context")] if spec.context else []
    time = [compile_time(spec.time, f"{field}.time", problems)] if spec.time else []
    script = [compile_script(spec.script, f"{field}.script", problems)] if spec.script else []
    return [
        kind_of("exprs", exprs, spec.expr_logical_operator, "exprs" in spec.model_fields_set),
        kind_of("data", data, spec.data_logical_operator, "data" in spec.model_fields_set),
        kind_of("context", context, ""),
        kind_of("time", time, ""),
        kind_of("script", script, ""),
    ]


def kind_of(name: str, checks: Sequence[Check], operator: str, given: bool = True) -> Kind | None:
    """None for a kind that is not there. A list in which nothing is left to check passes under `and` only."""
    if not checks and not (given and operator == "or"):
        return None
    return Kind(name, tuple(checks), operator or "and", join(checks, operator))

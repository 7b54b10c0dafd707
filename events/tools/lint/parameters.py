"""Parameters: where their values come from, and whether what they write arrives anywhere."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import orjson

from events.api.model import Model, Problem, walk
from events.api.origin import Path
from events.api.sensor import TriggerParameterSource
from events.api.shapes import fields
from events.errors import EvaluationError, ExpressionError, ManifestError
from events.lang.path import compile_path
from events.lang.write import compile_dest
from events.registry import config_class
from events.tools.lint.conditions import compiled
from events.tools.lint.documents import Resource, keys_of, resource_of, writes_to
from events.tools.lint.filters import kind_of_data
from events.tools.lint.payloads import check_path
from events.tools.lint.subjects import Index, TriggerAt, error, triggers, warning
from events.tools.lint.suggestions import did_you_mean, near

if TYPE_CHECKING:
    from events.api.sensor import Sensor, TriggerParameter

OBJECTS = ("k8s", "argoWorkflow")
"""Kinds whose parameters are about the object of their source."""

FETCHED = ("custom",)
"""Kinds whose parameters are about a document that is not in the manifest."""

_COMPLEX = re.compile(r"(?:[^\\#@*?|]|\\.?)*+[#@*?|]", re.DOTALL)


# where values come from


def check_sources(sensor: Sensor, index: Index) -> Iterator[Problem]:
    """Every `src` reads an event that may be there, from a place that may be there."""
    for trigger in triggers(sensor):
        present = _present(sensor, trigger)
        for path, source in sources(trigger):
            yield from _names(sensor, trigger, path, source, present)
            yield from _texts(path, source)
            yield from _data_key(sensor, path, source, index)


def sources(trigger: TriggerAt) -> Iterator[tuple[Path, TriggerParameterSource]]:
    """Every `src` of a trigger, its dead letter triggers left out; templates that overwrite it as well."""
    for path, inner in walk(trigger.spec):
        if not isinstance(inner, TriggerParameterSource) or path[0] == "dlqTrigger":
            continue
        if not writes_to(trigger.spec.parameters, path[1:]):
            yield (*trigger.path, *path), inner


def _present(sensor: Sensor, trigger: TriggerAt) -> frozenset[str] | None:
    """Dependencies that a firing may carry an event of; None where that is not known."""
    if trigger.is_dead_letter:
        return None
    condition = compiled(sensor, trigger)
    return frozenset(condition.names) if condition else None


def _names(
    sensor: Sensor,
    trigger: TriggerAt,
    path: Path,
    source: TriggerParameterSource,
    present: frozenset[str] | None,
) -> Iterator[Problem]:
    name, declared = source.dependency_name, [item.name for item in sensor.spec.dependencies]
    if not name:
        return
    at = (*path, "dependencyName")
    if name not in declared:
        yield error(
            at, "unknown-dependency", f"there is no dependency {name!r}", did_you_mean(name, declared)
        )
    elif present is not None and name not in present:
        said = f"the condition of {trigger.spec.template.name} does not wait for {name!r}: there is no event"
        hint = f"one of {', '.join(sorted(present))}"
        yield warning(at, "never-present", said, hint)


def _texts(path: Path, source: TriggerParameterSource) -> Iterator[Problem]:
    for name, text in (("dataTemplate", source.data_template), ("contextTemplate", source.context_template)):
        if text and (said := _template_error(text)):
            yield error((*path, name), "does-not-compile", said)
    for name, text in (("dataKey", source.data_key), ("contextKey", source.context_key)):
        try:
            compile_path(text)
        except ExpressionError as exc:
            yield error((*path, name), "does-not-compile", str(exc))


def _template_error(text: str) -> str:
    from events.lang.gotemplate import compile_template  # few manifests have templates

    try:
        compile_template(text)
    except ExpressionError as exc:
        return str(exc)
    return ""


CONTEXT = ("id", "source", "specversion", "type", "datacontenttype", "subject", "time")


def _data_key(sensor: Sensor, path: Path, source: TriggerParameterSource, index: Index) -> Iterator[Problem]:
    attribute = "" if source.data_key else source.context_key
    if re.fullmatch(r"\w+", attribute) and attribute not in CONTEXT:
        said = f"events have no attribute {attribute!r}"
        yield warning((*path, "contextKey"), "unknown-path", said, did_you_mean(attribute, CONTEXT))
    for dependency in sensor.spec.dependencies:
        if dependency.name == source.dependency_name and source.data_key:
            kind = kind_of_data(sensor.namespace, dependency, index)
            if found := check_path((*path, "dataKey"), source.data_key, kind):
                yield found


# where values go


def check_targets(sensor: Sensor, index: Index) -> Iterator[Problem]:
    """Every `dest` names a place that the trigger reads."""
    for trigger in triggers(sensor):
        if trigger.kind:
            yield from _template_targets(trigger)
            yield from _own_targets(trigger)


def _template_targets(trigger: TriggerAt) -> Iterator[Problem]:
    """`triggers[].parameters`: about the template."""
    kind, given = trigger.kind, trigger.spec.template.kinds
    at = (*trigger.path, "parameters")
    for place, parameter in enumerate(trigger.spec.parameters):
        first = next(iter(keys_of(parameter.dest)), "")
        if first not in ("", "name", kind):
            said = f"nothing reads {first!r}: the template has {kind}"
            hint = f"begin it with {kind}, or put the parameter into {kind}.parameters"
            yield warning((*at, place, "dest"), "outside-object", said, hint)
    yield from written(at, trigger.spec.parameters, {kind: given[kind]})
    for place, parameter in enumerate(trigger.spec.parameters):
        parts = keys_of(parameter.dest)
        if len(parts) == 2 and parts[0] == kind:
            yield from _typed((*at, place), kind, parts[1], parameter)


def _own_targets(trigger: TriggerAt) -> Iterator[Problem]:
    """`parameters` of the kind: about its object, or about its own fields."""
    kind = trigger.kind
    config = trigger.spec.template.configs.get((kind,))
    parameters: list[TriggerParameter] = getattr(config, "parameters", [])
    at = (*trigger.path, "template", kind, "parameters")
    if kind in OBJECTS:
        resource = resource_of(trigger)
        if resource and not resource.is_partial:
            yield from _object_targets(at, parameters, resource)
    elif kind not in FETCHED:
        yield from _config_targets(at, kind, trigger.spec.template.kinds[kind], parameters)


def _object_targets(
    at: Path, parameters: Sequence[TriggerParameter], resource: Resource
) -> Iterator[Problem]:
    tops = {"apiVersion", "kind", "metadata", *resource.raw}
    for place, parameter in enumerate(parameters):
        first = next(iter(keys_of(parameter.dest)), "")
        if first in ("k8s", "argoWorkflow", "source"):
            said = "is about the object itself: nothing in it is called " + first
            hint = "leave the start up to resource. away, or put the parameter beside template"
            yield warning((*at, place, "dest"), "outside-object", said, hint)
            return
        if first not in tops and near(first, tops, 0.75):
            yield _missed((*at, place, "dest"), first, tops)
    yield from written(at, parameters, resource.raw)


def _missed(at: Path, first: str, names: set[str]) -> Problem:
    said = f"the object has no {first!r}: it is made, and nobody reads it"
    return warning(at, "outside-object", said, did_you_mean(first, sorted(names)))


def _config_targets(
    at: Path, kind: str, raw: Any, parameters: Sequence[TriggerParameter]
) -> Iterator[Problem]:
    try:
        model: type[Model] = config_class("triggers", kind)
    except ManifestError:
        return  # told by the loader
    yield from _outside(at, parameters, [*fields(model)], kind)
    yield from written(at, parameters, raw)
    for place, parameter in enumerate(parameters):
        parts = keys_of(parameter.dest)
        if len(parts) == 1:
            yield from _typed((*at, place), kind, parts[0], parameter)


def _outside(
    at: Path, parameters: Sequence[TriggerParameter], known: Sequence[str], kind: str
) -> Iterator[Problem]:
    for place, parameter in enumerate(parameters):
        first = next(iter(keys_of(parameter.dest)), "")
        if first and first not in known:
            said, hint = f"{kind} has no field {first!r}", did_you_mean(first, known)
            yield warning((*at, place, "dest"), "outside-object", said, hint)


def _typed(at: Path, kind: str, name: str, parameter: TriggerParameter) -> Iterator[Problem]:
    """Text in a field that is no text: the config does not decode any more."""
    try:
        model: type[Model] = config_class("triggers", kind)
    except ManifestError:
        return
    field, source = fields(model).get(name), parameter.src
    if field is None or source is None or field.shape.form not in ("integer", "number", "boolean"):
        return
    if not source.use_raw_data:
        said = f"writes text, and {name} is no text: every firing fails"
        yield warning((*at, "dest"), "text-parameter", said, "add useRawData: true to src")


def written(at: Path, parameters: Sequence[TriggerParameter], document: Any) -> Iterator[Problem]:
    """What writing the parameters in order, each with some text, shows about their places."""
    try:
        text = orjson.dumps(document).decode()
    except (TypeError, UnicodeDecodeError):
        return
    sure = True
    for place, parameter in enumerate(parameters):
        if not parameter.dest:
            continue
        sure = sure and not (parameter.src and parameter.src.use_raw_data)
        try:
            changed = compile_dest(parameter.dest).set(text, "lint-writes-this")
        except EvaluationError as exc:
            if sure:
                yield error((*at, place, "dest"), "unwritable-dest", f"cannot be written: {exc.message}")
            continue
        if changed == text and _COMPLEX.match(parameter.dest):
            yield _silent((*at, place, "dest"), parameter.dest)
        elif problem := _grown((*at, place, "dest"), keys_of(parameter.dest), orjson.loads(text)):
            yield problem
        text = changed


def _silent(at: Path, dest: str) -> Problem:
    hint = "name the place with keys and indexes; it has to be there already for #, *, ? and queries"
    return warning(at, "no-such-place", f"{dest!r} finds nothing, so nothing is written", hint)


def _grown(at: Path, parts: Sequence[str], document: Any) -> Problem | None:
    """A write into an element of a list that is not there."""
    value = document
    for place, part in enumerate(parts):
        rest = parts[place + 1 :]
        if value is None or isinstance(value, dict):
            value = value.get(part) if value else None
            if value is None and _begins_list(rest) and len(rest) > 1:
                return _element(at, part, int(rest[0]), 0)
        elif isinstance(value, list) and part.isdecimal() and part.isascii() and len(part) < 6:
            if int(part) > len(value) or (int(part) == len(value) and rest):
                return _element(at, parts[place - 1] if place else "it", int(part), len(value))
            value = value[int(part)] if int(part) < len(value) else None
        else:
            return None
    return None


def _begins_list(rest: Sequence[str]) -> bool:
    return bool(rest) and rest[0].isdecimal() and rest[0].isascii() and len(rest[0]) < 6


def _element(at: Path, name: str, index: int, length: int) -> Problem:
    said = f"{name} has {length} elements, so number {index} is made with nothing else in it"
    if index > length:
        said += ", and null before it"
    hint = "write the element into the object, or count from 0"
    return warning(at, "new-element", said, hint)

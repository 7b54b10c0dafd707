"""Parameters: take a value out of an event, write it into a document.

A list of parameters is compiled once against the document it edits: where the places of all values are known
in advance, rendering is joining text segments.

Upstream  pkg/sensors/triggers/params.go; reading is gjson, writing is sjson
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from events.errors import EvaluationError, ExpressionError
from events.event import JSON, Event, Firing
from events.lang import gojson
from events.lang.document import Document
from events.lang.path import Path, Result, compile_path
from events.lang.write import Dest, compile_dest, quote
from events.sensors.filters import document
from events.sensors.moments import rfc3339_seconds

if TYPE_CHECKING:
    from events.api.sensor import TriggerParameter, TriggerParameterSource
    from events.lang.gotemplate import Template

YAML = "application/yaml"
RAW_KINDS = frozenset({"Number", "True", "False", "Null", "JSON"})
NO_VALUE = frozenset({"", "<no value>"})


class Value(NamedTuple):
    """What a source gave: text, and the JSON kind it was (`String` for templates and defaults)."""

    text: str
    kind: str


Resolve = Callable[[Firing], Value | None]
"""None: the dependency has no event in this firing and there is no default. Raises EvaluationError."""


# reading


def context_json(event: Event) -> dict[str, Any]:
    """The event's context with all its keys, in the order in which it is serialised."""
    return {
        "id": event.id,
        "source": event.source,
        "specversion": "1.0",
        "type": event.type,
        "datacontenttype": event.datacontenttype,
        "subject": event.subject,
        "time": None if event.time_ns is None else rfc3339_seconds(event.time_ns),
    }


def whole_json(event: Event) -> str:
    """Context and data (base64) as one JSON text."""
    data = None if event.data is None else b64encode(event.data).decode()
    return gojson.dumps_ordered({"context": context_json(event), "data": data}).decode()


def context_document(event: Event) -> Document:
    return Document(gojson.dumps_ordered(context_json(event)))


def data_document(event: Event) -> Document:
    """The payload as JSON, converted from YAML where the content type says so. Raises EvaluationError."""
    media = event.datacontenttype.partition(";")[0].strip().lower()
    if media == YAML:
        from events.lang.yamldata import yaml_to_json

        return Document(yaml_to_json(event.data or b""))
    if media != JSON:
        raise EvaluationError(f"the event's content type {event.datacontenttype!r} is neither JSON nor YAML")
    doc = document(event)
    if not doc.valid:
        raise EvaluationError("the event's data is not valid JSON")
    return doc


class Reader(NamedTuple):
    """One compiled `src` that looks into the data or the context of an event."""

    document: Callable[[Event], Document]
    path: Path | None
    template: Template | None
    broken: str | None
    """Why the template did not compile: told when nothing else gives a value."""

    def read(self, event: Event, firing: Firing) -> Value | None:
        """The value, or None where there is none. Raises EvaluationError for a document that is not JSON."""
        doc = self.document(event)
        if self.template is not None and (text := rendered(self.template, doc, firing)) is not None:
            return Value(text, "String")
        if self.path is None:
            return None
        found = self.path.get(doc)
        return value_of(found) if found.exists else None


def rendered(template: Template, doc: Document, firing: Firing) -> str | None:
    from events.sensors.templating import template_env

    try:
        text = template.render({"Input": doc.value}, template_env(firing.now_ns, firing.id))
    except EvaluationError:
        return None
    return None if text in NO_VALUE else text


def value_of(found: Result) -> Value:
    if found.kind == "Null":
        return Value("null", "Null")
    return Value(found.text, found.kind)


def compile_source(src: TriggerParameterSource) -> Resolve:
    """The function that finds the value of one parameter. Raises ExpressionError for a wrong `$` path."""
    name, default = src.dependency_name, src.value
    fallback = None if default is None else Value(default, "String")
    reader = compile_reader(src)
    if reader is None:
        return whole_event(name, fallback)

    def resolve(firing: Firing) -> Value | None:
        event = firing.events.get(name)
        if event is None:
            return fallback
        try:
            value = reader.read(event, firing)
        except EvaluationError:
            if fallback is None:
                raise
            return fallback
        if value is None and fallback is None:
            raise EvaluationError(missing(src, reader), dependency=name)
        return value or fallback

    return resolve


def missing(src: TriggerParameterSource, reader: Reader) -> str:
    tried = [
        f"{key} {text!r}"
        for key, text in (
            ("dataTemplate", src.data_template),
            ("dataKey", src.data_key),
            ("contextTemplate", src.context_template),
            ("contextKey", src.context_key),
        )
        if text
    ]
    reason = f" ({reader.broken})" if reader.broken else ""
    return f"no value from {', '.join(tried)} and no default{reason}"


def whole_event(name: str, fallback: Value | None) -> Resolve:
    def resolve(firing: Firing) -> Value | None:
        event = firing.events.get(name)
        if event is None or fallback is not None:
            return fallback
        return Value(whole_json(event), "String")

    return resolve


def compile_reader(src: TriggerParameterSource) -> Reader | None:
    """Data wins over context; None when the source names neither."""
    if src.data_key or src.data_template:
        return reader_of(data_document, src.data_key, src.data_template)
    if src.context_key or src.context_template:
        return reader_of(context_document, src.context_key, src.context_template)
    return None


def reader_of(doc: Callable[[Event], Document], key: str | None, template: str | None) -> Reader:
    compiled, broken = None, None
    if template:
        from events.lang.gotemplate import compile_template  # a big language, and few sensors use it

        try:
            compiled = compile_template(template)
        except ExpressionError as exc:
            broken = str(exc)
    return Reader(doc, compile_path(key) if key else None, compiled, broken)


# writing


class Edit(NamedTuple):
    """One parameter, compiled."""

    resolve: Resolve
    dest: Dest
    read: Path | None
    """Where `append` and `prepend` find the current text; None: overwrite."""
    prepend: bool
    raw: bool

    def apply(self, text: str, firing: Firing) -> str:
        value = self.resolve(firing)
        return text if value is None else self.write(text, value)

    def write(self, text: str, value: Value) -> str:
        current = self.read.get(Document(text)) if self.read else None
        if current is None or not current.exists:
            return self.dest.set_raw(text, json_of(value, self.raw))
        joined = value.text + current.text if self.prepend else current.text + value.text
        return self.dest.set(text, joined)


def json_of(value: Value, raw: bool) -> str:
    """The value as JSON text: a string, unless raw data is wanted and it was no string."""
    return value.text if raw and value.kind in RAW_KINDS else quote(value.text)


def compile_edit(parameter: TriggerParameter) -> Edit:
    operation = parameter.operation or "overwrite"
    if operation not in {"overwrite", "append", "prepend"}:
        raise ExpressionError("the operation has to be append, overwrite or prepend", operation)
    src = parameter.src
    if src is None:
        raise ExpressionError("the parameter has no src", parameter.dest)
    joins = operation != "overwrite"
    return Edit(
        compile_source(src),
        compile_dest(parameter.dest),
        compile_path(parameter.dest) if joins else None,
        operation == "prepend",
        bool(src.use_raw_data),
    )


Edits = Callable[[Firing], str]
"""Renders the edited document of a firing. Raises EvaluationError."""


def compile_edits(parameters: Sequence[TriggerParameter] | None, text: str) -> Edits:
    """All parameters in order on one document that does not change. Raises ExpressionError."""
    return renderer([compile_edit(parameter) for parameter in parameters or ()], text)


def renderer(edits: Sequence[Edit], text: str) -> Edits:
    if not edits:
        return lambda _: text

    def by_steps(firing: Firing) -> str:
        edited = text
        for edit in edits:
            edited = edit.apply(edited, firing)
        return edited

    segments = presplit(edits, text)
    return by_segments(segments, by_steps) if segments else by_steps


def by_segments(segments: Segments, by_steps: Edits) -> Edits:
    """Join the segments; a parameter without a value leaves its place as it was, so go step by step."""

    def render(firing: Firing) -> str:
        parts = list(segments.parts)
        for place, edit in segments.places:
            value = edit.resolve(firing)
            if value is None:
                return by_steps(firing)
            parts[place] = json_of(value, edit.raw)
        return "".join(parts)

    return render


class Segments(NamedTuple):
    """A document cut where values go: `parts[place]` is replaced by the value of the edit."""

    parts: tuple[str, ...]
    places: tuple[tuple[int, Edit], ...]


def presplit(edits: Sequence[Edit], text: str) -> Segments | None:
    """Write a unique marker at every place; where each is found once, the places are known for ever."""
    markers = [f"events-place-{n}-of-{len(edits)}-{len(text)}" for n in range(len(edits))]
    if any(edit.read for edit in edits) or any(marker in text for marker in markers):
        return None
    marked = text
    try:
        for edit, marker in zip(edits, markers, strict=True):
            marked = edit.dest.set(marked, marker)
    except EvaluationError:
        return None
    return cut(marked, markers, edits)


def cut(marked: str, markers: Sequence[str], edits: Sequence[Edit]) -> Segments | None:
    quoted = [f'"{marker}"' for marker in markers]
    if any(marked.count(mark) != 1 for mark in quoted):
        return None
    order = sorted(range(len(quoted)), key=lambda n: marked.index(quoted[n]))
    parts: list[str] = []
    place_of: dict[int, int] = {}
    for n in order:
        before, marked = marked.split(quoted[n])
        place_of[n] = len(parts) + 1
        parts += [before, ""]
    parts.append(marked)
    return Segments(tuple(parts), tuple((place_of[n], edit) for n, edit in enumerate(edits)))


class ResolvedEdit(msgspec.Struct):
    """A parameter whose value is known and whose document is not there yet."""

    dest: str
    text: str
    kind: str
    raw: bool
    operation: str


def compile_resolved(parameters: Sequence[TriggerParameter] | None) -> Callable[[Firing], list[ResolvedEdit]]:
    """Resolves values now, for `write_resolved` later. Raises ExpressionError."""
    made = [(parameter, compile_edit(parameter)) for parameter in parameters or ()]

    def resolve(firing: Firing) -> list[ResolvedEdit]:
        found = [(parameter, edit, edit.resolve(firing)) for parameter, edit in made]
        return [
            ResolvedEdit(parameter.dest, value.text, value.kind, edit.raw, parameter.operation)
            for parameter, edit, value in found
            if value is not None
        ]

    return resolve


def write_resolved(edits: Sequence[ResolvedEdit], text: str) -> str:
    """Write the values into a document. Raises EvaluationError."""
    for item in edits:
        joins = item.operation in {"append", "prepend"}
        dest, read = compile_dest(item.dest), compile_path(item.dest) if joins else None
        value = Value(item.text, item.kind)
        edit = Edit(lambda _: None, dest, read, item.operation == "prepend", item.raw)
        text = edit.write(text, value)
    return text


# payloads


def compile_payload(entries: Sequence[TriggerParameter] | None) -> Callable[[Firing], str | None]:
    """Builds a new document; None when no entry gave anything. An entry without `dest` is the whole body."""
    made = [(compile_edit(overwriting(entry)), not entry.dest) for entry in entries or ()]
    if not any(whole for _, whole in made):
        render = renderer([edit for edit, _ in made], "")
        return lambda firing: render(firing) or None

    def build(firing: Firing) -> str | None:
        text = ""
        for edit, whole in made:
            value = edit.resolve(firing)
            if value is None:
                continue
            if whole:
                return value.text
            text = edit.write(text, value)
        return text or None

    return build


def overwriting(entry: TriggerParameter) -> TriggerParameter:
    """`operation` has no meaning in a payload."""
    return entry.model_copy(update={"operation": "overwrite"}) if entry.operation else entry

"""From a Sensor's trigger to the function that renders its requests.

Where parameters edit the template or the config, the edited text is decoded and compiled anew; texts seen
before are kept. Everything else is compiled once.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import orjson

from events.errors import EvaluationError, EventsError, ExpressionError, ManifestError
from events.event import Firing, Request
from events.registry import adapter_class, config_class, trigger_kinds
from events.sensors.parameters import compile_edits
from events.triggers._base import Render, Trigger

if TYPE_CHECKING:
    from events.api.sensor import Trigger as TriggerSpec
    from events.api.sensor import TriggerParameter, TriggerTemplate

KEPT = 256
"""Edited configs whose compiled form is kept, per trigger."""


def kind_of(template: TriggerTemplate) -> str | None:
    """The trigger kind of a template: the first that is set, in upstream's order."""
    raw = template.kinds
    return next((kind for kind in trigger_kinds() if kind in raw), None)


def compile_render(spec: TriggerSpec) -> Render:
    """Raises ExpressionError for what can never work."""
    template = spec.template
    kind = kind_of(template)
    if kind is None:
        raise ExpressionError("the template names no trigger type", template.name)
    try:
        cls = adapter_class("triggers", kind)
        if cls is None:
            raise ExpressionError(f"trigger type {kind} is not available in this version", template.name)
        return renderer(cls, kind, template.kinds[kind], spec.parameters or [])
    except ManifestError as exc:
        raise ExpressionError(exc.message, kind) from exc


def renderer(cls: type[Trigger[Any, Any]], kind: str, raw: Any, parameters: list[TriggerParameter]) -> Render:
    inner, outer = split(cls, kind, parameters)
    if outer:
        return edited(outer, {kind: raw}, lambda changed: by_config(cls, kind, changed[kind], inner))
    return by_config(cls, kind, raw, inner)


def split(
    cls: type[Trigger[Any, Any]], kind: str, parameters: list[TriggerParameter]
) -> tuple[list[TriggerParameter], list[TriggerParameter]]:
    """Template parameters that only touch the object in `source.resource` can be applied to it directly."""
    prefix = f"{kind}.source.resource."
    if cls.resource and all(p.dest.startswith(prefix) and len(p.dest) > len(prefix) for p in parameters):
        return [p.model_copy(update={"dest": p.dest.removeprefix(prefix)}) for p in parameters], []
    return [], parameters


def by_config(cls: type[Trigger[Any, Any]], kind: str, raw: Any, first: list[TriggerParameter]) -> Render:
    """`first` are further parameters of the resource, applied before its own."""
    model = config_class("triggers", kind)
    cfg = model.model_validate(raw)
    if cls.resource:
        return cls.compile(cfg.model_copy(update={"parameters": [*first, *cfg.parameters]}))
    if not cfg.parameters:
        return cls.compile(cfg)
    rest = {key: value for key, value in raw.items() if key != "parameters"}
    return edited(cfg.parameters, rest, lambda changed: cls.compile(model.model_validate(changed)))


def edited(parameters: list[TriggerParameter], document: Any, compiled: Callable[[Any], Render]) -> Render:
    """Edit the document for each firing, then render with what it became."""
    edit = compile_edits(parameters, orjson.dumps(document).decode())

    @lru_cache(KEPT)
    def rendered(text: str) -> Render:
        try:
            return compiled(orjson.loads(text))
        except (ValueError, KeyError, EventsError) as exc:
            raise EvaluationError(f"the parameters make a template that cannot be used: {exc}") from exc

    def render(firing: Firing) -> Request:
        return rendered(edit(firing))(firing)

    return render

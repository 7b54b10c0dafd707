"""From a Sensor's trigger to the function that renders its requests.

Where parameters edit the template or the config, the edited text is decoded and compiled anew; texts seen
before are kept. Everything else is compiled once.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import orjson
from pydantic import ValidationError

from events.errors import EvaluationError, EventsError, ExpressionError, ManifestError
from events.event import Firing, Request
from events.registry import adapter_class, config_class, trigger_kinds
from events.sensors.parameters import compile_edits
from events.triggers._base import Render, Trigger
from events.triggers._fetched import compile_fetched, is_fetched
from events.triggers._text import decoded

if TYPE_CHECKING:
    from events.api.sensor import Trigger as TriggerSpec
    from events.api.sensor import TriggerParameter, TriggerTemplate

KEPT = 256
"""Edited configs whose compiled form is kept, per trigger."""

KEPT_SIZE = 16_384
"""Characters of an edited config above which its compiled form is not kept."""


def kind_of(template: TriggerTemplate) -> str | None:
    """The trigger kind of a template: the first that is set, in upstream's order."""
    raw = template.kinds
    return next((kind for kind in trigger_kinds() if kind in raw), None)


def available(template: TriggerTemplate) -> bool:
    """False for a kind that this version knows and does not run."""
    kind = kind_of(template)
    try:
        return kind is None or adapter_class("triggers", kind) is not None
    except ManifestError:  # a missing extra: told when the trigger is compiled
        return True


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
    inner, outer = split(cls, kind, raw, parameters)
    if outer:
        return edited(outer, {kind: raw}, lambda changed: by_config(cls, kind, changed[kind], inner))
    return by_config(cls, kind, raw, inner)


def split(
    cls: type[Trigger[Any, Any]], kind: str, raw: Any, parameters: list[TriggerParameter]
) -> tuple[list[TriggerParameter], list[TriggerParameter]]:
    """Template parameters that only touch the object in `source.resource` can be applied to it directly."""
    prefix = f"{kind}.source.resource."
    if direct(cls, raw) and all(p.dest.startswith(prefix) and len(p.dest) > len(prefix) for p in parameters):
        return [p.model_copy(update={"dest": p.dest.removeprefix(prefix)}) for p in parameters], []
    return [], parameters


def direct(cls: type[Trigger[Any, Any]], raw: Any) -> bool:
    """The object is the one in the manifest: neither another source nor a live object takes its place."""
    if not (cls.resource and isinstance(raw, dict)) or raw.get("liveObject"):
        return False
    source = raw.get("source")
    return isinstance(source, dict) and {name for name, value in source.items() if value is not None} == {
        "resource"
    }


def by_config(cls: type[Trigger[Any, Any]], kind: str, raw: Any, first: list[TriggerParameter]) -> Render:
    """`first` are further parameters of the resource, applied before its own."""
    model = config_class("triggers", kind)
    cfg = model.model_validate(raw)
    if cls.resource:
        cfg = cfg.model_copy(update={"parameters": [*first, *cfg.parameters]})
        return compile_fetched(cls, cfg) if is_fetched(cfg.source) else cls.compile(cfg)
    if not cfg.parameters:
        return cls.compile(cfg)
    rest = {key: value for key, value in raw.items() if key != "parameters"}
    return edited(cfg.parameters, rest, lambda changed: cls.compile(model.model_validate(changed)))


def edited(parameters: list[TriggerParameter], document: Any, compiled: Callable[[Any], Render]) -> Render:
    """Edit the document for each firing, then render with what it became."""
    edit = compile_edits(parameters, orjson.dumps(document).decode())

    def made(text: str) -> Render:
        try:
            return compiled(decoded(text))
        except ValidationError as exc:
            raise EvaluationError(f"{UNUSABLE}: {complaints(exc)}") from exc
        except (ValueError, KeyError, TypeError, RecursionError, EventsError) as exc:
            raise EvaluationError(f"{UNUSABLE}: {exc}") from exc

    kept = lru_cache(KEPT)(made)

    def render(firing: Firing) -> Request:
        text = edit(firing)
        return (kept if len(text) <= KEPT_SIZE else made)(text)(firing)

    return render


UNUSABLE = "the parameters make a template that cannot be used"


def complaints(error: ValidationError) -> str:
    """What is wrong with which fields, without the values."""
    found = error.errors(include_url=False, include_input=False, include_context=False)
    return "; ".join(f"{'.'.join(map(str, one['loc']))}: {one['msg']}".removeprefix(": ") for one in found)

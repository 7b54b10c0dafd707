"""The objects inside triggers, and which places of them parameters write."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from events.api.origin import Key, Path
from events.errors import ExpressionError
from events.tools.lint.subjects import TriggerAt, as_map
from events.triggers._resource import inline

if TYPE_CHECKING:
    from events.api.sensor import TriggerParameter

_KEY = re.compile(r"((?:[^\\.]|\\.?)*+)(?:\.|\Z)", re.DOTALL)
_SEARCH = re.compile(r"(?:[^\\#@*?|]|\\.?)*+[#@*?|]", re.DOTALL)
CREATING = ("", "create", "update", "submit")


class Resource(NamedTuple):
    """The object that a trigger creates, as it stands in the manifest, before parameters."""

    raw: dict[str, Any]
    path: Path
    """Where it stands. For `inline` this is the place of the text."""
    is_inline: bool
    is_partial: bool
    """Only a part of an object that is there already: patch, delete, and what names a workflow."""
    dests: tuple[tuple[str, ...], ...]
    """Places in the object that parameters write."""
    arguments: tuple[str, ...] = ()
    """`args` of argoWorkflow."""

    def writes(self, path: Iterable[Key]) -> bool:
        """Whether a parameter writes this place, something in it or something around it."""
        wanted = tuple(map(str, path))
        return any(_overlaps(dest, wanted) for dest in self.dests)


def resource_of(trigger: TriggerAt) -> Resource | None:
    """The object of a k8s or argoWorkflow trigger; None where it is not in the manifest."""
    kind, config = trigger.kind, trigger.spec.template.configs.get((trigger.kind,))
    source = as_map(as_map(trigger.spec.template.kinds.get(kind)).get("source"))
    if kind not in ("k8s", "argoWorkflow") or config is None:
        return None
    at = (*trigger.path, "template", kind, "source")
    where = next((name for name in ("inline", "resource") if source.get(name) is not None), None)
    raw = _decoded(source.get("inline")) if where == "inline" else source.get("resource")
    others = any(source.get(name) is not None for name in ("s3", "file", "url", "git", "configmap"))
    if where is None or not isinstance(raw, dict) or (others and where == "resource"):
        return None
    partial = getattr(config, "operation", "") not in CREATING or bool(getattr(config, "live_object", False))
    dests = _dests(trigger, kind, where, getattr(config, "parameters", []))
    arguments = tuple(getattr(config, "args", ()))
    return Resource(raw, (*at, where), where == "inline", partial, dests, arguments)


def _decoded(text: object) -> Any:
    try:
        return inline(text) if isinstance(text, str) else None
    except ExpressionError:
        return None  # told where it is compiled


def _dests(
    trigger: TriggerAt, kind: str, where: str, own: Sequence[TriggerParameter]
) -> tuple[tuple[str, ...], ...]:
    found = [keys_of(parameter.dest) for parameter in own]
    prefix = (kind, "source", where)
    outer = [keys_of(parameter.dest) for parameter in trigger.spec.parameters]
    return (*found, *(keys[3:] for keys in outer if keys[:3] == prefix[: len(keys)]))


def keys_of(dest: str) -> tuple[str, ...]:
    """The keys of a path that is written, up to the first that searches: there it may be any."""
    keys: list[str] = []
    for part in _KEY.findall(dest):
        if _SEARCH.match(part):
            break
        keys.append(re.sub(r"\\(.?)", r"\1", part.removeprefix(":")))
    return tuple(filter(None, keys))


def writes_to(parameters: Sequence[TriggerParameter], path: Sequence[Key]) -> bool:
    """Whether one of the parameters writes a place, something in it or something around it."""
    wanted = tuple(map(str, path))
    return any(_overlaps(keys_of(parameter.dest), wanted) for parameter in parameters)


def _overlaps(one: Sequence[str], other: Sequence[str]) -> bool:
    shorter = min(len(one), len(other))
    return tuple(one[:shorter]) == tuple(other[:shorter])

"""The configs of the kinds inside EventSources and Sensors: each is read by the model of its module.

Only the modules of kinds that are used are imported. A kind without adapter, or whose library is not
installed, is a warning; the rest of its object loads.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from events.api.model import Model, Problem
from events.api.origin import Lines, Path
from events.errors import ManifestError, MissingExtra
from events.manifest.decode import decode
from events.manifest.findings import Report
from events.manifest.tidy import tidy
from events.registry import Group, adapter_class, config_class, is_kind, trigger_kinds

Configs = dict[Path, Model]
"""Config models by their paths in the object."""


def read_events(spec: dict[str, Any], report: Report) -> Configs:
    """The configs of all events of a raw EventSource.spec; tidied configs replace the raw ones."""
    configs: Configs = {}
    for kind in [key for key in spec if is_kind("sources", key)]:
        if not isinstance(spec[kind], dict):
            continue  # EventSourceSpec tells it
        spec[kind] = dict(spec[kind])
        for name in spec[kind]:
            path = ("spec", kind, name)
            _read("sources", spec[kind], path, f"event {name!r}", configs, report)
    return configs


def read_triggers(spec: dict[str, Any], report: Report) -> Configs:
    """The configs of all triggers of a raw Sensor.spec; tidied configs replace the raw ones."""
    configs: Configs = {}
    for path, template in _templates(spec):
        kinds = [kind for kind in trigger_kinds() if template.get(kind) is not None]
        if not kinds:
            hint = f"write one of {', '.join(trigger_kinds())}"
            report.add(Problem("", "says nothing to do", hint, "no-trigger-type", "warning"), path)
            continue
        used, *ignored = kinds
        for kind in ignored:
            hint = "remove one of them"
            report.add(Problem(kind, f"is not used: {used} wins", hint, "ignored", "warning"), path)
        _read("triggers", template, (*path, used), f"trigger {template.get('name')!r}", configs, report)
    return configs


def _templates(spec: dict[str, Any]) -> Iterator[tuple[Path, dict[str, Any]]]:
    triggers = spec.get("triggers")
    for index, trigger in enumerate(triggers if isinstance(triggers, list) else ()):
        path: Path = ("spec", "triggers", index)
        while isinstance(trigger, dict):
            if isinstance(trigger.get("template"), dict):
                yield (*path, "template"), trigger["template"]
            trigger, path = trigger.get("dlqTrigger"), (*path, "dlqTrigger")


def _read(
    group: Group, holder: dict[str, Any], path: Path, who: str, configs: Configs, report: Report
) -> None:
    """Read one config in place; `path` ends with its key in `holder`, `who` names it in messages."""
    kind = str(path[1] if group == "sources" else path[-1])
    key = str(path[-1])
    raw = {} if holder[key] is None else holder[key]
    if not isinstance(raw, dict):
        report.add(Problem("", "is not a map", "", "type"), path)
        return
    try:
        model = config_class(group, kind)
    except ManifestError as exc:
        report.add(Problem("", exc.message, code="broken-kind"), path)
        return
    holder[key], problems = tidy(model, raw, _lines(report, path))
    made = decode(model, holder[key])
    if isinstance(made, Model):
        configs[path] = made
    else:
        problems += made
    for problem in problems:
        report.add(problem, path)
    _check_adapter(group, kind, path, who, report)


def _check_adapter(group: Group, kind: str, path: Path, who: str, report: Report) -> None:
    try:
        missing = adapter_class(group, kind) is None
    except MissingExtra as exc:
        report.add(Problem("", f"{who} cannot run here", exc.message, "missing-extra", "warning"), path)
        return
    if missing:
        said = f"{kind} is not available in this version: {who} does not run"
        report.add(Problem("", said, "", "kind-not-available", "warning"), path)


def _lines(report: Report, path: Path) -> Lines | None:
    lines = report.origin.lines
    for key in path:
        lines = lines.inner.get(key) if lines else None
    return lines

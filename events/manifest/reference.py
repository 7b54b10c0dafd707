"""The reference pages of adapters: `python -m events.manifest.reference [FOLDER]` writes them.

Made from the docstring of each module and the descriptions of its config's fields; nothing is by hand.
"""

from __future__ import annotations

import importlib
import re
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from events.api.model import Model
from events.api.shapes import FieldShape, Shape, fields
from events.errors import MissingExtra
from events.registry import Group, adapter_class, config_class, module_name, source_kinds, trigger_kinds

HEAD = "<!-- Generated: python -m events.manifest.reference -->\n"

INTRODUCTIONS: dict[Group, str] = {
    "sources": "Each key below stands under `spec` of an EventSource and holds named events: "
    "`spec.<kind>.<event name>`, which is what `eventSourceName` and `eventName` of a dependency refer to.",
    "triggers": "Each key below stands in `template` of a trigger of a Sensor, beside its `name` and "
    "`conditions`. Where a template has several, the first one in this order runs.",
}

LABEL = re.compile(r"^([A-Z]\w+) {2,}", re.MULTILINE)
"""A labelled line of a module's docstring: `Payload   {...}`."""

HIDDEN = frozenset({"Upstream"})


def files() -> dict[str, str]:
    """File name -> text of every page."""
    return {
        "sources.md": page("sources", "Event sources", source_kinds()),
        "triggers.md": page("triggers", "Triggers", trigger_kinds()),
    }


def page(group: Group, title: str, kinds: Iterable[str]) -> str:
    """All kinds of a group, then the structures that they use."""
    kinds = tuple(kinds)
    links = ", ".join(f"[{kind}](#{kind.lower()})" for kind in kinds)
    parts = [f"{HEAD}# {title}", INTRODUCTIONS[group], links]
    structures: dict[str, type[Model]] = {}
    for kind in kinds:
        config = config_class(group, kind)
        parts += [f"## {kind}", *about(group, kind), field_table(config)]
        collect(config, structures)
    parts.append("## Structures")
    for name, model in sorted(structures.items()):
        parts += [f"### {name}", first_paragraph(model.__doc__ or ""), field_table(model)]
    return "\n\n".join(part for part in parts if part) + "\n"


def about(group: Group, kind: str) -> Iterator[str]:
    """What the docstring of the module says, and whether the kind runs."""
    text = importlib.import_module(module_name(group, kind)).__doc__ or ""
    summary, _, labelled = text.strip().partition("\n\n")
    yield sentence(summary.partition(": ")[2] or summary)
    if not runs(group, kind):
        yield "**Read and checked, not run yet.**"
    rows = [f"- {label}: {code(value)}" for label, value in labels(labelled) if label not in HIDDEN]
    yield "\n".join(rows)


def runs(group: Group, kind: str) -> bool:
    try:
        return adapter_class(group, kind) is not None
    except MissingExtra:
        return True


def labels(text: str) -> Iterator[tuple[str, str]]:
    """(label, text on one line) of labelled lines."""
    _, *parts = LABEL.split(text)
    for label, value in zip(parts[::2], parts[1::2], strict=True):
        yield label, " ".join(value.partition("\n\n")[0].split())


def code(text: str) -> str:
    """Paths and shapes in backquotes, so that Markdown shows them as they are."""
    if "`" in text:
        return text
    found = re.match(r"(EventSource\.\S+|Sensor\.\S+|\{[^{}]*\})", text)
    return text if found is None else f"`{found.group()}`{text[found.end() :]}"


def sentence(text: str) -> str:
    line = " ".join(text.split())
    return f"{line[:1].upper()}{line[1:].rstrip('.')}."


def first_paragraph(text: str) -> str:
    return " ".join(text.strip().partition("\n\n")[0].split())


def field_table(model: type[Model]) -> str:
    """One row per field: name, type, default, meaning."""
    rows = [field_row(field) for field in fields(model).values()]
    if not rows:
        return ""
    return "\n".join(["| field | type | default | meaning |", "|---|---|---|---|", *rows])


def field_row(field: FieldShape) -> str:
    default = "**required**" if field.required else default_text(field.default)
    cells = (f"`{field.name}`", type_text(field.shape), default, field.description)
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


def default_text(value: Any) -> str:
    if value is None or value in ("", [], {}) or isinstance(value, Model):
        return ""
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


def type_text(shape: Shape) -> str:
    """`list of text`, or a link to the structure."""
    if shape.model is not None:
        return f"[{shape.model.__name__}](#{shape.model.__name__.lower()})"
    if shape.item is not None:
        return f"{shape.form} of {type_text(shape.item)}"
    return shape.form


def collect(model: type[Model], found: dict[str, type[Model]]) -> None:
    """Add the models that the fields of a model refer to, at any depth."""
    for field in fields(model).values():
        shape: Shape | None = field.shape
        while shape is not None:
            if shape.model is not None and shape.model.__name__ not in found:
                found[shape.model.__name__] = shape.model
                collect(shape.model, found)
            shape = shape.item


def main(folder: str = "docs/reference") -> None:
    """Write the pages into the folder."""
    Path(folder).mkdir(parents=True, exist_ok=True)
    for name, text in files().items():
        Path(folder, name).write_text(text)


if __name__ == "__main__":
    main(*sys.argv[1:])

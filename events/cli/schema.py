"""`events schema`: JSON Schemas of EventSource, Sensor and EventBus, for editors.

Set up    events schema --out .schemas
VS Code   with the YAML extension, in .vscode/settings.json:
          {"yaml.schemas": {".schemas/events.json": ["events/**/*.yaml"]}}
Others    any editor with yaml-language-server, in the first line of a manifest:
          # yaml-language-server: $schema=.schemas/sensor.json
Mixed     events.json fits files that hold several kinds: each document is checked as what it says it is
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from events.cli._shared import OK, USAGE, add_output, command, fail
from events.cli._show import say, show_json

NAMES = ("EventSource", "Sensor", "EventBus")
ALL = "events"
"""The schema of all kinds together."""

EXAMPLE = """events schema sensor > sensor.json
events schema --out .schemas"""


def register(commands: Any) -> None:
    parser = command(
        commands, "schema", "print the JSON Schema of a kind, for the YAML language server", EXAMPLE, run
    )
    parser.add_argument(
        "kind", metavar="KIND", nargs="?",
        help=f"{', '.join(NAMES)}, or {ALL} for all of them in one; with --out all when absent",
    )  # fmt: skip
    parser.add_argument("--out", metavar="FOLDER", help="write files into this folder instead")
    add_output(parser)


def run(args: argparse.Namespace) -> int:
    names = [known(args.kind)] if args.kind else [*NAMES, ALL]
    if args.out:
        files = write(Path(args.out), names)
        if args.output == "json":
            show_json([str(file) for file in files])
        else:
            for file in files:
                say(f"wrote {file}")
    elif args.kind is None:
        fail(USAGE, f"name a kind ({', '.join(NAMES)}, {ALL}), or a folder with --out")
    else:
        show_json(schema(names[0]))
    return OK


def known(kind: str) -> str:
    """The kind in its own spelling, also of its plural. Raises Exit."""
    spellings = {f"{name.lower()}{ending}": name for name in (*NAMES, ALL) for ending in ("", "s", "es")}
    name = spellings.get(kind.lower())
    if name is None:
        fail(USAGE, f"there is no kind {kind}: there are {', '.join(NAMES)}, and {ALL} for all")
    return name


def schema(name: str) -> dict[str, Any]:
    from events.manifest.schemas import KINDS, editor

    made = {kind.__name__: editor(kind) for kind in KINDS}
    return together(made) if name == ALL else made[name]


def together(schemas: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """One schema for documents of any kind: those of other groups are let alone."""
    from events.api.common import API_VERSION

    definitions: dict[str, Any] = {}
    for made in schemas.values():
        definitions.update(made["$defs"])
    rules = [
        {
            "if": {
                "required": ["apiVersion", "kind"],
                "properties": {"apiVersion": {"const": API_VERSION}, "kind": {"const": name}},
            },
            "then": {"$ref": made["$ref"]},
        }
        for name, made in schemas.items()
    ]
    dialect = next(iter(schemas.values()))["$schema"]
    return {"$schema": dialect, "type": "object", "allOf": rules, "$defs": definitions}


def write(folder: Path, names: list[str]) -> list[Path]:
    """Raises Exit."""
    files = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name in names:
            files.append(folder / f"{name.lower()}.json")
            files[-1].write_text(json.dumps(schema(name), indent=2) + "\n")
    except OSError as exc:
        fail(USAGE, f"cannot write {exc.filename or folder}: {exc.strerror}")
    return files

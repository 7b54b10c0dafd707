"""`events eval`: one expression on one event, to try it before it goes into a manifest."""

from __future__ import annotations

import argparse
import json
import time
from typing import TYPE_CHECKING, Any

from events.cli._shared import FAILED, OK, USAGE, Exit, add_output, command
from events.cli._show import complain, say, show_json
from events.cli.send import read

if TYPE_CHECKING:
    from events.errors import EvaluationError, ExpressionError

EXAMPLE = """events eval --path body.ref --event push.json
events eval --expr 'ref == "refs/heads/main"' --field ref=body.ref --event push.json
events eval --template '{{ .Input.body.after | trunc 7 }}' --event push.json
events eval --jq '{ref: .body.ref}' --event push.json
events eval --source-filter 'body.forced == true' --event push.json"""

LANGUAGES = {
    "path": "a path (gjson, or JSONPath from $ on)",
    "expr": "an expression as in filters.exprs",
    "template": "a Go template as in dataTemplate; the payload is .Input",
    "jq": "a jq program as in transform",
    "lua": "a Lua script as in transform and filters.script",
    "source-filter": "an expression as in the filter of an event source",
}


def register(commands: Any) -> None:
    parser = command(commands, "eval", "try one expression on an event", EXAMPLE, run)
    choice = parser.add_mutually_exclusive_group(required=True)
    for name, what in LANGUAGES.items():
        choice.add_argument(f"--{name}", metavar="TEXT", help=what)
    parser.add_argument(
        "-e", "--event", metavar="FILE", help="CloudEvent or payload, - for stdin (default: an empty object)"
    )
    parser.add_argument(
        "--field", metavar="NAME=PATH", action="append", default=[], type=pair,
        help="variable of --expr; those without one are read as paths",
    )  # fmt: skip
    add_output(parser)


def pair(text: str) -> tuple[str, str]:
    """NAME=PATH. Raises ValueError."""
    name, equals, path = text.partition("=")
    if not (name and equals and path):
        raise ValueError(text)
    return name, path


def run(args: argparse.Namespace) -> int:
    from events.errors import EvaluationError, ExpressionError
    from events.tools.trial.evaluate import evaluate

    language, text = chosen(args)
    data = payload(args.event)
    try:
        value = evaluate(language, text, data, time.time_ns(), dict(args.field))
    except ExpressionError as exc:
        return told(args, exc, USAGE)
    except EvaluationError as exc:
        return told(args, exc, FAILED)
    if args.output == "json":
        show_json({"kind": value.kind, "value": value.value})
    else:
        say(f"{value.kind}: {shown(value.value)}")
    return OK


def chosen(args: argparse.Namespace) -> tuple[str, str]:
    for name in LANGUAGES:
        key = name.replace("-", "_")
        if getattr(args, key) is not None:
            return key, getattr(args, key)
    raise Exit(USAGE, "there is no expression")


def payload(file: str | None) -> bytes:
    """Raises Exit."""
    from events.tools.trial.given import payload_of

    if file is None:
        return b"{}"
    try:
        return payload_of(read(file))
    except ValueError as exc:
        raise Exit(USAGE, f"{file}: {exc}") from exc


def shown(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, indent=2, default=str)


def told(args: argparse.Namespace, error: ExpressionError | EvaluationError, code: int) -> int:
    """What is wrong, and where: the place in the text is marked."""
    position = getattr(error, "position", None)
    if args.output == "json":
        show_json({"error": error.message, "position": position})
        return code
    complain(f"events eval: {error.message}")
    if position is not None:
        for line in marked(error.expression or "", position):
            complain(f"  {line}")
    return code


def marked(text: str, position: int) -> list[str]:
    """The line of the text that has the position, and a mark below the place."""
    start = text.rfind("\n", 0, position) + 1
    line = text[start:].partition("\n")[0]
    return [line, f"{' ' * (position - start)}^"]

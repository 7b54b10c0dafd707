"""Conformance family `templates`: Go templates with Sprig, `.Input` being the decoded fixture.

Outcome   ok with `text`, and with `hex` where the output is not valid UTF-8; or error, also for one that does
          not compile. Time and random source are fixed
"""

from __future__ import annotations

import random
from datetime import UTC, datetime
from typing import Any

from events.errors import EvaluationError, ExpressionError
from events.lang.document import Document, with_floats
from events.lang.gotemplate import Env, compile_template
from events.lang.govalue import to_bytes


def run(given: dict[str, Any], fixtures: dict[str, Any]) -> dict[str, Any]:
    """Render one template; see tests/conformance/README.md for the shapes."""
    text = given["data"] if "data" in given else fixtures[given["fixture"]]
    env = Env(datetime(2024, 1, 1, tzinfo=UTC), random.Random(1))  # noqa: S311 - a fixed seed is the point
    try:
        data = {"Input": with_floats(Document(text).tree)}
        output = compile_template(given["template"]).render(data, env)
    except (ExpressionError, EvaluationError):
        return {"outcome": "error"}
    return ok(to_bytes(output))


def ok(output: bytes) -> dict[str, Any]:
    """The outcome of a rendered template."""
    shown = {"outcome": "ok", "text": output.decode(errors="replace")}
    return shown if shown["text"].encode() == output else {**shown, "hex": output.hex()}

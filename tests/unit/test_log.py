"""Logs: JSON for machines, lines for people."""

from __future__ import annotations

import io
import json
import logging

import pytest

from events.observability.log import set_up

pytestmark = pytest.mark.usefixtures("logging_restored")


def logged(style: str, level: str = "info") -> str:
    out = io.StringIO()
    set_up(level, style, out)
    log = logging.getLogger("events.test")
    log.debug("not shown")
    log.info("stored %d", 3, extra={"bus": "default"})
    try:
        raise ValueError("broken")
    except ValueError:
        log.exception("failed")
    logging.getLogger("thirdparty").info("not shown")
    return out.getvalue()


def test_json_lines_have_fields_and_the_traceback():
    first, second = map(json.loads, logged("json").splitlines())
    assert (first["level"], first["msg"], first["bus"], first["logger"]) == (
        "info",
        "stored 3",
        "default",
        "events.test",
    )
    assert first["ts"].endswith("+00:00")
    assert "ValueError: broken" in second["error"]


def test_without_a_terminal_auto_is_json():
    assert logged("auto").startswith("{")


def test_lines_for_people():
    text = logged("text")
    assert "stored 3  bus=default" in text
    assert "error: failed" in text
    assert "\033[" not in text, "no colours where there is no terminal"


def test_level_debug_shows_ours_only():
    text = logged("text", "debug")
    assert "debug: not shown" in text
    assert text.count("not shown") == 1

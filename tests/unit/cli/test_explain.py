"""`events explain` for a person: what happened first, then why."""

from __future__ import annotations

from typing import Any

from events.cli._show import clock, iso_moment
from events.cli.explain import LONGEST, lines_of

STORED = "2026-01-15T09:30:00.250+00:00"
NOW = 1_768_469_400_000_000_000


def account(*triggers: dict[str, Any], note: str = "") -> dict[str, Any]:
    event = {"id": "e1", "source": "gh", "subject": "push", "type": "github", "size": 120, "stored": STORED}
    return {"event": event, "bus": "default/default", "note": note, "triggers": list(triggers)}


def trigger(result: str, reason: str = "", **more: Any) -> dict[str, Any]:
    return {"sensor": "ci", "trigger": "build", "result": result, "reason": reason, "steps": {}, "hints": {},
            "decisions": [], **more}  # fmt: skip


def step(verdict: str, **more: Any) -> dict[str, Any]:
    return {"field": "data.0", "verdict": verdict, "expression": "body.ref", "wanted": "string = main",
            "found": "main", "error": "", **more}  # fmt: skip


def decision(result: str, **more: Any) -> dict[str, Any]:
    return {"time_ns": NOW, "result": result, "firing": "f1", **more}


def told(*triggers: dict[str, Any], note: str = "") -> list[str]:
    return lines_of(account(*triggers, note=note))


def test_the_event_comes_first():
    assert told(note="no sensor has a dependency on gh/push") == [
        "event e1",
        "  from    gh/push (github), 120 bytes",
        f"  stored  {iso_moment(STORED)} on bus default/default",
        "",
        "no sensor has a dependency on gh/push",
    ]


def test_fired():
    lines = told(
        trigger(
            "fired", "Workflow/default/build-x created", steps={"push": [step("pass")], "tag": []},
            decisions=[decision("fired", attempt=1, reason="Workflow/default/build-x created")],
        )
    )[4:]  # fmt: skip
    assert lines == [
        "✓ ci.build fired: Workflow/default/build-x created",
        "    dependency push:",
        '      ✓ data.0 body.ref: found "main", wanted string = main',
        "    dependency tag has no filters",
        "    firing f1:",
        f"      {clock(NOW)} fired, attempt 1: Workflow/default/build-x created",
    ]


def test_filtered_shows_the_value_found_beside_the_one_wanted():
    lines = told(
        trigger("filtered", "why", steps={"push": [step("reject", found="dev"), step("reject", found=None)]})
    )
    assert lines[4] == "✗ ci.build filtered: why"
    assert lines[6] == '      ✗ data.0 body.ref: found "dev", wanted string = main'
    assert lines[7] == "      ✗ data.0 body.ref: found nothing, wanted string = main"


def test_waiting():
    lines = told(
        trigger("waiting", "waits for b", decisions=[decision("waiting", firing=None, reason="waits for b")])
    )
    assert lines[4:] == ["… ci.build waiting: waits for b", f"      {clock(NOW)} waiting: waits for b"]


def test_an_error_is_told_below_its_step():
    lines = told(
        trigger("filter_error", "no such path", steps={"push": [step("error", error="no such path")]})
    )
    assert lines[4] == "✗ ci.build filter_error: no such path"
    assert lines[6].startswith("      ! data.0 body.ref")
    assert lines[7] == "          no such path"


def test_a_dead_letter_shows_its_attempts_from_the_first_to_the_last():
    attempts = [
        decision("dead_lettered", attempt=2, reason="status 500"),
        decision("retrying", attempt=1, reason="status 500"),
    ]
    assert told(trigger("dead_lettered", "status 500", decisions=attempts))[5:] == [
        "    firing f1:",
        f"      {clock(NOW)} retrying, attempt 1: status 500",
        f"      {clock(NOW)} dead_lettered, attempt 2: status 500",
    ]


def test_scripts_and_large_values_stay_on_one_short_line():
    script = "local x = 1\n" * 50
    lines = told(
        trigger("fired", steps={"push": [step("pass", field="transform", expression=script, wanted="",
                                              found="y" * 500)]})
    )[4:]  # fmt: skip
    assert all("\n" not in line and len(line) < 3 * LONGEST for line in lines)
    assert lines[2].startswith("      ✓ transform local x = 1 local x = 1")

"""Running test files: expectations against decisions, reports."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import orjson
import pytest

from events.errors import NotThere
from events.event import Event
from events.tools.trial.cases import load_cases
from events.tools.trial.check import Report, run_case
from events.tools.trial.difftext import lines_of
from events.tools.trial.junit import junit


def nothing_recorded(event: str) -> Event:
    raise NotThere(f"no event {event}")


@pytest.fixture
def check(tmp_path: Path, made: Any) -> Any:
    def check_case(case: dict[str, Any], *objects: Any, find: Any = nothing_recorded) -> Report:
        manifests = objects or (made.sensor(),)
        (tmp_path / "m.yaml").write_bytes(b"\n---\n".join(map(orjson.dumps, manifests)))
        file = tmp_path / "x.test.yaml"
        file.write_bytes(orjson.dumps({"manifests": "m.yaml", **case}))
        (loaded,) = load_cases(file)
        return run_case(loaded, find)

    return check_case


ONE = {"id": "one", "source": "hook", "subject": "a", "data": {"n": 1}}
FIRES = {"sensor": "s", "trigger": "call"}


def test_expectation_that_is_met_passes(check: Any) -> None:
    report = check({"events": [ONE], "expect": [{**FIRES, "after": "one", "request": {"body": {"n": "1"}}}]})
    assert report.error == ""
    assert report.passed


def test_difference_in_the_request_is_told_by_path(check: Any) -> None:
    report = check({"events": [ONE], "expect": [{**FIRES, "request": {"body": {"n": "2"}, "method": "GET"}}]})
    (one,) = report.checks
    assert [(d.path, d.wanted, d.got) for d in one.differences] == [
        ("request.body.n", "2", "1"),
        ("request.method", "GET", "POST"),
    ]


def test_object_of_a_request_without_one_is_a_difference(check: Any) -> None:
    report = check({"events": [ONE], "expect": [{**FIRES, "object": {"kind": "Workflow"}}]})
    assert report.checks[0].differences[0].path == "object"


def test_another_decision_is_told_with_its_reason(check: Any, made: Any) -> None:
    wanted = {"data": [{"path": "n", "type": "number", "value": ["5"]}]}
    sensor = made.sensor(dependencies=[made.dependency("a", filters=wanted)])
    (one,) = check({"events": [ONE], "expect": [FIRES]}, sensor).checks
    assert [(d.path, d.wanted, d.got) for d in one.differences] == [("decision", "fired", "filtered")]
    assert "wanted number = 5" in one.got


def test_reason_is_a_pattern(check: Any, made: Any) -> None:
    sensor = made.sensor(dependencies=[made.dependency("a"), made.dependency("b")])
    case = {"events": [ONE], "expect": [{**FIRES, "decision": "waiting", "reason": "for b$"}]}
    assert check(case, sensor).passed
    case["expect"] = [{**FIRES, "decision": "waiting", "reason": "^b"}]
    (one,) = check(case, sensor).checks
    assert [d.path for d in one.differences] == ["reason"]


def test_event_that_reaches_no_trigger_fails_the_expectation(check: Any) -> None:
    other = {**ONE, "subject": "zzz"}
    (one,) = check({"events": [other], "expect": [FIRES]}).checks
    assert (one.passed, one.got) == (False, "no event reached this trigger")


def test_steps_let_time_pass_and_are_named_by_number(check: Any, made: Any) -> None:
    limited = made.sensor(triggers=[made.trigger(rateLimit={"unit": "Minute", "requestsPerUnit": 1})])
    report = check(
        {
            "events": [ONE, {**ONE, "id": "two"}],
            "steps": ["one", "two", {"advance": "1m"}],
            "expect": [
                {**FIRES, "after": "one"},
                {**FIRES, "after": "two", "decision": "rate_limited"},
                {**FIRES, "after": 3},
            ],
        },
        limited,
    )
    assert [one.passed for one in report.checks] == [True, True, True]


def test_decisions_after_other_steps_do_not_count(check: Any) -> None:
    case = {"events": [ONE], "steps": ["one", {"advance": "1m"}], "expect": [{**FIRES, "after": 2}]}
    assert not check(case).passed


def test_event_takes_its_type_from_the_manifests(check: Any, made: Any) -> None:
    typed = made.dependency("a", filters={"context": {"type": "webhook"}})
    report = check({"events": [ONE], "expect": [FIRES]}, made.source(), made.sensor(dependencies=[typed]))
    assert report.passed


def test_now_is_the_time_of_what_is_rendered(check: Any, made: Any) -> None:
    src = {"dependencyName": "a", "contextKey": "time"}
    body = {"http": {"url": "http://x", "payload": [{"src": src, "dest": "at"}]}}
    sensor = made.sensor(triggers=[made.trigger(template=body)])
    wanted = [{**FIRES, "request": {"body": {"at": "2030-01-01T00:00:00Z"}}}]
    assert check({"now": "2030-01-01T00:00:00Z", "events": [ONE], "expect": wanted}, sensor).passed
    timed = {**ONE, "time": "2030-01-01T00:00:00Z"}
    assert check({"events": [timed], "expect": wanted}, sensor).passed


def test_event_of_a_file_may_be_a_cloud_event_or_a_payload(check: Any, tmp_path: Path) -> None:
    (tmp_path / "bare.json").write_text('{"n": 7}')
    cloud = {"specversion": "1.0", "id": "c", "source": "hook", "type": "t", "subject": "a", "data": {"n": 8}}
    (tmp_path / "cloud.json").write_bytes(orjson.dumps(cloud))
    bare = {"id": "x", "source": "hook", "subject": "a", "file": "bare.json"}
    for event, number in ((bare, "7"), ({"id": "y", "file": "cloud.json"}, "8")):
        wanted = [{**FIRES, "request": {"body": {"n": number}}}]
        assert check({"events": [event], "expect": wanted}).passed


def test_recorded_event_is_looked_up(check: Any, made: Any) -> None:
    case = {"events": [{"recorded": "abc"}], "expect": [{**FIRES, "after": "abc"}]}
    assert check(case, find=lambda name: made.event(identifier=name)).passed
    assert "no event abc" in check(case).error


@pytest.mark.parametrize(
    ("case", "said"),
    [
        ({"manifests": "nope.yaml"}, "nope.yaml"),
        ({"expect": [{"sensor": "zzz", "trigger": "call"}]}, "expect.0.sensor: there is no sensor 'zzz'"),
        ({"expect": [{"sensor": "s", "trigger": "zzz"}]}, "expect.0.trigger: there is no trigger 'zzz'"),
        ({"events": [{"id": "one", "file": "no.json"}]}, "events.0.file: cannot read"),
    ],
)
def test_test_that_cannot_run_says_why(check: Any, case: Any, said: str) -> None:
    report = check({"events": [ONE], "expect": [FIRES], **case})
    assert said in report.error
    assert not report.passed


def test_bare_payload_needs_a_topic(check: Any, tmp_path: Path) -> None:
    (tmp_path / "bare.json").write_text("{}")
    report = check({"events": [{"id": "one", "file": "bare.json"}], "expect": [FIRES]})
    assert "needs a source and a subject" in report.error


def test_junit_counts_failures_and_errors(check: Any) -> None:
    good = check({"events": [ONE], "expect": [FIRES, {**FIRES, "decision": "waiting"}]})
    bad = Report("b\x00d", "f", [], [], "broken \ud800")
    root = ET.fromstring(junit([good, bad], lambda one: lines_of(one.differences)))
    assert (root.get("tests"), root.get("failures"), root.get("errors")) == ("3", "1", "1")
    (failure,) = root.iter("failure")
    assert failure.get("message") == 'decision: expected "waiting", got "fired"'
    assert "- expected" in (failure.text or "")

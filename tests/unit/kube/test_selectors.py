"""Label selectors: the text for the API server, and the same on labels in memory."""

from __future__ import annotations

import pytest

from events.kube.selectors import Requirement, Selector, equal


@pytest.mark.parametrize(
    ("requirement", "text", "met", "unmet"),
    [
        (Requirement("a", "=", ("1",)), "a=1", [{"a": "1"}], [{"a": "2"}, {}]),
        (Requirement("a", "==", ("1",)), "a==1", [{"a": "1"}], [{"a": "2"}, {}]),
        (Requirement("a", "!=", ("1",)), "a!=1", [{"a": "2"}, {}], [{"a": "1"}]),
        (Requirement("a", "in", ("1", "2")), "a in (1,2)", [{"a": "2"}], [{"a": "3"}, {}]),
        (Requirement("a", "notin", ("1", "2")), "a notin (1,2)", [{"a": "3"}, {}], [{"a": "1"}]),
        (Requirement("a", "exists"), "a", [{"a": ""}], [{"b": ""}]),
        (Requirement("a", "!"), "!a", [{"b": ""}], [{"a": ""}]),
        (Requirement("a", "gt", ("5",)), "a>5", [{"a": "10"}], [{"a": "5"}, {"a": "x"}, {}]),
        (Requirement("a", "lt", ("5",)), "a<5", [{"a": "-1"}], [{"a": "5"}, {}]),
    ],
)
def test_requirements(
    requirement: Requirement, text: str, met: list[dict[str, str]], unmet: list[dict[str, str]]
):
    assert str(requirement) == text
    assert all(map(requirement.met, met))
    assert not any(map(requirement.met, unmet))


def test_all_requirements_have_to_be_met():
    selector = equal({"a": "1", "b": "2"})
    assert str(selector) == "a=1,b=2"
    assert selector.met({"a": "1", "b": "2", "c": "3"})
    assert not selector.met({"a": "1"})
    assert Selector().met({})

"""`args` of argoWorkflow: which options of the argo program count."""

from __future__ import annotations

import pytest

from events.errors import ExpressionError
from events.triggers._workflow_options import Option, compile_options


@pytest.mark.parametrize("operation", ["submit", "submit-from", "resubmit", "retry"])
def test_options_about_what_the_program_prints_have_no_effect(operation: str):
    args = ["--watch", "-p", "a=b", "--log", "-o", "json", "--output=name", "-w"]
    assert compile_options(operation, args) == [Option("parameter", "a=b")]


def test_a_selector_shows_nodes_of_a_new_workflow_and_chooses_those_of_an_old_one():
    args = ["--node-field-selector", "phase=Failed"]
    assert compile_options("submit", args) == []
    assert compile_options("retry", args) == [Option("selector", "phase=Failed")]


@pytest.mark.parametrize(
    ("operation", "args", "says"),
    [
        ("submit", ["--dry-run"], "submit: only -p, --parameter, .* can be given in '--dry-run'"),
        ("suspend", ["--watch"], "suspend: no options can be given"),
        ("submit", ["--priority", "high"], "priority is not a whole number"),
        ("submit", ["-p", "a"], "a parameter is NAME=VALUE"),
        ("submit", ["--entrypoint"], "a value is missing"),
    ],
)
def test_what_cannot_be_followed_is_refused(operation: str, args: list[str], says: str):
    with pytest.raises(ExpressionError, match=says):
        compile_options(operation, args)

"""Edits of Argo Workflows as plain functions: what the comparison with the argo program does not reach."""

from __future__ import annotations

import base64
import gzip
import json
from typing import Any

import pytest

from events.errors import ExpressionError, Permanent
from events.kube._base import Invalid, Object
from events.triggers._noted import REMEMBERED, changed_by, noted
from events.triggers._workflow_changes import resumed, shut_down, suspended
from events.triggers._workflow_copies import made_from, memoized, once_more
from events.triggers._workflow_nodes import compile_selector, node_id, nodes_of, with_nodes
from events.triggers._workflow_retry import retried

NOW = "2026-01-01T00:00:00Z"
WAITING = {"id": "w-1", "name": "w.wait", "displayName": "wait", "type": "Suspend", "phase": "Running"}


def workflow(phase: str = "Running", nodes: Any = None, **status: Any) -> Object:
    return {
        "apiVersion": "argoproj.io/v1alpha1", "kind": "Workflow",
        "metadata": {"name": "w", "namespace": "ci", "resourceVersion": "7"}, "spec": {"entrypoint": "main"},
        "status": {"phase": phase, "nodes": nodes or {}, **status},
    }  # fmt: skip


@pytest.mark.parametrize("phase", ["Succeeded", "Failed", "Error"])
def test_a_workflow_that_is_over_cannot_be_changed(phase: str):
    over = workflow(phase)
    for change in (suspended, lambda one: shut_down(one, "Stop"), lambda one: resumed(one, NOW)):
        with pytest.raises(Invalid, match=f"Workflow/ci/w is {phase} and cannot be"):
            change(over)


@pytest.mark.parametrize("phase", ["", "Pending", "Running", "Succeeded"])
def test_only_a_failed_one_is_retried(phase: str):
    with pytest.raises(Invalid, match="cannot be retried"):
        retried(workflow(phase), NOW)


def test_changes_leave_their_input_as_it_was_and_keep_the_version():
    before = workflow(nodes={"w-1": dict(WAITING)})
    copy = json.loads(json.dumps(before))
    for change in (suspended(before), resumed(before, NOW), shut_down(before, "Stop"), noted(before, "f1")):
        assert change["metadata"]["resourceVersion"] == "7"
    assert before == copy


def test_the_last_firings_are_remembered():
    found = workflow()
    for number in range(REMEMBERED + 1):
        found = noted(found, f"f{number}")
    assert changed_by(found, "f1")
    assert changed_by(found, f"f{REMEMBERED}")
    assert not changed_by(found, "f0")
    assert not changed_by(workflow(), "f0")


def test_nodes_stay_packed():
    packed = base64.b64encode(gzip.compress(json.dumps({"w-1": WAITING}).encode())).decode()
    found = workflow(compressedNodes=packed)
    del found["status"]["nodes"]
    assert nodes_of(found) == {"w-1": WAITING}
    changed = resumed(found, NOW)
    assert "nodes" not in changed["status"]
    assert nodes_of(changed)["w-1"]["phase"] == "Succeeded"


@pytest.mark.parametrize("packed", ["???", base64.b64encode(b"no gzip").decode(), "AAAA"])
def test_packed_nodes_that_cannot_be_read(packed: str):
    with pytest.raises(Permanent, match="cannot be read"):
        nodes_of(workflow(compressedNodes=packed))


def test_nodes_in_a_database_are_out_of_reach():
    with pytest.raises(Permanent, match="use the Argo server"):
        resumed(workflow(offloadNodeStatusVersion="v"), NOW)


def test_a_node_that_waits_for_a_value_takes_its_default_or_stays():
    supplied = {"name": "a", "valueFrom": {"supplied": {}, "default": "d"}}
    given = {"name": "b", "value": "x"}
    node = {**WAITING, "outputs": {"parameters": [supplied, given]}}
    found = nodes_of(resumed(workflow(nodes={"w-1": node}), NOW))["w-1"]
    assert found["outputs"]["parameters"] == [{"name": "a", "value": "d"}, given]
    del supplied["valueFrom"]["default"]  # type: ignore[attr-defined]
    with pytest.raises(Permanent, match="output 'a' has no value yet"):
        resumed(workflow(nodes={"w-1": node}), NOW)


@pytest.mark.parametrize(
    ("selector", "chosen"),
    [
        ("displayName=wait", True), ("displayName==wait,phase!=Failed", True), ("displayName!=wait", False),
        ("inputs.parameters.p.value=1", True), ("templateRef.name=lib", True), ("templateName=approve", True),
        ("id=w-1,name=w", False), ("unknown=x", False),
    ],
)  # fmt: skip
def test_selectors(selector: str, chosen: bool):
    node = {
        **WAITING, "inputs": {"parameters": [{"name": "p", "value": "1"}]},
        "templateRef": {"name": "lib", "template": "approve"},
    }  # fmt: skip
    assert compile_selector(selector)(node) == chosen


@pytest.mark.parametrize("selector", ["", "phase", "=x", "a=1,,b=2"])
def test_selectors_that_say_nothing(selector: str):
    with pytest.raises(ExpressionError):
        compile_selector(selector)


def test_ids_of_nodes_are_the_controller_s():
    """From a workflow of the real controller."""
    assert node_id("w-8329a442", "w-8329a442") == "w-8329a442"
    assert node_id("w-8329a442", "w-8329a442[0]") == "w-8329a442-3272069012"
    assert node_id("w-8329a442", "w-8329a442[0].one") == "w-8329a442-4214823014"


def test_a_workflow_without_nodes_starts_over():
    found = retried(workflow("Error"), NOW)
    assert found.gone == frozenset()
    assert found.workflow["status"]["phase"] == "Running"
    assert found.workflow["status"]["nodes"] == {}


def test_exit_handlers_run_again():
    nodes = {
        "w": {"id": "w", "name": "w", "type": "Pod", "phase": "Failed"},
        "w-2": {"id": "w-2", "name": "w.onExit", "type": "Pod", "phase": "Succeeded"},
    }
    assert retried(workflow("Failed", nodes), NOW).gone == {"w", "w-2"}


def test_a_node_that_leads_to_itself_ends():
    nodes = {"a": {"id": "a", "name": "a", "type": "Pod", "phase": "Failed", "children": ["a", "gone"]}}
    assert retried(workflow("Failed", nodes), NOW).gone == {"a"}


def test_copies_do_not_carry_our_own_marks():
    old = noted(workflow("Failed"), "f1")
    old["metadata"]["labels"] = {"events-trigger/firing": "f0", "team": "shop"}
    fresh = once_more(old)
    assert fresh["metadata"]["labels"] == {
        "team": "shop", "workflows.argoproj.io/resubmitted-from-workflow": "w",
    }  # fmt: skip
    assert "annotations" not in fresh["metadata"]
    with pytest.raises(Invalid, match="not Pod"):
        made_from({**old, "kind": "Pod"}, NOW)
    with pytest.raises(Invalid, match="is Succeeded"):
        memoized(workflow("Succeeded"), {**fresh, "metadata": {"name": "w-x"}}, NOW)


def test_nodes_are_written_beside_the_rest_of_the_status():
    found = with_nodes(workflow(message="m"), {})
    assert found["status"] == {"phase": "Running", "message": "m", "nodes": {}}

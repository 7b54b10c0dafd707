"""argoWorkflow: submitting a Workflow to the local object store."""

from __future__ import annotations

from typing import Any

import pytest

from events.errors import EvaluationError, ExpressionError
from events.testing.servers.argo import lint
from events.testing.triggers import compiled, firing_of, parameter, rendered, rigged

WORKFLOW: dict[str, Any] = {
    "apiVersion": "argoproj.io/v1alpha1",
    "kind": "Workflow",
    "metadata": {"generateName": "ci-"},
    "spec": {
        "entrypoint": "main",
        "arguments": {"parameters": [{"name": "a", "value": "0"}, {"name": "b"}]},
        "templates": [{"name": "main", "suspend": {}}],
    },
}


def config(args: list[str] | None = None, **given: Any) -> dict[str, Any]:
    return {"operation": "submit", "source": {"resource": {**WORKFLOW, **given}}, "args": args or []}


async def test_submitting_creates_the_workflow_with_labels_and_a_steady_name():
    raw = {**config(), "parameters": [parameter("ref", "spec.arguments.parameters.0.value")]}
    async with rigged() as rig:
        outcome = await rig.run("argoWorkflow", raw, {"ref": "main"})
        again = await rig.run("argoWorkflow", raw, {"ref": "main"})
        (made,) = await rig.objects.find("workflows", "default")
        assert await rig.trigger("argoWorkflow").observe(outcome) == made
    assert made["metadata"]["name"] == "ci-" + firing_of().id[:10]
    assert made["metadata"]["labels"]["events.argoproj.io/sensor"] == "sens"
    assert made["spec"]["arguments"]["parameters"][0] == {"name": "a", "value": "main"}
    assert again.repeated


@pytest.mark.parametrize(
    ("args", "path", "value"),
    [
        (["-p", "a=1"], ["arguments", "parameters", 0], {"name": "a", "value": "1"}),
        (["--parameter=b=x=y"], ["arguments", "parameters", 1], {"name": "b", "value": "x=y"}),
        (["--parameter", "c="], ["arguments", "parameters", 2], {"name": "c", "value": ""}),
        (["--entrypoint", "other"], ["entrypoint"], "other"),
        (["--serviceaccount=robot"], ["serviceAccountName"], "robot"),
    ],
)
def test_arguments_that_change_the_spec(args: list[str], path: list[Any], value: Any):
    found = rendered("argoWorkflow", config(args)).object["spec"]
    for part in path:
        found = found[part]
    assert found == value


@pytest.mark.servers("argo")
def test_the_program_finds_nothing_wrong_with_what_is_submitted():
    args = ["-p", "b=1", "-p", "c=2", "--priority", "7", "--serviceaccount=robot", "-l", "team=shop"]
    assert lint(rendered("argoWorkflow", config(args)).object) == []


def test_arguments_that_change_the_metadata():
    args = ["--name", "build", "-l", "team=shop,tier=", "--labels=x=y"]
    meta = rendered("argoWorkflow", config(args)).object["metadata"]
    assert meta["name"] == "build"
    assert {"team": "shop", "tier": "", "x": "y"}.items() <= meta["labels"].items()
    assert (
        rendered("argoWorkflow", config(["--generate-name=z-"])).object["metadata"]["name"].startswith("z-")
    )


def test_parameters_without_arguments_in_the_workflow():
    obj = rendered("argoWorkflow", config(["-p", "a=1"], spec=None)).object
    assert obj["spec"] == {"arguments": {"parameters": [{"name": "a", "value": "1"}]}}


@pytest.mark.parametrize("args", [["--dry-run"], ["-p"], ["x"], ["--parameter-file", "f"]])
def test_arguments_that_mean_nothing_here_are_told_at_load(args: list[str]):
    with pytest.raises(ExpressionError):
        compiled("argoWorkflow", config(args))


@pytest.mark.parametrize(
    "given",
    [
        {"kind": "Pod"}, {"spec": "text"}, {"spec": {"arguments": []}},
        {"spec": {"arguments": {"parameters": ["a"]}}}, {"spec": {"arguments": {"parameters": "a"}}},
    ],
)  # fmt: skip
def test_what_is_no_workflow_is_an_evaluation_error(given: dict[str, Any]):
    with pytest.raises(EvaluationError):
        rendered("argoWorkflow", config(["-p", "a=1"], **given))


@pytest.mark.parametrize(
    ("operation", "args"),
    [
        ("resubmit", ["--entrypoint", "x"]), ("suspend", ["-p", "a=1"]), ("retry", ["-p", "a"]),
        ("resume", ["--node-field-selector", "phase"]), ("stop", ["--message"]), ("submit", ["--priority=x"]),
        ("submit-from", ["--memoized"]),
    ],
)  # fmt: skip
def test_options_that_an_operation_does_not_have_are_told_at_load(operation: str, args: list[str]):
    with pytest.raises(ExpressionError):
        compiled("argoWorkflow", {**config(args), "operation": operation})


@pytest.mark.parametrize(
    ("operation", "given"),
    [
        ("suspend", {"kind": "CronWorkflow"}), ("submit-from", {"kind": "Pod"}), ("retry", {"metadata": {}}),
        ("stop", {"metadata": {"generateName": ""}}),
    ],
)  # fmt: skip
def test_what_an_operation_cannot_be_about(operation: str, given: dict[str, Any]):
    with pytest.raises(EvaluationError):
        rendered("argoWorkflow", {**config(**given), "operation": operation})

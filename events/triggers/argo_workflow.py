"""argoWorkflow: submits or changes one Argo Workflow per firing.

Spec      Sensor.spec.triggers[].template.argoWorkflow
Sends     the workflow from `source` after `parameters`, or an operation on the workflow it names
Outcome   the workflow (`policy.k8s` judges its labels)
Upstream  pkg/sensors/triggers/argo-workflow/argo-workflow.go
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, ClassVar

from pydantic import Field

from events.api.common import Problem, Strings, check_choice
from events.api.sensor import ArtifactLocation, TriggerConfig, check_parameters
from events.errors import EvaluationError, ExpressionError
from events.event import Firing, Outcome, Request
from events.kube._base import Object
from events.triggers._base import Render, Trigger
from events.triggers._resource import compile_object, create, labelled, labels_of, named, ref_of

OPERATIONS = ("submit", "submit-from", "suspend", "retry", "resume", "resubmit", "terminate", "stop")


class ArgoWorkflowConfig(TriggerConfig):
    """One operation on one workflow."""

    source: ArtifactLocation = Field(description="where the workflow comes from")
    operation: str = Field("", description=f"one of {', '.join(OPERATIONS)}; submit when empty")
    args: Strings = Field([], description="further arguments in the syntax of the argo command line")

    def problems(self) -> Iterable[Problem]:
        """A known operation, whole parameters."""
        if not self.operation:
            hint = "write operation: submit; upstream refuses an empty one"
            yield Problem("operation", "is empty and means submit", hint, "upstream-refuses", "warning")
        yield from check_choice(self.operation, "operation", OPERATIONS)
        yield from check_parameters(self.parameters, "parameters")


class WorkflowRequest(Request, kw_only=True):
    """The workflow to be submitted."""

    object: Object
    namespace: str


class ArgoWorkflowTrigger(Trigger[ArgoWorkflowConfig, WorkflowRequest]):
    """Submits by creating the Workflow object; the `argo` program is not needed."""

    kind: ClassVar[str] = "argoWorkflow"
    request: ClassVar[type[Request]] = WorkflowRequest
    resource: ClassVar[bool] = True

    @classmethod
    def compile(cls, cfg: ArgoWorkflowConfig) -> Render:
        if cfg.operation not in {"", "submit"}:
            raise ExpressionError(f"operation {cfg.operation} is not available in this version", "operation")
        draft = compile_object(cfg.source, cfg.parameters)
        options = submit_options(cfg.args)

        def render(firing: Firing) -> WorkflowRequest:
            obj = named(with_options(draft(firing), options), firing)
            return WorkflowRequest(object=labelled(obj, labels_of(firing)), namespace=firing.namespace)

        return render

    async def fire(self, request: WorkflowRequest, firing: str) -> Outcome:
        """Raises Retryable, and Conflict, Invalid or Forbidden with the server's message."""
        return await create(self.ctx.objects, request.object, firing, request.namespace)

    async def observe(self, outcome: Outcome) -> Object | None:
        return None if outcome.object is None else await self.ctx.objects.get(ref_of(outcome.object))


FLAGS = {
    "-p": "parameter", "--parameter": "parameter", "--entrypoint": "entrypoint",
    "--serviceaccount": "serviceAccountName", "--name": "name", "--generate-name": "generateName",
    "-l": "labels", "--labels": "labels",
}  # fmt: skip
"""Options of `argo submit` that change the workflow."""


def submit_options(args: Sequence[str]) -> list[tuple[str, str]]:
    """(what, value) of each option in `args`. Raises ExpressionError for one that means nothing here."""
    found = []
    rest = iter(args)
    for word in rest:
        flag, given, value = word.partition("=")
        if flag not in FLAGS:
            raise ExpressionError(f"only {', '.join(FLAGS)} can be given", word)
        text = value if given else next(rest, None)
        if text is None:
            raise ExpressionError("a value is missing", word)
        found.append((FLAGS[flag], text))
    return found


def with_options(obj: Object, options: Sequence[tuple[str, str]]) -> Object:
    """A copy with the options laid over it. Raises EvaluationError for what is no workflow."""
    if obj["kind"] != "Workflow":
        raise EvaluationError(f"only a Workflow can be submitted, this is a {obj['kind']}")
    if not options:
        return obj
    meta, spec = dict(obj["metadata"]), dict(as_map(obj.get("spec"), "spec"))
    for what, text in options:
        if what in {"name", "generateName"}:
            meta[what] = text
        elif what == "labels":
            pairs = (pair.partition("=") for pair in text.split(","))
            meta["labels"] = {**(meta.get("labels") or {}), **{key: value for key, _, value in pairs}}
        elif what == "parameter":
            set_parameter(spec, *text.partition("=")[::2])
        else:
            spec[what] = text
    return {**obj, "metadata": meta, "spec": spec}


def set_parameter(spec: dict[str, Any], name: str, value: str) -> None:
    """Where the parameter is: in the workflow's arguments, replaced in its place or added."""
    arguments = dict(as_map(spec.get("arguments"), "spec.arguments"))
    given = arguments.get("parameters") or []
    if not isinstance(given, list) or not all(isinstance(item, dict) for item in given):
        raise EvaluationError("spec.arguments.parameters is not a list of maps")
    new = {"name": name, "value": value}
    kept = [new if item.get("name") == name else item for item in given]
    arguments["parameters"] = kept if new in kept else [*kept, new]
    spec["arguments"] = arguments


def as_map(value: Any, field: str) -> dict[str, Any]:
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise EvaluationError(f"{field} is not a map")
    return value

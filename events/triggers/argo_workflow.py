"""argoWorkflow: submits or changes one Argo Workflow per firing.

Spec      Sensor.spec.triggers[].template.argoWorkflow
Sends     the workflow from `source` after `parameters`, or an operation on the object that it names. Objects
          are edited as the `argo` program edits them; the program itself is not needed
Outcome   the workflow (`policy.k8s` judges its labels)
Repeated  a firing that is sent again finds its workflow by its name and label, and changes none twice
Upstream  pkg/sensors/triggers/argo-workflow/argo-workflow.go
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import ClassVar

import msgspec
from pydantic import Field

from events.api.common import Problem, Strings, check_choice
from events.api.sensor import ArtifactLocation, TriggerConfig, check_parameters
from events.errors import EvaluationError
from events.event import Firing, Request
from events.kube._base import NotFound, Object, Objects, Ref
from events.triggers._base import Render
from events.triggers._noted import changed_by, noted
from events.triggers._resource import (
    Done,
    Impersonation,
    ObjectRequest,
    ObjectTrigger,
    acting,
    compile_object,
    create,
    done,
    labelled,
    labels_of,
    named,
    ref_of,
    with_name,
)
from events.triggers._workflow_changes import (
    failed_nodes,
    resumed,
    shut_down,
    suspended,
)
from events.triggers._workflow_copies import FROM, made_from, memoized, once_more
from events.triggers._workflow_nodes import Chosen, as_map, compile_selector, set_parameter
from events.triggers._workflow_options import (
    Option,
    compile_options,
    parameters_of,
    value_of,
    with_options,
)
from events.triggers._workflow_retry import retried

OPERATIONS = ("submit", "submit-from", "suspend", "retry", "resume", "resubmit", "terminate", "stop")


class ArgoWorkflowConfig(TriggerConfig):
    """One operation on one workflow."""

    source: ArtifactLocation = Field(description="where the workflow comes from")
    operation: str = Field("", description=f"one of {', '.join(OPERATIONS)}; submit when empty")
    args: Strings = Field([], description="further arguments in the syntax of the argo command line")
    impersonate: Impersonation | None = Field(None, description="act as this user; not in upstream")

    def problems(self) -> Iterable[Problem]:
        """A known operation, whole parameters."""
        if not self.operation:
            hint = "write operation: submit; upstream refuses an empty one"
            yield Problem("operation", "is empty and means submit", hint, "upstream-refuses", "warning")
        yield from check_choice(self.operation, "operation", OPERATIONS)
        yield from check_parameters(self.parameters, "parameters")


NODE_ID = "workflows.argoproj.io/node-id"
WORKFLOW = "workflows.argoproj.io/workflow"
"""On the pods of a workflow: annotation and label."""


class WorkflowRequest(ObjectRequest, kw_only=True):
    """The workflow to be submitted, or the object that an operation is about."""

    operation: str = "submit"
    options: list[Option] = msgspec.field(default_factory=list)
    labels: dict[str, str] = msgspec.field(default_factory=dict)


class ArgoWorkflowTrigger(ObjectTrigger[ArgoWorkflowConfig, WorkflowRequest]):
    """Works on the objects: a workflow-controller, where there is one, does the rest."""

    kind: ClassVar[str] = "argoWorkflow"
    request: ClassVar[type[Request]] = WorkflowRequest

    @classmethod
    def compile(cls, cfg: ArgoWorkflowConfig) -> Render:
        operation = cfg.operation or "submit"
        draft = compile_object(cfg.source, cfg.parameters)
        options = compile_options(operation, cfg.args)

        def submit(firing: Firing) -> WorkflowRequest:
            obj = named(with_options(draft(firing), options), firing)
            return WorkflowRequest(object=labelled(obj, labels_of(firing)), namespace=firing.namespace)

        def operate(firing: Firing) -> WorkflowRequest:
            return WorkflowRequest(
                object=target(named(draft(firing), firing), operation), namespace=firing.namespace,
                operation=operation, options=options, labels=labels_of(firing),
            )  # fmt: skip

        render = submit if operation == "submit" else operate
        return acting(render, cfg.impersonate)

    async def operate(self, request: WorkflowRequest, firing: str) -> Done:
        return await OPERATION[request.operation](self, request, firing)

    async def submit(self, request: WorkflowRequest, firing: str) -> Done:
        return await create(self.objects(request.account), request.object, firing, request.namespace)

    async def submit_from(self, request: WorkflowRequest, firing: str) -> Done:
        made = made_from(await self._there(request), self._now())
        given = as_map(as_map(request.object.get("spec"), "spec").get("arguments"), "spec.arguments")
        for one in given.get("parameters") or ():
            set_parameter(made["spec"], one.get("name"), one.get("value"))
        return await self._create(request, firing, with_options(made, request.options))

    async def resubmit(self, request: WorkflowRequest, firing: str) -> Done:
        old = await self._there(request)
        fresh = once_more(old, parameters_of(request.options))
        priority = [option for option in request.options if option.name == "priority"]
        fresh = with_name(with_options(fresh, priority), firing)
        if value_of(request.options, "memoized") is not None:
            fresh = memoized(old, fresh, self._now())
        return await self._create(request, firing, fresh)

    async def _create(self, request: WorkflowRequest, firing: str, made: Object) -> Done:
        obj = labelled(with_name(made, firing), request.labels)
        if obj["metadata"].get("namespace") is None:  # from a cluster-scoped template
            obj["metadata"]["namespace"] = request.namespace
        return await create(self.objects(request.account), obj, firing, request.namespace)

    async def suspend(self, request: WorkflowRequest, firing: str) -> Done:
        return await self._change(request, firing, suspended)

    async def resume(self, request: WorkflowRequest, firing: str) -> Done:
        chosen = selected(request)
        return await self._change(request, firing, lambda live: resumed(live, self._now(), chosen))

    async def stop(self, request: WorkflowRequest, firing: str) -> Done:
        chosen, message = selected(request), value_of(request.options, "message") or ""
        if chosen is None:
            return await self._change(request, firing, lambda live: shut_down(live, "Stop"))
        return await self._change(
            request, firing, lambda live: failed_nodes(live, self._now(), chosen, message)
        )

    async def terminate(self, request: WorkflowRequest, firing: str) -> Done:
        return await self._change(request, firing, lambda live: shut_down(live, "Terminate"))

    async def retry(self, request: WorkflowRequest, firing: str) -> Done:
        """Pods of the nodes that run again go first: they have the names of the new ones."""
        again = selected(request) if value_of(request.options, "restartSuccessful") is not None else None
        parameters = parameters_of(request.options)
        live = await self._there(request)
        if not changed_by(live, firing):
            gone = retried(live, self._now(), again=again, parameters=parameters).gone
            await delete_pods(self.objects(request.account), live, gone)
        return await self._change(
            request, firing,
            lambda live: retried(live, self._now(), again=again, parameters=parameters).workflow,
        )  # fmt: skip

    async def _change(
        self, request: WorkflowRequest, firing: str, change: Callable[[Object], Object]
    ) -> Done:
        """Read, change and write the workflow, once for every firing."""
        objects = self.objects(request.account)

        async def attempt() -> Done:
            live = await self._there(request)
            if changed_by(live, firing):
                return done(live, f"{request.operation}: done before", repeated=True)
            made = await objects.update(noted(change(live), firing))
            return done(made, f"{request.operation}: done")

        return await self.rewrite(ref_of(request.object), attempt)

    async def _there(self, request: WorkflowRequest) -> Object:
        """Raises NotFound."""
        ref = ref_of(request.object)
        found = await self.objects(request.account).get(ref)
        if found is None:
            raise NotFound(f"{ref} not found", ref.name)
        return found

    def _now(self) -> str:
        return datetime.fromtimestamp(self.ctx.now_ns() / 1e9, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


OPERATION = {
    "submit": ArgoWorkflowTrigger.submit, "submit-from": ArgoWorkflowTrigger.submit_from,
    "suspend": ArgoWorkflowTrigger.suspend, "retry": ArgoWorkflowTrigger.retry,
    "resume": ArgoWorkflowTrigger.resume, "resubmit": ArgoWorkflowTrigger.resubmit,
    "terminate": ArgoWorkflowTrigger.terminate, "stop": ArgoWorkflowTrigger.stop,
}  # fmt: skip


async def delete_pods(objects: Objects, workflow: Object, gone: frozenset[str]) -> None:
    """Of these nodes."""
    meta = workflow["metadata"]
    if not gone:
        return
    for pod in await objects.list("v1", "Pod", meta["namespace"], {WORKFLOW: meta["name"]}):
        if (pod["metadata"].get("annotations") or {}).get(NODE_ID) in gone:
            await objects.delete(Ref("v1", "Pod", meta["namespace"], pod["metadata"]["name"]))


def target(obj: Object, operation: str) -> Object:
    """The object that the operation is about. Raises EvaluationError for one that it cannot be about."""
    kinds = FROM if operation == "submit-from" else ("Workflow",)
    if obj["kind"] not in kinds:
        raise EvaluationError(f"{operation} is about {' or '.join(kinds)}, this is a {obj['kind']}")
    if not obj["metadata"].get("name"):
        raise EvaluationError(f"{operation} needs metadata.name")
    return obj


def selected(request: WorkflowRequest) -> Chosen | None:
    text = value_of(request.options, "selector")
    return None if text is None else compile_selector(text)

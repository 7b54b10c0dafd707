"""k8s: creates, updates, patches or deletes one Kubernetes object per firing.

Spec      Sensor.spec.triggers[].template.k8s
Sends     the document from `source` after `parameters`; a JSON patch is the list under its key `patch`
Outcome   the object as the API server returned it (`policy.k8s` judges its labels)
Repeated  a firing that is sent again makes no second object; what would add up (a JSON patch, liveObject) is
          noted on the object and not done again
Upstream  pkg/sensors/triggers/standard-k8s/standard-k8s.go
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

import msgspec
import orjson
from pydantic import Field

from events.api.common import Problem, check_choice
from events.api.sensor import ArtifactLocation, TriggerConfig, check_parameters
from events.errors import EvaluationError, ExpressionError, Retryable
from events.event import Firing, Request
from events.kube._base import (
    APPLY_PATCH,
    JSON_PATCH,
    MERGE_PATCH,
    STRATEGIC_PATCH,
    Conflict,
    NotFound,
    Object,
)
from events.kube.edits import merge_over
from events.sensors.parameters import ResolvedEdit, compile_resolved, write_resolved
from events.triggers._base import Render
from events.triggers._noted import changed_by, noted, noting
from events.triggers._resource import (
    TRIES,
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
    shaped,
)

OPERATIONS = ("create", "update", "patch", "delete")


class K8sConfig(TriggerConfig):
    """One operation on one object."""

    source: ArtifactLocation = Field(description="where the object comes from")
    operation: str = Field("", description=f"one of {', '.join(OPERATIONS)}; create when empty")
    patch_strategy: str = Field(
        "", description="media type of a patch; application/merge-patch+json when empty"
    )
    live_object: bool = Field(False, description="update only: apply the parameters to the live object")
    impersonate: Impersonation | None = Field(None, description="act as this user; not in upstream")

    def problems(self) -> Iterable[Problem]:
        """A known operation, whole parameters."""
        yield from check_choice(self.operation, "operation", OPERATIONS)
        yield from check_parameters(self.parameters, "parameters")


STRATEGIES = (MERGE_PATCH, JSON_PATCH, STRATEGIC_PATCH, APPLY_PATCH)


class K8sRequest(ObjectRequest, kw_only=True):
    """One operation on one object. `labels` are for an object that is made because there is none;
    `edits` are for the live object (liveObject: true).
    """

    operation: str
    labels: dict[str, str] = msgspec.field(default_factory=dict)
    strategy: str = MERGE_PATCH
    edits: list[ResolvedEdit] | None = None


class K8sTrigger(ObjectTrigger[K8sConfig, K8sRequest]):
    """One operation per firing."""

    kind: ClassVar[str] = "k8s"
    request: ClassVar[type[Request]] = K8sRequest

    @classmethod
    def compile(cls, cfg: K8sConfig) -> Render:
        strategy = cfg.patch_strategy or MERGE_PATCH
        if strategy not in STRATEGIES:
            raise ExpressionError(f"patchStrategy has to be one of {', '.join(STRATEGIES)}", strategy)
        live = cfg.operation == "update" and cfg.live_object
        render = live_render(cfg) if live else plain_render(cfg, cfg.operation or "create", strategy)
        return acting(render, cfg.impersonate)

    async def operate(self, request: K8sRequest, firing: str) -> Done:
        return await OPERATION[request.operation](self, request, firing)

    async def create(self, request: K8sRequest, firing: str) -> Done:
        obj = labelled(request.object, request.labels) if request.labels else request.object
        return await create(self.objects(request.account), obj, firing, request.namespace)

    async def update(self, request: K8sRequest, firing: str) -> Done:
        """Lay the object over the live one; create it if there is none."""
        objects, ref = self.objects(request.account), ref_of(request.object)

        async def attempt() -> Done:
            live = await objects.get(ref)
            if live is None:
                return await self._missing(request, firing)
            if changed_by(live, firing):
                return done(live, "updated before", repeated=True)
            return done(await objects.update(laid_over(live, request, firing)), "updated")

        return await self.rewrite(ref, attempt)

    async def _missing(self, request: K8sRequest, firing: str) -> Done:
        if request.edits is not None:
            raise NotFound(f"{ref_of(request.object)} not found: liveObject needs one")
        return await self.create(request, firing)

    async def patch(self, request: K8sRequest, firing: str) -> Done:
        """Patch with the object itself; create it if there is none."""
        if request.strategy == JSON_PATCH:
            return await self._json_patch(request, firing)
        objects, ref = self.objects(request.account), ref_of(request.object)
        for _ in range(TRIES):
            try:
                if request.strategy != APPLY_PATCH or await objects.get(ref) is not None:
                    return done(await objects.patch(ref, request.object, request.strategy), "patched")
            except NotFound:  # an apply would make it, without our labels
                pass
            try:
                return await self.create(request, firing)
            except Conflict:
                continue
        raise Retryable(f"{ref} comes and goes all the time")

    async def _json_patch(self, request: K8sRequest, firing: str) -> Done:
        objects, ref = self.objects(request.account), ref_of(request.object)

        async def attempt() -> Done:
            live = await objects.get(ref)
            if live is None:
                raise NotFound(f"{ref} not found: a JSON patch needs one", ref.name)
            if changed_by(live, firing):
                return done(live, "patched before", repeated=True)
            operations = [*noting(live, firing), *request.object["patch"]]
            return done(await objects.patch(ref, operations, JSON_PATCH), "patched")

        return await self.rewrite(ref, attempt)

    async def delete(self, request: K8sRequest, firing: str) -> Done:
        """Nothing there is a success too."""
        ref = ref_of(request.object)
        found = await self.objects(request.account).delete(ref)
        return Done(detail=f"{ref} {'deleted' if found else 'was not there'}", link=str(ref))


OPERATION = {
    "create": K8sTrigger.create,
    "update": K8sTrigger.update,
    "patch": K8sTrigger.patch,
    "delete": K8sTrigger.delete,
}


def plain_render(cfg: K8sConfig, operation: str, strategy: str) -> Render:
    """Everything but liveObject. What is created carries its labels; what is changed keeps its own."""
    draft = compile_object(cfg.source, cfg.parameters)
    patching = operation == "patch" and strategy == JSON_PATCH

    def render(firing: Firing) -> K8sRequest:
        obj, labels = named(draft(firing), firing), labels_of(firing)
        if patching and not isinstance(obj.get("patch"), list):
            raise EvaluationError("a JSON patch is a list of operations under `patch`, beside metadata")
        if operation == "create":
            obj, labels = labelled(obj, labels), {}
        return K8sRequest(
            operation=operation, object=obj, namespace=firing.namespace, labels=labels, strategy=strategy
        )

    return render


def live_render(cfg: K8sConfig) -> Render:
    """liveObject: the parameters are resolved now and written into the live object when it is there."""
    draft = compile_object(cfg.source, [])
    resolve = compile_resolved(cfg.parameters)

    def render(firing: Firing) -> K8sRequest:
        obj = named(draft(firing), firing)
        return K8sRequest(operation="update", object=obj, namespace=firing.namespace, edits=resolve(firing))

    return render


def laid_over(live: Object, request: K8sRequest, firing: str) -> Object:
    """What the live object becomes. Raises EvaluationError, ExpressionError for edits that do not fit it."""
    new = request.object if request.edits is None else noted(edited(live, request.edits), firing)
    merged: Object = merge_over(new, live)
    version = live["metadata"].get("resourceVersion")
    return {**merged, "metadata": {**merged["metadata"], "resourceVersion": version}}


def edited(live: Object, edits: list[ResolvedEdit]) -> Object:
    return shaped(write_resolved(edits, orjson.dumps(live).decode()))

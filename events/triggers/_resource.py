"""What k8s and argoWorkflow share: the object of `source` after parameters, our labels, a steady name, and
whom to be for the API server.
"""

from __future__ import annotations

import asyncio
from abc import abstractmethod
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar
from weakref import WeakValueDictionary

import msgspec
import orjson
from pydantic import Field

from events.api.common import Model, NonEmpty, Strings
from events.errors import EvaluationError, ExpressionError, Retryable
from events.event import Firing, Outcome, Request
from events.kube._base import (
    FIRING_LABEL,
    SENSOR_LABEL,
    TIMESTAMP_LABEL,
    TRIGGER_LABEL,
    Account,
    Conflict,
    Invalid,
    Object,
    Objects,
    Ref,
)
from events.kube.kinds import namespaced
from events.kube.names import as_label
from events.lang.yamldata import yaml_to_json
from events.sensors.parameters import compile_edits
from events.triggers._base import Config, Render, Trigger, TriggerContext
from events.triggers._documents import kind_of_source
from events.triggers._text import decoded

if TYPE_CHECKING:
    from collections.abc import Sequence

    from events.api.sensor import ArtifactLocation, TriggerParameter


class Impersonation(Model):
    """Whom to be for the API server; the service's own account needs the verb impersonate."""

    user: NonEmpty = Field(description="name of the user, as in system:serviceaccount:ci:deployer")
    groups: Strings = Field([], description="groups of the user")


TRIES = 5
"""Times that an object is read and written again because somebody else changed it in between."""


class ObjectRequest(Request, kw_only=True):
    """Something to be done with an object. `account`: whom to be; None: the service's own."""

    object: Object
    namespace: str
    account: Account | None = None


Asked = TypeVar("Asked", bound=ObjectRequest)


class Done(Outcome, kw_only=True):
    """`account`: who did it, and may look at the object again."""

    account: Account | None = None


class ObjectTrigger(Trigger[Config, Asked]):
    """Works on whatever keeps the objects: the local store or an API server."""

    resource: ClassVar[bool] = True

    def __init__(self, ctx: TriggerContext) -> None:
        super().__init__(ctx)
        self._turns: WeakValueDictionary[Ref, asyncio.Lock] = WeakValueDictionary()

    async def fire(self, request: Asked, firing: str) -> Outcome:
        """Raises Retryable, and Conflict, Invalid, NotFound or Forbidden with the server's message."""
        outcome = await self.operate(request, firing)
        outcome.account = request.account
        return outcome

    @abstractmethod
    async def operate(self, request: Asked, firing: str) -> Done: ...

    def objects(self, account: Account | None) -> Objects:
        return self.ctx.objects if account is None else self.ctx.objects.acting_as(account)

    async def rewrite(self, ref: Ref, attempt: Callable[[], Awaitable[Done]]) -> Done:
        """Read an object and write it again, until nobody else changed it in between.

        Our own firings about one object take turns: at once, all but one would conflict, and most of them use
        up their tries. Raises Retryable, and what the attempt raises but Conflict.
        """
        turn = self._turns.setdefault(ref, asyncio.Lock())
        async with turn:
            for _ in range(TRIES):
                try:
                    return await attempt()
                except Conflict:
                    continue
        raise Retryable(f"{ref} is changed by somebody else all the time")

    async def observe(self, outcome: Outcome) -> Object | None:
        if outcome.object is None:
            return None
        account = outcome.account if isinstance(outcome, Done) else None
        return await self.objects(account).get(ref_of(outcome.object))


BASE = 53
"""Characters of a generateName that stay; ten of the firing id follow: 63 in all, as a label takes."""

SHORT_NAMED, SHORTER_BASE = frozenset({"CronJob", "CronWorkflow"}), 42
"""Their names have 52 characters at the most: those of what they start are longer."""

Draft = Callable[[Firing], Object]
"""Raises EvaluationError."""


def compile_object(source: ArtifactLocation, parameters: Sequence[TriggerParameter]) -> Draft:
    """The object of a firing, after its parameters. Raises ExpressionError."""
    try:
        text = orjson.dumps(document(source)).decode()
    except TypeError as exc:
        raise ExpressionError(f"the object cannot be written as JSON: {exc}", "source") from exc
    edit = compile_edits(parameters, text)

    def draft(firing: Firing) -> Object:
        return shaped(edit(firing))

    return draft


def shaped(text: str) -> Object:
    """The object in a JSON text. Raises EvaluationError for what no kind of object looks like."""
    try:
        obj = decoded(text)
    except ValueError as exc:
        raise EvaluationError(f"the parameters leave no valid JSON: {exc}") from exc
    if not isinstance(obj, dict) or not all(worded(obj.get(field)) for field in ("apiVersion", "kind")):
        raise EvaluationError("the object has no apiVersion and kind")
    meta = obj["metadata"] = obj.get("metadata") or {}
    if not isinstance(meta, dict) or not isinstance(meta.get("labels") or {}, dict):
        raise EvaluationError("metadata and its labels have to be maps")
    for field in ("name", "generateName", "namespace"):
        if meta.get(field) is not None and not isinstance(meta[field], str):
            raise EvaluationError(f"metadata.{field} is not text")
    return obj


def worded(value: object) -> bool:
    return isinstance(value, str) and value != ""


def document(source: ArtifactLocation) -> Any:
    """What is written in the manifest itself. Raises ExpressionError for a source without one."""
    kind = kind_of_source(source)
    if kind == "resource":
        return source.resource
    if kind == "inline":
        return inline(source.inline or "")
    raise ExpressionError("the source names nothing: write resource", "source")


def inline(text: str) -> Any:
    """YAML as Kubernetes reads it. Raises ExpressionError."""
    try:
        found = orjson.loads(yaml_to_json(text.encode(errors="replace")))
    except (EvaluationError, ValueError) as exc:
        raise ExpressionError(f"not an object in YAML: {exc}", text) from exc
    if not isinstance(found, dict):
        raise ExpressionError("not an object in YAML", text)
    return found


def named(obj: Object, firing: Firing) -> Object:
    """A copy in its namespace, with the name that every repetition of the firing comes to."""
    meta = dict(obj["metadata"])
    if not namespaced(obj["kind"], obj["apiVersion"]):
        meta.pop("namespace", None)
    else:
        meta["namespace"] = meta.get("namespace") or firing.namespace
    return with_name({**obj, "metadata": meta}, firing.id)


def with_name(obj: Object, firing: str) -> Object:
    """A copy whose generateName has become a name; one that has a name stays as it is."""
    meta = obj["metadata"]
    if meta.get("name") or not meta.get("generateName"):
        return obj
    return {**obj, "metadata": {**meta, "name": f"{meta['generateName'][: base_of(obj)]}{firing[:10]}"}}


def base_of(obj: Object) -> int:
    return SHORTER_BASE if obj["kind"] in SHORT_NAMED else BASE


def labels_of(firing: Firing) -> dict[str, str]:
    """What is put on an object that the firing creates."""
    return {
        SENSOR_LABEL: as_label(firing.sensor),
        TRIGGER_LABEL: as_label(firing.trigger),
        TIMESTAMP_LABEL: str(firing.now_ns // 1_000_000),
        FIRING_LABEL: firing.id,
    }


def labelled(obj: Object, labels: Mapping[str, str]) -> Object:
    """A copy with these labels beside its own."""
    meta = obj["metadata"]
    return {**obj, "metadata": {**meta, "labels": {**(meta.get("labels") or {}), **labels}}}


def ref_of(obj: Object) -> Ref:
    meta = obj["metadata"]
    return Ref(obj["apiVersion"], obj["kind"], meta.get("namespace"), meta.get("name", ""))


async def create(objects: Objects, obj: Object, firing: str, namespace: str) -> Done:
    """Create; an object that this firing made before is a success, another one of that name a conflict.

    A conflict without such an object is about something else, as a quota that others count in at the same
    time: it passes.
    """
    if obj["metadata"].get("resourceVersion"):
        raise Invalid(f"{ref_of(obj)}: an object to be created may not have metadata.resourceVersion")
    try:
        made = await objects.create(obj, namespace)
    except Conflict as exc:
        found = await objects.get(ref_of(obj))
        if found is None:
            raise Retryable(str(exc)) from exc
        if (found["metadata"].get("labels") or {}).get(FIRING_LABEL) != firing:
            raise
        return done(found, "exists", repeated=True)
    return done(made, "created")


def done(obj: Object, what: str, *, repeated: bool = False) -> Done:
    ref = ref_of(obj)
    return Done(detail=f"{ref} {what}", link=str(ref), object=obj, repeated=repeated)


def acting(render: Render, who: Impersonation | None) -> Render:
    """The same requests, sent as somebody else if the config says so. Raises ExpressionError."""
    if who is None:
        return render
    if not all(name.isprintable() for name in (who.user, *who.groups)):
        raise ExpressionError("impersonate: a name has characters that no header can carry", who.user)
    account = Account(who.user, tuple(who.groups))

    def as_account(firing: Firing) -> Request:
        return msgspec.structs.replace(render(firing), account=account)

    return as_account

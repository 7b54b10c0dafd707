"""Triggers whose document is fetched when they fire: k8s and argoWorkflow with a source that is elsewhere.

Rendering is pure, so it cannot fetch: it resolves the parameters and gives a FetchRequest. When that fires,
the document is read, the parameters are written into it, and the trigger is compiled and rendered as if the
document had stood in the manifest. Each attempt reads anew, as upstream does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import orjson

from events.errors import ExpressionError, Permanent
from events.event import Firing, Request
from events.registry import adapter_class, config_class
from events.sensors.parameters import ResolvedEdit, compile_resolved, write_resolved
from events.triggers._documents import FETCHED, check_source, kind_of_source
from events.triggers._resource import inline
from events.triggers._text import decoded

if TYPE_CHECKING:
    from events.api.sensor import ArtifactLocation
    from events.triggers._base import Render, Trigger
    from events.triggers._documents import Documents

PROBE = {"apiVersion": "v1", "kind": "Probe", "metadata": {"name": "probe"}}
"""Stands for the document while the rest of the config is checked."""


class FetchRequest(Request, kw_only=True):
    """`fetch` is the source and `config` the rest of the trigger, as in the manifest."""

    fetch: dict[str, Any]
    kind: str
    config: dict[str, Any]
    edits: list[ResolvedEdit]
    namespace: str
    sensor: str
    trigger: str
    now_ns: int


def is_fetched(source: ArtifactLocation) -> bool:
    return kind_of_source(source) in FETCHED


def compile_fetched(cls: type[Trigger[Any, Any]], cfg: Any) -> Render:
    """For a trigger whose source is elsewhere. Raises ExpressionError for what can never work."""
    check_source(cfg.source)
    kind = kind_of_source(cfg.source)
    assert kind is not None
    source = cfg.source.model_dump(mode="json", by_alias=True, exclude_unset=True, include={kind})
    config = cfg.model_dump(mode="json", by_alias=True, exclude_unset=True, exclude={"source", "parameters"})
    cls.compile(with_document(cls.kind, config, PROBE))
    resolve = compile_resolved(cfg.parameters)

    def render(firing: Firing) -> FetchRequest:
        return FetchRequest(
            fetch=source, kind=cls.kind, config=config, edits=resolve(firing), namespace=firing.namespace,
            sensor=firing.sensor, trigger=firing.trigger, now_ns=firing.now_ns,
        )  # fmt: skip

    return render


def with_document(kind: str, config: dict[str, Any], document: Any) -> Any:
    return config_class("triggers", kind).model_validate({**config, "source": {"resource": document}})


async def completed(request: FetchRequest, firing: str, documents: Documents) -> Request:
    """What the trigger fires, with its document.

    Raises Retryable, Permanent where it cannot be read, EvaluationError where the parameters do not fit it.
    """
    from events.api.sensor import ArtifactLocation

    source = ArtifactLocation.model_validate(request.fetch)
    document = parsed(await documents.read(source), source)
    live = bool(request.config.get("liveObject")) and request.config.get("operation") == "update"
    if request.edits and not live:
        document = decoded(write_resolved(request.edits, orjson.dumps(document).decode()))
    made = rendered(request, document, firing)
    return msgspec.structs.replace(made, edits=request.edits) if live else made


def parsed(data: bytes, source: ArtifactLocation) -> Any:
    """Raises Permanent for what is no object in YAML or JSON."""
    try:
        return inline(data.decode(errors="replace"))
    except ExpressionError as exc:
        raise Permanent(f"source {kind_of_source(source)}: the document is {exc.message}") from exc


def rendered(request: FetchRequest, document: Any, firing: str) -> Request:
    """As if the document had stood in the manifest."""
    cls = adapter_class("triggers", request.kind)
    assert cls is not None
    stub = Firing(firing, request.namespace, request.sensor, request.trigger, {}, request.now_ns)
    made: Request = cls.compile(with_document(request.kind, request.config, document))(stub)
    return made


def read_request(cls: type[Trigger[Any, Any]], data: bytes) -> Request:
    """A request that was stored."""
    fetched = cls.resource and "fetch" in msgspec.msgpack.decode(data, type=dict[str, msgspec.Raw])
    request: Request = msgspec.msgpack.decode(data, type=FetchRequest if fetched else cls.request)
    return request

"""webhook: HTTP requests to an endpoint of this process.

Spec      EventSource.spec.webhook.<eventName>
Payload   {header, body, metadata}; header values are lists; body is the JSON of the request, or the
          query (GET) or form fields as name -> list of text
Delivery  at least once: 200 is answered only after the bus has stored the event
Upstream  pkg/eventsources/sources/webhook/start.go
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import TYPE_CHECKING, ClassVar

import orjson

from events.api.common import Problem
from events.api.eventsource import FilteredSourceConfig, WebhookContext
from events.lang.json_parts import metadata_json
from events.sources._base import Emit, Payload, Replay, Source

if TYPE_CHECKING:
    from aiohttp import web


class WebhookConfig(FilteredSourceConfig, WebhookContext):
    """One endpoint; the fields of the HTTP endpoint stand here directly."""

    def problems(self) -> Iterable[Problem]:
        """The rules of an endpoint; without a method every request is refused."""
        yield from WebhookContext.problems(self)
        if not self.method:
            hint = "write method: POST"
            yield Problem("method", "is empty: every request is refused", hint, severity="warning")


class WebhookSource(Source[WebhookConfig]):
    """Every request that is let in becomes one event."""

    kind: ClassVar[str] = "webhook"
    replay: ClassVar[Replay] = "acked"

    async def run(self, emit: Emit) -> None:
        """Serves its endpoint until cancelled. Raises Permanent for an endpoint that cannot be served."""
        from aiohttp import web

        from events.web.hooks import Endpoint, header_json, serve

        metadata = metadata_json(self.cfg.metadata)

        async def handle(request: web.BaseRequest, body: bytes) -> web.Response:
            data = b'{"header":%b,"body":%b%b}' % (header_json(request), event_body(request, body), metadata)
            await emit((Payload(data),))
            return web.Response(text="success")

        endpoint = Endpoint.of(self.cfg, methods=frozenset({self.cfg.method}))
        async with serve(endpoint, self.ctx, handle):
            self.ctx.ready()
            await asyncio.Event().wait()


def event_body(request: web.BaseRequest, body: bytes) -> bytes:
    """The JSON that stands for the request: its own, its query or its form fields. Raises Answer 400."""
    from events.web.hooks import require_json

    if request.method == "GET":
        return orjson.dumps(lists(request.query.items()))
    if request.headers.get("Content-Type", "") == "application/x-www-form-urlencoded":
        return orjson.dumps(form_fields(body))
    return require_json(body)


def form_fields(body: bytes) -> dict[str, list[str]]:
    from urllib.parse import parse_qsl

    from events.web.listeners import Answer

    try:
        pairs = parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=1000)
    except ValueError as exc:
        raise Answer(400, f"the form cannot be read: {exc}\n") from exc
    return lists(pairs)


def lists(pairs: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    """Name -> all its values, in order."""
    found: dict[str, list[str]] = {}
    for name, value in pairs:
        found.setdefault(name, []).append(value)
    return found

"""The API of a running instance, on a unix socket that only its user can open: what the tools talk to.

GET  /v1/<operation>?name=value    operations that only look (see `operations`)
POST /v1/<operation>               all operations; the body is a JSON object of parameters
Errors are {"error": text}: 400 usage, 404 not there, 409 refused, 503 not now.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
from aiohttp import web

from events.errors import EventsError, NotThere, Retryable
from events.runtime.operations import CHANGING, OPERATIONS

if TYPE_CHECKING:
    from events.runtime.desk import Desk

MAX_BODY = 64 * 1024 * 1024
"""Bytes of a request: the socket is the user's own."""


def application(desk: Desk) -> web.Application:
    """All operations over one desk."""

    async def serve(request: web.Request) -> web.Response:
        try:
            name = request.match_info["operation"]
            if name not in OPERATIONS:
                raise NotThere(f"there is no operation {name!r}")
            value = await OPERATIONS[name](desk, await parameters(request, name))
            return respond(200, value)
        except (EventsError, ValueError, msgspec.MsgspecError) as exc:
            return respond(status_of(exc), {"error": str(exc)})

    app = web.Application(client_max_size=MAX_BODY)
    app.router.add_get("/v1/{operation}", serve)
    app.router.add_post("/v1/{operation}", serve)
    return app


async def parameters(request: web.Request, name: str) -> dict[str, Any]:
    """Raises ValueError."""
    if request.method == "GET":
        if name in CHANGING:
            raise ValueError(f"{name} changes something: use POST")
        return dict(request.query)
    body = await request.read()
    try:
        return msgspec.json.decode(body, type=dict[str, Any]) if body else {}
    except RecursionError as exc:
        raise ValueError("the body nests too deeply") from exc


def status_of(error: Exception) -> int:
    if isinstance(error, NotThere):
        return 404
    if isinstance(error, Retryable):
        return 503
    return 409 if isinstance(error, EventsError) else 400


def respond(status: int, value: Any) -> web.Response:
    return web.Response(status=status, body=msgspec.json.encode(value), content_type="application/json")

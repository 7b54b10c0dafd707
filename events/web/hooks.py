"""What sources that are called over HTTP have in common: one endpoint, its token, its limits, its headers.

Upstream  pkg/eventsources/common/webhook/webhook.go; it answers 400 where we say 405, 413, 503
"""

from __future__ import annotations

import hmac
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, NamedTuple, Protocol

import orjson
from aiohttp import web

from events.clients.secrets import Ref, Secrets, secret
from events.errors import Permanent, TooLarge
from events.lang.json_parts import checked_json
from events.web.listeners import Answer, Listeners, Tls, read_body

if TYPE_CHECKING:
    from events.api.eventsource import WebhookContext

MASKED = "*** Masked Auth Secret ***"
"""What upstream puts in place of the Authorization header of an event."""

Handle = Callable[[web.BaseRequest, bytes], Awaitable[web.Response]]


class Lent(Protocol):
    """What of a SourceContext is needed here."""

    @property
    def secrets(self) -> Secrets: ...
    @property
    def listeners(self) -> Listeners: ...
    @property
    def label(self) -> str: ...


class Endpoint(NamedTuple):
    """Where to listen, who may call, how much may be sent."""

    port: int
    path: str
    methods: frozenset[str] | None
    """Allowed methods; None: all."""
    token: Ref | None
    limit: int
    cert: Ref | None
    key: Ref | None

    @classmethod
    def of(cls, spec: WebhookContext, methods: frozenset[str] | None = None) -> Endpoint:
        cert, key = spec.server_cert_secret, spec.server_key_secret
        return cls(
            int(spec.port),
            spec.endpoint if spec.endpoint.startswith("/") else f"/{spec.endpoint}",
            methods,
            secret(spec.auth_secret) if spec.auth_secret else None,
            spec.max_payload_size,
            secret(cert) if cert and key else None,
            secret(key) if cert and key else None,
        )


@asynccontextmanager
async def serve(endpoint: Endpoint, lent: Lent, handle: Handle) -> AsyncIterator[int]:
    """Serve the endpoint while the context lasts; gives the port. Raises Permanent, Retryable."""
    tls = None
    if endpoint.cert is not None and endpoint.key is not None:
        tls = Tls(await lent.secrets.read(endpoint.cert), await lent.secrets.read(endpoint.key))
    if endpoint.token is not None:
        await lent.secrets.read(endpoint.token)  # a missing token is told at start, not at the first request

    async def guarded(request: web.BaseRequest) -> web.Response:
        methods = endpoint.methods
        if methods is not None and request.method not in methods:
            allow = {"Allow": ", ".join(sorted(methods))}
            raise Answer(405, f"method {request.method} is not allowed\n", allow)
        if endpoint.token is not None:
            await check_token(request, endpoint.token, lent.secrets)
        body = await read_body(request, endpoint.limit)
        try:
            return await handle(request, body)
        except TooLarge as exc:
            raise Answer(413, f"{exc}\n") from exc

    route = await lent.listeners.add(endpoint.port, endpoint.path, guarded, tls)
    try:
        yield route.port
    finally:
        await route.aclose()


async def check_token(request: web.BaseRequest, token: Ref, secrets: Secrets) -> None:
    """Bearer token, compared in constant time; read for each request, so a rotated one counts at once."""
    try:
        wanted = await secrets.read(token)
    except Permanent as exc:
        raise Answer(500, "the auth token cannot be read\n") from exc
    scheme, _, given = request.headers.get("Authorization", "").partition(" ")
    if scheme != "Bearer":
        raise Answer(401, "Invalid Authorization Header\n", {"WWW-Authenticate": "Bearer"})
    if not hmac.compare_digest(
        given.encode(errors="surrogateescape"), wanted.encode(errors="surrogateescape")
    ):
        raise Answer(401, "Invalid Auth token\n", {"WWW-Authenticate": "Bearer"})


_names: dict[bytes, str] = {}
"""Header names as they came -> as Go writes them. Bounded: senders choose names."""

NAMES_KEPT = 1000


def canonical(name: bytes) -> str:
    """`X-Github-Event` for any spelling, as Go's http package has it."""
    found = _names.get(name)
    if found is None:
        found = "-".join(part.capitalize() for part in name.decode("latin-1").split("-"))
        if len(_names) < NAMES_KEPT:
            _names[name] = found
    return found


def header_json(request: web.BaseRequest) -> bytes:
    """The headers as JSON: name -> list of values. No Host; the Authorization header is masked."""
    found: dict[str, list[str]] = {}
    for raw, value in request.raw_headers:
        name = canonical(raw)
        if name == "Authorization":
            found[name] = [MASKED]
        elif name != "Host":
            found.setdefault(name, []).append(value.decode("utf-8", "replace"))
    return orjson.dumps(found)


def require_json(body: bytes) -> bytes:
    """The body itself if it is JSON. Raises Answer 400."""
    try:
        return checked_json(body)
    except ValueError as exc:
        raise Answer(400, "the body is not valid JSON\n") from exc

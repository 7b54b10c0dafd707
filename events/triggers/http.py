"""http: one HTTP request per firing.

Spec      Sensor.spec.triggers[].template.http
Sends     the document built from `payload`, for every method; no body without it
Outcome   any answer is an Outcome (`policy.status` judges it); no answer raises
Upstream  pkg/sensors/triggers/http/http.go
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Iterable
from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from events.api.common import (
    TLS,
    BasicAuth,
    Int64,
    NonEmpty,
    Problem,
    SecureHeader,
    StringMap,
    check_choice,
    check_tls,
)
from events.api.sensor import Parameters, TriggerConfig, check_parameters
from events.clients.exchange import Sending, exchange
from events.clients.http import check_url, retry_after, shown
from events.clients.secrets import Ref, secret
from events.clients.tls import TlsRefs, session_of
from events.errors import EvaluationError, ExpressionError, Permanent
from events.event import Firing, Outcome, Request
from events.sensors.parameters import Resolve, compile_payload, compile_source
from events.triggers._base import Render, Trigger
from events.triggers._secure import ref_of
from events.triggers._text import Body

if TYPE_CHECKING:
    from events.api.sensor import TriggerParameter

METHODS = ("GET", "DELETE", "PATCH", "POST", "PUT")


class HTTPConfig(TriggerConfig):
    """One request."""

    url: NonEmpty = Field(description="URL to call")
    payload: Parameters = Field([], description="builds the body from values of the events")
    tls: TLS | None = Field(None, description="certificates of the connection")
    method: str = Field("", description=f"one of {', '.join(METHODS)}; POST when empty")
    timeout: Int64 = Field(0, description="limit of the whole exchange [s]; 60 when 0 or less")
    basic_auth: BasicAuth | None = Field(None, description="user name and password sent with the request")
    headers: StringMap = Field({}, description="headers, sent as they are written")
    secure_headers: list[SecureHeader] = Field([], description="headers from Secrets or ConfigMaps")
    dynamic_headers: Parameters = Field([], description="headers from values of the events; dest is the name")
    host: str = Field("", description="overrides the Host header")

    def problems(self) -> Iterable[Problem]:
        """A known method; whole parameters, payload entries, headers and certificates."""
        yield from check_choice(self.method, "method", METHODS)
        yield from check_parameters(self.parameters, "parameters")
        yield from check_parameters(self.payload, "payload", whole_body=True)
        yield from check_parameters(self.dynamic_headers, "dynamicHeaders", severity="warning")
        yield from check_tls(self.tls, severity="warning")


IGNORED = frozenset({"host", "content-length", "transfer-encoding", "trailer"})
"""Headers that have no effect upstream either: `host` has a field of its own."""

TOKEN = re.compile(r"[-!#$%&'*+.^_`|~0-9A-Za-z]+")
UNSENDABLE = re.compile(r"[\x00-\x08\x0a-\x1f\x7f\ud800-\udfff]")

DEFAULT_TIMEOUT = 60

MASKED = 4
"""Characters that a secret has at least to be looked for in an answer."""


class HTTPRequest(Request, kw_only=True):
    """Headers in the order in which they are set; later ones replace earlier ones of the same name."""

    method: str
    url: str
    headers: dict[str, str]
    secure: dict[str, Ref]
    basic: tuple[Ref | None, Ref | None] | None = None
    content: Body | None = None
    timeout: int = DEFAULT_TIMEOUT
    tls: TlsRefs | None = None

    @property
    def body(self) -> str | None:
        """The body as text."""
        return None if self.content is None else self.content.text


class HTTPTrigger(Trigger[HTTPConfig, HTTPRequest]):
    """Sends requests over pooled connections."""

    kind: ClassVar[str] = "http"
    request: ClassVar[type[Request]] = HTTPRequest

    @classmethod
    def compile(cls, cfg: HTTPConfig) -> Render:
        payload = compile_payload(cfg.payload)
        dynamic = [(item.dest, compile_dynamic(item)) for item in cfg.dynamic_headers if sent(item.dest)]
        fixed = fixed_headers(cfg)
        secure = {item.name: ref_of(item) for item in cfg.secure_headers if sent(item.name)}
        basic, tls = basic_refs(cfg), TlsRefs.of(cfg.tls)
        method, url = cfg.method or "POST", checked_url(cfg.url)
        timeout = cfg.timeout if cfg.timeout > 0 else DEFAULT_TIMEOUT

        def render(firing: Firing) -> HTTPRequest:
            headers = dict(fixed)
            for name, resolve in dynamic:
                value = resolve(firing)
                if value is not None:
                    headers[name] = dynamic_value(name, value.text)
            body = payload(firing)
            return HTTPRequest(
                method=method, url=url, headers=headers, secure=secure, basic=basic,
                content=None if body is None else Body.of(body), timeout=timeout, tls=tls,
            )  # fmt: skip

        return render

    async def fire(self, request: HTTPRequest, firing: str) -> Outcome:
        """Any answer is an Outcome. Raises Retryable (network, timeout), Permanent (URL, TLS, secrets)."""
        session = await session_of(request.tls, self.ctx.secrets, self.ctx.sessions)
        hidden = await self._secret_headers(request)
        headers = {**request.headers, **hidden}
        if not any(name.lower() == "idempotency-key" for name in headers):
            headers["Idempotency-Key"] = firing
        body = None if request.content is None else request.content.encode()
        private = frozenset(name.lower() for name in hidden)
        answer = await exchange(
            session, Sending(request.method, request.url, headers, body, request.timeout, private),
            lanes=self.ctx.sessions.lanes if request.tls is None else None,
        )  # fmt: skip
        said = answer.text.decode(errors="replace")
        return Outcome(
            after=retry_after(answer.headers.get("retry-after", ""), self.ctx.now_ns()),
            status=answer.status, link=shown(request.url),
            detail=f"{answer.status} {masked(said, hidden.values())}".rstrip(),
        )  # fmt: skip

    async def _secret_headers(self, request: HTTPRequest) -> dict[str, str]:
        read = self.ctx.secrets.read
        found = {name: secret_value(ref, await read(ref)) for name, ref in request.secure.items()}
        if request.basic is not None:
            user, password = [("" if ref is None else await read(ref)) for ref in request.basic]
            token = b64encode(f"{user}:{password}".encode(errors="surrogateescape")).decode()
            found["Authorization"] = f"Basic {token}"
        return found


def masked(text: str, hidden: Iterable[str]) -> str:
    """The text for the record: a target may tell us what we sent."""
    for value in hidden:
        for part in (value, value.partition(" ")[2]):  # `Bearer TOKEN`, and TOKEN
            text = text.replace(part, "***") if len(part) >= MASKED else text
    return text


def checked_url(url: str) -> str:
    """Raises ExpressionError."""
    try:
        return check_url(url)
    except ValueError as exc:
        raise ExpressionError(f"the URL cannot be called: {exc}", url) from exc


def sent(name: str) -> bool:
    """Whether a header of this name is sent. Raises ExpressionError for what is no name."""
    if not TOKEN.fullmatch(name):
        raise ExpressionError("not the name of a header", name)
    return name.lower() not in IGNORED


def fixed_headers(cfg: HTTPConfig) -> dict[str, str]:
    """`headers` and `host`. Raises ExpressionError for what cannot be sent."""
    found = {name: text for name, text in cfg.headers.items() if sent(name)}
    if cfg.host:
        found["Host"] = cfg.host
    for name, text in found.items():
        if UNSENDABLE.search(text):
            raise ExpressionError(f"header {name} has characters that cannot be sent", text)
    return found


def dynamic_value(name: str, text: str) -> str:
    if UNSENDABLE.search(text):
        raise EvaluationError(f"header {name} has characters that cannot be sent")
    return text


def secret_value(ref: Ref, text: str) -> str:
    if UNSENDABLE.search(text):
        raise Permanent(f"{ref} has characters that cannot be sent in a header")
    return text


def compile_dynamic(item: TriggerParameter) -> Resolve:
    if item.src is None or not item.dest:
        raise ExpressionError("a dynamic header needs src and dest", item.dest)
    return compile_source(item.src)


def basic_refs(cfg: HTTPConfig) -> tuple[Ref | None, Ref | None] | None:
    auth = cfg.basic_auth
    if auth is None:
        return None
    return (
        secret(auth.username) if auth.username else None,
        secret(auth.password) if auth.password else None,
    )

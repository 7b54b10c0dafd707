"""github: webhooks of GitHub repositories and organizations, registered through its API.

Spec      EventSource.spec.github.<eventName>
Payload   {headers, body, metadata}; body is the JSON of the delivery plus X-GitHub-Event and
          X-GitHub-Delivery
Delivery  at least once: 200 is answered only after the bus has stored the event; the delivery id makes
          a redelivery harmless
Upstream  pkg/eventsources/sources/github/start.go
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import parse_qs

import orjson
from pydantic import Field

from events.api.common import GithubApp, Int64, Model, Problem, SecretKeySelector, Strings, check_choice
from events.api.eventsource import HookSourceConfig
from events.clients.github import PUBLIC, App, AppToken, GitHub, Hooks, fixed_token
from events.clients.secrets import Ref, secret
from events.errors import EventsError
from events.lang.json_parts import metadata_json
from events.sources._base import Emit, Payload, Replay, Source

if TYPE_CHECKING:
    from aiohttp import web

    from events.web.listeners import Answer


class OwnedRepositories(Model):
    """Repositories of one owner."""

    owner: str = Field("", description="user or organization")
    names: Strings = Field([], description="names of the repositories")


class GithubConfig(HookSourceConfig):
    """Webhooks of repositories or of organizations."""

    id: Int64 = Field(0, description="not used")
    repositories: list[OwnedRepositories] = Field([], description="repositories to be called by")
    organizations: Strings = Field([], description="organizations to be called by, instead of repositories")
    owner: str = Field("", description="owner of `repository`; write repositories instead")
    repository: str = Field("", description="one repository; write repositories instead")
    events: Strings = Field([], description="events to register for, as in push; * means all")
    api_token: SecretKeySelector | None = Field(None, description="token of the API; wins over githubApp")
    github_app: GithubApp | None = Field(None, description="login as an app instead of with a token")
    webhook_secret: SecretKeySelector | None = Field(None, description="secret that signs the deliveries")
    insecure: bool = Field(False, description="let GitHub not verify our certificate")
    active: bool = Field(False, description="register the webhook as active")
    content_type: str = Field("", description="json or form; what GitHub chooses when empty")
    github_base_url: str = Field("", alias="githubBaseURL", description="API of GitHub Enterprise")
    github_upload_url: str = Field("", alias="githubUploadURL", description="upload URL of GitHub Enterprise")
    delete_hook_on_finish: bool = Field(False, description="delete the webhooks when the source stops")

    @property
    def all_repositories(self) -> list[OwnedRepositories]:
        """`repositories`, or the deprecated pair of owner and repository."""
        if self.repositories or not (self.owner and self.repository):
            return self.repositories
        return [OwnedRepositories(owner=self.owner, names=[self.repository])]

    @property
    def registers(self) -> bool:
        """True when webhooks are created at GitHub: there is a login and a public URL."""
        return bool((self.api_token or self.github_app) and self.webhook.url)

    def problems(self) -> Iterable[Problem]:
        """Repositories or organizations, events to register for, both Enterprise URLs."""
        yield from self._targets()
        if self.registers and not self.events:
            hint = 'as in events: ["push"]'
            yield Problem("events", "is empty, but webhooks are to be created", hint, "required")
        yield from check_choice(self.content_type, "contentType", ("json", "form"))
        if bool(self.github_base_url) != bool(self.github_upload_url):
            hint = "write both or none"
            yield Problem("", "has only one of githubBaseURL and githubUploadURL", hint, "choice")

    def _targets(self) -> Iterator[Problem]:
        if self.all_repositories and self.organizations:
            yield Problem("organizations", "cannot be combined with repositories", "use two events", "choice")
        if not (self.all_repositories or self.organizations):
            hint = "as in repositories: [{owner: OWNER, names: [NAME]}]"
            yield Problem("", "has neither repositories nor organizations", hint, "required")


RENEW = 600.0
"""Seconds between looks whether our hooks are still there."""

RETRY = 30.0
"""Seconds until the next try when they could not be made."""

ALGORITHMS = {"sha256": hashlib.sha256, "sha1": hashlib.sha1, "sha512": hashlib.sha512}


class GithubSource(Source[GithubConfig]):
    """Deliveries of GitHub, and the hooks that ask for them."""

    kind: ClassVar[str] = "github"
    replay: ClassVar[Replay] = "acked"
    example: ClassVar[dict[str, Any]] = {
        "headers": {"X-Github-Event": ["push"], "X-Github-Delivery": ["72d3162e"]},
        "body": {"X-GitHub-Event": "push", "ref": "refs/heads/main"},
    }

    async def run(self, emit: Emit) -> None:
        """Serves its endpoint until cancelled. Raises Permanent for an endpoint that cannot be served."""
        from aiohttp import web

        from events.web.hooks import Endpoint, header_json, serve

        key = await self._key()
        metadata = metadata_json(self.cfg.metadata)

        async def handle(request: web.BaseRequest, body: bytes) -> web.Response:
            if key is not None:
                check_signature(request, body, key)
            payload = require_object(delivered(request, body))
            event, delivery = name_and_delivery(request)
            if event == "ping" and not {"ping", "*"} & set(self.cfg.events):
                return web.Response(text="pong")
            data = b'{"headers":%b,"body":%b%b}' % (
                header_json(request), named(payload, event, delivery), metadata,
            )  # fmt: skip
            await emit((Payload(data, delivery or None),))
            return web.Response(text="success")

        async with serve(Endpoint.of(self.cfg.webhook), self.ctx, handle):
            self.ctx.ready()
            await self._keep_hooks()

    async def _key(self) -> bytes | None:
        ref = self.cfg.webhook_secret
        if ref is None:
            self.ctx.log.warning(
                "event source %s: without webhookSecret anybody can send events to it", self.ctx.label
            )
            return None
        return (await self.ctx.secrets.read(secret(ref))).encode(errors="surrogateescape")

    # hooks

    async def _keep_hooks(self) -> None:
        """Make our hooks at GitHub, look after them, and take them back in the end if so configured."""
        if not self.cfg.registers:
            await asyncio.Event().wait()
        made: dict[Hooks, int] = {}
        try:
            while True:
                await asyncio.sleep(RENEW if await self._make_hooks(made) else RETRY)
        finally:
            if self.cfg.delete_hook_on_finish and made:
                await self._delete_hooks(made)

    async def _make_hooks(self, made: dict[Hooks, int]) -> bool:
        """False when something failed: it is told, and deliveries are taken all the same."""
        try:
            api = await self._api()
            wanted = await self._hook()
            for place in places(self.cfg):
                made[place] = await ensure(api, place, wanted)
        except EventsError as exc:
            self.ctx.trouble(f"webhooks at GitHub: {exc}")
            self.ctx.log.error("event source %s: webhooks at GitHub: %s", self.ctx.label, exc)
            return False
        self.ctx.ready()
        return True

    async def _delete_hooks(self, made: dict[Hooks, int]) -> None:
        api = await self._api()
        for place, number in made.items():
            try:
                await api.delete(place, number)
            except EventsError as exc:
                self.ctx.log.error("event source %s: deleting a webhook: %s", self.ctx.label, exc)

    async def _api(self) -> GitHub:
        cfg, session = self.cfg, self.ctx.sessions.get()
        base = cfg.github_base_url or PUBLIC
        if cfg.api_token is not None:
            return GitHub(session, base, fixed_token(await self._read(secret(cfg.api_token))))
        app = cfg.github_app
        assert app is not None  # cfg.registers
        identity = App(await self._read(secret(app.private_key)), app.app_id, app.installation_id)
        return GitHub(session, base, AppToken(session, base, identity))

    async def _read(self, ref: Ref) -> str:
        return (await self.ctx.secrets.read(ref)).strip()

    async def _hook(self) -> dict[str, Any]:
        """The hook as GitHub's API wants it."""
        cfg = self.cfg
        config: dict[str, Any] = {"url": hook_url(cfg), "insecure_ssl": "1" if cfg.insecure else "0"}
        if cfg.content_type:
            config["content_type"] = cfg.content_type
        if cfg.webhook_secret is not None:
            config["secret"] = await self.ctx.secrets.read(secret(cfg.webhook_secret))
        return {"active": cfg.active, "events": list(cfg.events), "config": config}


async def ensure(api: GitHub, place: Hooks, wanted: dict[str, Any]) -> int:
    """The number of our hook there: found again, brought up to date, or created."""
    async for hook in api.hooks(place):
        if hook.get("config", {}).get("url") == wanted["config"]["url"]:
            number: int = hook["id"]
            if differs(hook, wanted):
                await api.update(place, number, wanted)
            return number
    return await api.create(place, wanted)


def differs(hook: dict[str, Any], wanted: dict[str, Any]) -> bool:
    """GitHub never shows the secret, so that cannot be compared."""
    shown = {key: value for key, value in wanted["config"].items() if key != "secret"}
    return (
        set(hook.get("events", ())) != set(wanted["events"])
        or bool(hook.get("active")) != wanted["active"]
        or any(str(hook["config"].get(key)) != value for key, value in shown.items())
    )


def places(cfg: GithubConfig) -> Iterator[Hooks]:
    for organization in cfg.organizations:
        yield Hooks(f"orgs/{organization}")
    for owned in cfg.all_repositories:
        for name in owned.names:
            yield Hooks(f"repos/{owned.owner}/{name}")


def hook_url(cfg: GithubConfig) -> str:
    return f"{cfg.webhook.url.rstrip('/')}/{cfg.webhook.endpoint.lstrip('/')}"


def refused(status: int, text: str) -> Answer:
    """To be raised; HTTP is imported by those who run, not by those who only read manifests."""
    from events.web.listeners import Answer

    return Answer(status, text)


def check_signature(request: web.BaseRequest, body: bytes, key: bytes) -> None:
    """HMAC over the raw body, compared in constant time. Raises Answer 401."""
    headers = request.headers
    given = headers.get("X-Hub-Signature-256") or headers.get("X-Hub-Signature") or ""
    name, _, signature = given.partition("=")
    if name not in ALGORITHMS:
        raise refused(401, "the signature is missing\n")
    expected = hmac.digest(key, body, name).hex()
    if not hmac.compare_digest(expected, signature.encode("ascii", "replace").decode()):
        raise refused(401, "the signature is wrong\n")


def delivered(request: web.BaseRequest, body: bytes) -> bytes:
    """The JSON of a delivery, which may come in a form. Raises Answer 400."""
    kind = request.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    if kind == "application/json":
        return body
    if kind != "application/x-www-form-urlencoded":
        raise refused(400, f"content type {kind!r} is not one that GitHub sends\n")
    try:
        fields = parse_qs(body.decode(), max_num_fields=10)
    except ValueError as exc:
        raise refused(400, f"the form cannot be read: {exc}\n") from exc
    if "payload" not in fields:
        raise refused(400, "the form has no field payload\n")
    return fields["payload"][0].encode()


def require_object(text: bytes) -> bytes:
    """The text, if it is a JSON object. Raises Answer 400."""
    from events.web.hooks import require_json

    body = require_json(text).strip(b" \t\r\n")
    if not body.startswith(b"{"):
        raise refused(400, "the payload is not a JSON object\n")
    return body


def name_and_delivery(request: web.BaseRequest) -> tuple[str, str]:
    event, delivery = (request.headers.get(name, "") for name in ("X-GitHub-Event", "X-GitHub-Delivery"))
    return event.encode(errors="replace").decode(), delivery.encode(errors="replace").decode()


def named(body: bytes, event: str, delivery: str) -> bytes:
    """The payload with the names of event and delivery in front: everything else stays byte for byte."""
    head = b'{"X-GitHub-Delivery":%b,"X-GitHub-Event":%b' % (orjson.dumps(delivery), orjson.dumps(event))
    rest = body[1:].lstrip(b" \t\r\n")
    return head + (b"}" if rest == b"}" else b"," + rest)

"""github: signatures, pings, payloads, and hooks made through a stand-in of GitHub's API."""

from __future__ import annotations

import asyncio
import hmac
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web

from events.testing.sources import Rig, rigged

SECRET = "It's a Secret to Everybody"
RAW: dict[str, Any] = {
    "webhook": {"endpoint": "/push", "port": "0", "method": "POST"},
    "repositories": [{"owner": "acme", "names": ["shop"]}],
    "events": ["push"],
    "webhookSecret": {"name": "hook", "key": "secret"},
    "metadata": {"k": "v"},
}
SECRETS = {"hook/secret": SECRET, "gh/token": "ghp_example"}


def signed(body: bytes, algorithm: str = "sha256", header: str = "X-Hub-Signature-256") -> dict[str, str]:
    return {header: f"{algorithm}={hmac.digest(SECRET.encode(), body, algorithm).hex()}"}


async def send(rig: Rig, body: bytes, headers: dict[str, str], event: str = "push") -> int:
    url = f"http://127.0.0.1:{rig.listeners.ports[0]}/push"
    named = {
        "Content-Type": "application/json",
        "X-GitHub-Event": event,
        "X-GitHub-Delivery": "72d3162e",
        **headers,
    }
    async with rig.sessions.get().post(url, data=body, headers=named) as answer:
        return answer.status


async def test_delivery_in_upstream_s_shape_with_its_id():
    async with rigged(SECRETS) as rig:
        await rig.start("github", RAW)
        body = b'{"ref":"refs/heads/main", "big": 12345678901234567890}'
        assert await send(rig, body, signed(body)) == 200
        (data,) = rig.data
        assert data["body"] == {
            "X-GitHub-Delivery": "72d3162e",
            "X-GitHub-Event": "push",
            "ref": "refs/heads/main",
            "big": 12345678901234567890,
        }
        assert data["headers"]["X-Github-Event"] == ["push"]
        assert data["metadata"] == {"k": "v"}
        assert rig.emitted[0].id == "72d3162e"


async def test_empty_object_is_a_payload():
    async with rigged(SECRETS) as rig:
        await rig.start("github", RAW)
        assert await send(rig, b" { } ", signed(b" { } ")) == 200
        assert set(rig.data[0]["body"]) == {"X-GitHub-Delivery", "X-GitHub-Event"}


@pytest.mark.parametrize(
    ("algorithm", "header"),
    [("sha256", "X-Hub-Signature-256"), ("sha1", "X-Hub-Signature"), ("sha512", "X-Hub-Signature")],
)
async def test_signature_algorithms(algorithm: str, header: str):
    async with rigged(SECRETS) as rig:
        await rig.start("github", RAW)
        assert await send(rig, b"{}", signed(b"{}", algorithm, header)) == 200


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"X-Hub-Signature-256": ""},
        {"X-Hub-Signature-256": "sha256="},
        {"X-Hub-Signature-256": "sha256=" + "0" * 64},
        {"X-Hub-Signature-256": "md5=" + "0" * 32},
        {"X-Hub-Signature-256": signed(b"{} ")["X-Hub-Signature-256"]},
        {"X-Hub-Signature-256": "sha256=ü"},
    ],
)
async def test_wrong_or_missing_signature_is_401(headers: dict[str, str]):
    async with rigged(SECRETS) as rig:
        await rig.start("github", RAW)
        assert await send(rig, b"{}", headers) == 401
        assert not rig.emitted


async def test_form_delivery_is_signed_over_the_raw_body():
    async with rigged(SECRETS) as rig:
        await rig.start("github", RAW)
        body = b"payload=%7B%22ref%22%3A%22x%22%7D"
        kind = {"Content-Type": "application/x-www-form-urlencoded"}
        assert await send(rig, body, {**signed(body), **kind}) == 200
        assert rig.data[0]["body"]["ref"] == "x"


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"[]", "application/json"),
        (b"x", "application/json"),
        (b"{}", "text/plain"),
        (b"a=1", "application/x-www-form-urlencoded"),
    ],
)
async def test_what_github_never_sends_is_400(body: bytes, kind: str):
    async with rigged(SECRETS) as rig:
        await rig.start("github", RAW)
        assert await send(rig, body, {**signed(body), "Content-Type": kind}) == 400


async def test_ping_is_answered_and_published_only_when_asked_for():
    async with rigged(SECRETS) as rig:
        await rig.start("github", RAW)
        assert await send(rig, b"{}", signed(b"{}"), "ping") == 200
        assert not rig.emitted
    async with rigged(SECRETS) as rig:
        await rig.start("github", {**RAW, "events": ["*"]})
        assert await send(rig, b"{}", signed(b"{}"), "ping") == 200
        assert len(rig.emitted) == 1


class Api:
    """A stand-in of GitHub's API for hooks and App tokens; pages hold two hooks."""

    def __init__(self) -> None:
        self.hooks: dict[int, dict[str, Any]] = {}
        self.calls: list[tuple[str, str, str]] = []
        self.refuse = 0

    async def start(self) -> str:
        app = web.Application()
        app.router.add_route("*", "/{tail:.*}", self._serve)
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        return f"http://127.0.0.1:{self._runner.addresses[0][1]}/api/v3"

    async def _serve(self, request: web.Request) -> web.Response:
        self.calls.append((request.method, request.path, request.headers.get("Authorization", "")))
        if self.refuse:
            return web.json_response({"message": "Bad credentials"}, status=self.refuse)
        if request.path.endswith("/access_tokens"):
            return web.json_response({"token": "ghs_installation"}, status=201)
        return await getattr(self, f"_{request.method.lower()}")(request)

    async def _get(self, request: web.Request) -> web.Response:
        per, page = int(request.query["per_page"]), int(request.query["page"])
        found = list(self.hooks.values())[(page - 1) * per : page * per]
        return web.json_response(found)

    async def _post(self, request: web.Request) -> web.Response:
        number = len(self.hooks) + 1
        self.hooks[number] = {"id": number, **await request.json()}
        return web.json_response(self.hooks[number], status=201)

    async def _patch(self, request: web.Request) -> web.Response:
        number = int(request.path.rpartition("/")[2])
        self.hooks[number].update(await request.json())
        return web.json_response(self.hooks[number])

    async def _delete(self, request: web.Request) -> web.Response:
        del self.hooks[int(request.path.rpartition("/")[2])]
        return web.Response(status=204)

    async def stop(self) -> None:
        await self._runner.cleanup()


@pytest.fixture
async def api() -> AsyncIterator[Api]:
    api = Api()
    api.base = await api.start()  # type: ignore[attr-defined]
    yield api
    await api.stop()


def registering(api: Api, **more: Any) -> dict[str, Any]:
    base = api.base  # type: ignore[attr-defined]
    webhook = {**RAW["webhook"], "url": "https://hooks.example.test/"}
    raw = {**RAW, "webhook": webhook, "githubBaseURL": base, "githubUploadURL": base, "active": True}
    return {**raw, "apiToken": {"name": "gh", "key": "token"}, "contentType": "json", **more}


async def until(holds: Any) -> None:
    async with asyncio.timeout(5):
        while not holds():
            await asyncio.sleep(0.01)


async def test_creates_the_hook_with_its_secret(api: Api):
    async with rigged(SECRETS) as rig:
        await rig.start("github", registering(api))
        await until(lambda: api.hooks)
    (hook,) = api.hooks.values()
    assert hook["events"] == ["push"]
    assert hook["active"] is True
    assert hook["config"] == {
        "url": "https://hooks.example.test/push",
        "content_type": "json",
        "insecure_ssl": "0",
        "secret": SECRET,
    }
    assert {call[1] for call in api.calls} == {"/api/v3/repos/acme/shop/hooks"}
    assert {call[2] for call in api.calls} == {"token ghp_example"}


async def test_finds_its_hook_again_and_brings_it_up_to_date(api: Api):
    other = {"name": "web", "events": ["push"], "active": True, "config": {"url": "https://else.test/"}}
    api.hooks = {number: {"id": number, **other} for number in range(1, 102)}
    mine = {"url": "https://hooks.example.test/push", "content_type": "json", "insecure_ssl": "0"}
    api.hooks[101] = {"id": 101, "name": "web", "events": ["issues"], "active": True, "config": mine}
    async with rigged(SECRETS) as rig:
        await rig.start("github", registering(api))
        await until(lambda: api.hooks[101]["events"] == ["push"])
    assert len(api.hooks) == 101
    assert not [call for call in api.calls if call[0] == "POST"]


async def test_organizations_and_removal_at_the_end(api: Api):
    async with rigged(SECRETS) as rig:
        raw = registering(api, repositories=[], organizations=["acme"], deleteHookOnFinish=True)
        await rig.start("github", raw)
        await until(lambda: api.hooks)
        await rig.stop()
    assert not api.hooks
    assert api.calls[-1][:2] == ("DELETE", "/api/v3/orgs/acme/hooks/1")


async def test_app_credentials_get_an_installation_token(api: Api):
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import rsa

    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.TraditionalOpenSSL,
        serialization.NoEncryption(),
    ).decode()
    app = {"privateKey": {"name": "app", "key": "pem"}, "appID": 7, "installationID": 9}
    async with rigged({**SECRETS, "app/pem": pem}) as rig:
        raw = registering(api, githubApp=app)
        del raw["apiToken"]
        await rig.start("github", raw)
        await until(lambda: api.hooks)
    token = api.calls[0]
    assert token[:2] == ("POST", "/api/v3/app/installations/9/access_tokens")
    assert token[2].startswith("Bearer ey")
    assert api.calls[-1][2] == "token ghs_installation"


async def test_refused_credentials_are_told_and_deliveries_go_on(api: Api):
    api.refuse = 401
    async with rigged(SECRETS) as rig:
        await rig.start("github", registering(api))
        await until(lambda: rig.troubles)
        assert "Bad credentials" in rig.troubles[0]
        assert await send(rig, b"{}", signed(b"{}")) == 200

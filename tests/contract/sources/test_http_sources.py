"""The clauses of sources, on the sources that are called over HTTP."""

from __future__ import annotations

import hmac
from typing import ClassVar

import aiohttp
import pytest

import events.web.listeners
from events.testing.sources import Rig, SourceContract

SECRET = "s3cret-of-the-hook"
TOKEN = "t0ken-of-the-endpoint"
TOPIC = "arn:aws:sns:us-east-1:123456789012:orders"


async def status_of(rig: Rig, path: str, body: bytes, headers: dict[str, str]) -> int:
    url = f"http://127.0.0.1:{rig.listeners.ports[0]}{path}"
    async with rig.sessions.get().post(url, data=body, headers=headers) as answer:
        return answer.status


class TestWebhook(SourceContract):
    kind = "webhook"
    secrets: ClassVar = {"auth/token": TOKEN}

    async def begin(self, rig: Rig) -> None:
        auth = {"name": "auth", "key": "token"}
        await rig.start(self.kind, {"endpoint": "/in", "port": "0", "method": "POST", "authSecret": auth})

    async def send(self, rig: Rig) -> bool:
        headers = {"Content-Type": "application/json", "Authorization": f"Bearer {TOKEN}"}
        try:
            return await status_of(rig, "/in", b"{}", headers) == 200
        except (aiohttp.ClientError, IndexError):
            return False


class Hasty(SourceContract):
    """Listeners that part sooner: what they take in truth is seen with `webhook`, and is the same for all."""

    @pytest.fixture(autouse=True)
    def _hasty(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(events.web.listeners, "CLOSING", 0.1)


class TestSNS(Hasty):
    kind = "sns"
    secrets: ClassVar = {"auth/token": TOKEN}

    async def begin(self, rig: Rig) -> None:
        hook = {"endpoint": "/in", "port": "0", "authSecret": {"name": "auth", "key": "token"}}
        await rig.start(self.kind, {"webhook": hook, "topicArn": TOPIC, "region": "us-east-1"})

    async def send(self, rig: Rig) -> bool:
        headers = {"Content-Type": "text/plain; charset=UTF-8", "Authorization": f"Bearer {TOKEN}"}
        body = f'{{"Type":"Notification","MessageId":"m","TopicArn":"{TOPIC}","Message":"hello"}}'
        try:
            return await status_of(rig, "/in", body.encode(), headers) == 200
        except (aiohttp.ClientError, IndexError):
            return False


class TestGithub(Hasty):
    kind = "github"
    secrets: ClassVar = {"hook/secret": SECRET}

    async def begin(self, rig: Rig) -> None:
        raw = {
            "webhook": {"endpoint": "/push", "port": "0", "method": "POST"},
            "repositories": [{"owner": "acme", "names": ["shop"]}],
            "events": ["push"],
            "webhookSecret": {"name": "hook", "key": "secret"},
        }
        await rig.start(self.kind, raw)

    async def send(self, rig: Rig) -> bool:
        body = b'{"ref":"refs/heads/main"}'
        headers = {
            "Content-Type": "application/json",
            "X-GitHub-Event": "push",
            "X-GitHub-Delivery": "72d3162e",
            "X-Hub-Signature-256": "sha256=" + hmac.digest(SECRET.encode(), body, "sha256").hex(),
        }
        try:
            return await status_of(rig, "/push", body, headers) == 200
        except (aiohttp.ClientError, IndexError):
            return False

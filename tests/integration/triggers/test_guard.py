"""The address guard before every trigger that connects: it is told, and the server sees no connection."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import orjson
import pytest

from events.clients.http import Sessions
from events.errors import Permanent
from events.registry import adapter_class, trigger_kinds
from events.testing.proxy import Proxy
from events.testing.triggers import dead_port, parameter, rigged

PAYLOAD = [parameter("n", "n")]
KEYS = {"accessKey": {"name": "k", "key": "id"}, "secretKey": {"name": "k", "key": "key"}}
PASSWORD = {"name": "k", "key": "key"}

CONFIGS: dict[str, dict[str, Any]] = {
    "awsLambda": {"functionName": "f", "region": "r", "payload": PAYLOAD, **KEYS},
    "email": {
        "host": "127.0.0.1", "port": 0, "from": "a@example.com", "to": ["b@example.com"], "subject": "s",
        "body": "b",
    },
    "http": {"url": "http://AT/", "payload": PAYLOAD},
    "kafka": {"url": "AT", "topic": "t", "payload": PAYLOAD},
    "nats": {"url": "nats://AT", "subject": "s", "payload": PAYLOAD},
    "slack": {"endpoint": "http://AT", "channel": "c", "message": "m", "slackToken": PASSWORD},
}  # fmt: skip

STAYING = {"argoWorkflow", "k8s", "log"}
"""These connect to nothing that a manifest names, but for their documents."""

DOCUMENTS: dict[str, dict[str, Any]] = {
    "git": {"url": "http://AT/shop.git", "filePath": "a.yaml", "cloneDirectory": "shop"},
    "git-ssh": {"url": "ssh://AT/shop.git", "filePath": "a.yaml", "cloneDirectory": "shop"},
    "s3": {
        "endpoint": "AT",
        "insecure": True,
        "bucket": {"name": "b", "key": "a.yaml"},
        "region": "r",
        **KEYS,
    },
    "url": {"path": "http://AT/a.yaml"},
}


@pytest.fixture
async def server(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Proxy]:
    """Counts connections; there is nothing behind it."""
    with dead_port() as port:
        async with Proxy(port) as proxy:
            monkeypatch.setenv("AWS_ENDPOINT_URL_LAMBDA", f"http://127.0.0.1:{proxy.port}")
            yield proxy


async def fire(server: Proxy, kind: str, config: dict[str, Any]) -> None:
    raw = orjson.loads(orjson.dumps(config).replace(b"AT", f"127.0.0.1:{server.port}".encode()))
    if "port" in raw:
        raw["port"] = server.port
    async with rigged({"k/id": "AKIA", "k/key": "hidden"}) as rig:
        rig.sessions = rig.documents._sessions = Sessions("strict")
        with pytest.raises(Permanent, match=r"(?i)address guard.*see --guard"):
            await rig.run(kind, raw, {"n": 1})
    assert server.accepted == 0


def test_no_trigger_is_forgotten():
    there_is = {kind for kind in trigger_kinds() if adapter_class("triggers", kind) is not None}
    assert there_is == CONFIGS.keys() | STAYING


@pytest.mark.parametrize("kind", CONFIGS)
async def test_a_target_that_is_refused_is_told(kind: str, server: Proxy):
    await fire(server, kind, CONFIGS[kind])


@pytest.mark.parametrize("kind", DOCUMENTS)
async def test_a_document_whose_place_is_refused_is_told(kind: str, server: Proxy):
    source = {kind.partition("-")[0]: DOCUMENTS[kind]}
    await fire(server, "argoWorkflow", {"operation": "submit", "source": source})

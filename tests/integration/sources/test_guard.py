"""The address guard before every source that connects: it is told, and the server sees no connection."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import orjson
import pytest

from events.clients.http import Sessions
from events.errors import Permanent
from events.registry import adapter_class, source_kinds
from events.testing.proxy import Proxy
from events.testing.servers import free_port
from events.testing.sources import rigged
from events.testing.triggers import dead_port

KEYS = {"accessKey": {"name": "k", "key": "id"}, "secretKey": {"name": "k", "key": "key"}}
LOGIN = {"username": {"name": "k", "key": "id"}, "password": {"name": "k", "key": "key"}}

CONFIGS: dict[str, dict[str, Any]] = {
    "amqp": {"url": "amqp://AT", "exchangeName": "x", "exchangeType": "topic", "routingKey": "#"},
    "kafka": {"url": "AT", "topic": "t", "partition": "0"},
    "minio": {"endpoint": "AT", "insecure": True, "bucket": {"name": "b"}, **KEYS},
    "mqtt": {"url": "tcp://AT", "topic": "t", "clientId": "c"},
    "mqtt over ws": {"url": "ws://AT/mqtt", "topic": "t", "clientId": "c"},
    "nats": {"url": "nats://AT", "subject": "s"},
    "redis": {"hostAddress": "AT", "channels": ["c"]},
    "redisStream": {"hostAddress": "AT", "streams": ["s"], "consumerGroup": "g"},
    "s3": {"bucket": "b", "region": "r", "endpoint": "http://AT", "poll": {"interval": "1s"}, **KEYS},
    "sftp": {
        "eventType": "CREATE", "watchPathConfig": {"directory": "/in", "path": "x"},
        "address": {"name": "k", "key": "at"}, **LOGIN,
    },
    "sqs": {"region": "r", "queue": "q", "endpoint": "http://AT", **KEYS},
}  # fmt: skip

SERVING: dict[str, dict[str, Any]] = {
    "github": {
        "repositories": [{"owner": "acme", "names": ["shop"]}], "events": ["push"],
        "apiToken": {"name": "k", "key": "key"}, "githubBaseURL": "http://AT/", "githubUploadURL": "http://AT/",
    },
    "sns": {"topicArn": "arn:aws:sns:r:1:t", "region": "r", "endpoint": "http://AT", **KEYS},
}  # fmt: skip
"""These go on serving their endpoint, and tell what is wrong."""

STAYING = {"calendar", "file", "resource", "webhook"}
"""These connect to nothing that a manifest names."""


@pytest.fixture
async def server() -> AsyncIterator[Proxy]:
    """Counts connections; there is nothing behind it."""
    with dead_port() as port:
        async with Proxy(port) as proxy:
            yield proxy


def there(config: dict[str, Any], server: Proxy) -> Any:
    """The config with this address."""
    return orjson.loads(orjson.dumps(config).replace(b"AT", f"127.0.0.1:{server.port}".encode()))


@asynccontextmanager
async def guarded(server: Proxy, guard: Any = "strict") -> AsyncIterator[Any]:
    async with rigged({"k/id": "AKIA", "k/key": "hidden", "k/at": f"127.0.0.1:{server.port}"}) as rig:
        rig.sessions = Sessions(guard)
        yield rig


def test_no_source_is_forgotten():
    there_is = {kind for kind in source_kinds() if adapter_class("sources", kind) is not None}
    assert there_is == {name.partition(" ")[0] for name in CONFIGS} | SERVING.keys() | STAYING


@pytest.mark.parametrize("name", CONFIGS)
async def test_a_source_whose_server_is_refused_ends_for_good(name: str, server: Proxy):
    async with guarded(server) as rig:
        await rig.start(name.partition(" ")[0], there(CONFIGS[name], server), wait=False)
        await asyncio.wait([rig.task], timeout=10)
        assert rig.task.done(), "it still runs"
        with pytest.raises(Permanent, match=r"(?i)address guard.*see --guard"):
            await rig.task
    assert server.accepted == 0


@pytest.mark.parametrize("kind", SERVING)
async def test_a_source_that_serves_tells_that_its_server_is_refused(kind: str, server: Proxy):
    port = free_port()
    hook = {"port": str(port), "endpoint": "/in", "method": "POST", "url": f"http://127.0.0.1:{port}"}
    async with guarded(server) as rig:
        await rig.start(kind, there(SERVING[kind], server) | {"webhook": hook})
        async with asyncio.timeout(10):
            while not rig.troubles:
                await asyncio.sleep(0.01)
        assert "127.0.0.1 is not a public address (address guard 'strict': see --guard)" in rig.troubles[0]
    assert server.accepted == 0


@pytest.mark.parametrize("kind", ["amqp", "redis", "nats"])
async def test_without_the_guard_the_server_is_connected_to(kind: str, server: Proxy):
    """So that the silence of the server above means something."""
    async with guarded(server, "off") as rig:
        await rig.start(kind, there(CONFIGS[kind], server), wait=False)
        async with asyncio.timeout(10):
            while not server.accepted:
                await asyncio.sleep(0.01)

"""The address guard in front of every source that connects: it is told, and the server sees no connection."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from events.clients.http import Sessions
from events.errors import Permanent
from events.registry import adapter_class, source_kinds
from events.testing.servers import free_port
from events.testing.sources import rigged

KEYS = {"accessKey": {"name": "k", "key": "id"}, "secretKey": {"name": "k", "key": "key"}}
LOGIN = {"username": {"name": "k", "key": "id"}, "password": {"name": "k", "key": "key"}}

CONFIGS: dict[str, dict[str, Any]] = {
    "amqp": {"url": "amqp://AT", "exchangeName": "x", "exchangeType": "topic", "routingKey": "#"},
    "kafka": {"url": "AT", "topic": "t", "partition": "0"},
    "minio": {"endpoint": "AT", "insecure": True, "bucket": {"name": "b"}, **KEYS},
    "mqtt": {"url": "tcp://AT", "topic": "t", "clientId": "c"},
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


class Counted:
    """A server at `at` that counts connections."""

    def __init__(self) -> None:
        self.at, self.accepted = "", 0

    def take(self, _: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.accepted += 1
        writer.close()


@pytest.fixture
async def server() -> AsyncIterator[Counted]:
    counted = Counted()
    listening = await asyncio.start_server(counted.take, "127.0.0.1", 0)
    counted.at = f"127.0.0.1:{listening.sockets[0].getsockname()[1]}"
    yield counted
    listening.close()


def there(config: Any, at: str) -> Any:
    """The config with this address."""
    if isinstance(config, dict):
        return {key: there(value, at) for key, value in config.items()}
    return config.replace("AT", at) if isinstance(config, str) else config


@asynccontextmanager
async def guarded(server: Counted, guard: Any = "strict") -> AsyncIterator[Any]:
    async with rigged({"k/id": "AKIA", "k/key": "hidden", "k/at": server.at}) as rig:
        rig.sessions = Sessions(guard)
        yield rig


def test_no_source_is_forgotten():
    there_is = {kind for kind in source_kinds() if adapter_class("sources", kind) is not None}
    assert there_is == CONFIGS.keys() | SERVING.keys() | STAYING


@pytest.mark.parametrize("kind", CONFIGS)
async def test_a_source_whose_server_is_refused_ends_for_good(kind: str, server: Counted):
    async with guarded(server) as rig:
        await rig.start(kind, there(CONFIGS[kind], server.at), wait=False)
        await asyncio.wait([rig.task], timeout=10)
        assert rig.task.done(), "it still runs"
        with pytest.raises(Permanent, match=r"(?i)address guard.*see --guard"):
            await rig.task
    assert server.accepted == 0


@pytest.mark.parametrize("kind", SERVING)
async def test_a_source_that_serves_tells_that_its_server_is_refused(kind: str, server: Counted):
    port = free_port()
    hook = {"port": str(port), "endpoint": "/in", "method": "POST", "url": f"http://127.0.0.1:{port}"}
    async with guarded(server) as rig:
        await rig.start(kind, there(SERVING[kind], server.at) | {"webhook": hook})
        async with asyncio.timeout(10):
            while not rig.troubles:
                await asyncio.sleep(0.01)
        assert "127.0.0.1 is not a public address (address guard 'strict': see --guard)" in rig.troubles[0]
    assert server.accepted == 0


@pytest.mark.parametrize("kind", ["amqp", "redis", "nats"])
async def test_without_the_guard_the_server_is_connected_to(kind: str, server: Counted):
    """So that the silence of the server above means something."""
    async with guarded(server, "off") as rig:
        await rig.start(kind, there(CONFIGS[kind], server.at), wait=False)
        async with asyncio.timeout(10):
            while not server.accepted:
                await asyncio.sleep(0.01)

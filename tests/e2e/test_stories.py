"""The stories in examples/: an upload starts ETL, a push CI, an alert reaches Slack, orders are passed on.

Each runs as it is but for its addresses, against real servers; Workflows once into the local store and once
into a real API server, where `argo lint` has to take them.
"""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple

import aiohttp
import pytest
from aiobotocore.session import get_session
from aiohttp import web

from events.testing.servers import free_port
from events.testing.servers.argo import lint
from events.testing.servers.kafka import Kafka
from events.testing.servers.kubernetes import Kube
from events.testing.servers.minio import Minio
from events.testing.slack import SlackAPI
from events.web.pages import Server
from tests.e2e.instance import Instance, deliver

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]

EXAMPLES = Path(__file__).parents[2] / "examples"
WITHIN = 30.0
"""Seconds for anything to arrive."""

WORKFLOWS = "apis/argoproj.io/v1alpha1"


def story(name: str, replaced: Mapping[str, str]) -> str:
    """The manifests of a folder as one text, with other addresses."""
    files = [file for file in sorted((EXAMPLES / name).glob("*.yaml")) if ".test." not in file.name]
    text = "\n---\n".join(file.read_text() for file in files)
    for old, new in replaced.items():
        assert old in text, old
        text = text.replace(old, new)
    return text


class Place(NamedTuple):
    """Where the Workflows of a story go."""

    options: tuple[str, ...]
    kube: Kube | None
    namespace: str

    async def workflows(self, instance: Instance, count: int) -> list[dict[str, Any]]:
        """Once there are so many, oldest first; each is one that the real Argo takes."""
        async with asyncio.timeout(WITHIN):
            while len(found := await self._found(instance)) < count:
                await asyncio.sleep(0.2)
        found.sort(key=lambda one: (one["metadata"]["creationTimestamp"], one["metadata"]["name"]))
        assert lint(*map(written, found), *instance.templates()) == []
        return found

    async def _found(self, instance: Instance) -> list[dict[str, Any]]:
        if self.kube is None:
            found: list[dict[str, Any]] = await instance.get("workflows")
            return found
        path = f"/{WORKFLOWS}/namespaces/{self.namespace}/workflows"
        items = (await asyncio.to_thread(self.kube.call, "GET", path))["items"]
        return [{"apiVersion": "argoproj.io/v1alpha1", "kind": "Workflow", **one} for one in items]


def written(workflow: dict[str, Any]) -> dict[str, Any]:
    """Without what only a server writes."""
    kept = {key: workflow["metadata"][key] for key in ("name", "labels") if key in workflow["metadata"]}
    return {**{key: workflow[key] for key in ("apiVersion", "kind", "spec")}, "metadata": kept}


def parameters(workflow: dict[str, Any]) -> dict[str, str]:
    return {one["name"]: one["value"] for one in workflow["spec"]["arguments"]["parameters"]}


@pytest.fixture(params=["local", pytest.param("cluster", marks=pytest.mark.servers("kubernetes", "argo"))])
def place(request: pytest.FixtureRequest) -> Place:
    if request.param == "local":
        return Place((), None, "default")
    kube: Kube = request.getfixturevalue("argo_crds")
    namespace = kube.namespace(f"story-{uuid.uuid4().hex[:10]}")
    options = ("--kubeconfig", str(kube.kubeconfig), "--kube-context", "admin", "--namespace", namespace)
    return Place(options, kube, namespace)


@pytest.fixture
async def running(tmp_path: Path) -> AsyncIterator[Any]:
    """Starts a story; it is ended with the test."""
    instances: list[Instance] = []

    async def start(name: str, replaced: Mapping[str, str], *options: str) -> Instance:
        instance = Instance(tmp_path, story(name, replaced), *options)
        instances.append(instance)
        await instance.start()
        return instance

    yield start
    for instance in instances:
        await instance.close()


@asynccontextmanager
async def serving(handle: Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]) -> AsyncIterator[int]:
    """A stand-in on a free port."""
    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", handle)
    server = Server(app)
    try:
        yield await server.tcp("127.0.0.1", 0)
    finally:
        await server.aclose()


# an upload starts an ETL run


@pytest.mark.servers("minio", "argo")
async def test_s3_etl(running: Any, place: Place, minio_server: Minio):
    bucket = f"uploads-{uuid.uuid4().hex[:8]}"
    login = {"aws_access_key_id": minio_server.user, "aws_secret_access_key": minio_server.password}
    at = {"endpoint_url": minio_server.url, "region_name": minio_server.region}
    async with get_session().create_client("s3", **at, **login) as s3:
        await s3.create_bucket(Bucket=bucket)
        replaced = {"http://127.0.0.1:9000": minio_server.url, "bucket: uploads": f"bucket: {bucket}"}
        instance = await running("s3-etl", replaced, *place.options)
        for key in ("in/sales 2026.csv", "in/notes.txt", "out/sales.csv", "in/costs.csv"):
            await s3.put_object(Bucket=bucket, Key=key, Body=b"a,b\n")
        started = await place.workflows(instance, 2)
    assert {parameters(one)["key"] for one in started} == {"in/sales 2026.csv", "in/costs.csv"}
    assert {parameters(one)["bucket"] for one in started} == {bucket}
    assert all(one["metadata"]["name"].startswith("etl-") for one in started)


# a push starts CI


@pytest.mark.servers("argo")
async def test_github_ci(running: Any, place: Place):
    port = free_port()
    secret = {"demo-webhook-secret": "e2e-secret", '"12000"': f'"{port}"'}
    instance = await running("github-ci", secret, *place.options)
    url = f"http://127.0.0.1:{port}/push"
    async with aiohttp.ClientSession() as session:
        for ref in ("refs/heads/main", "refs/heads/try", "refs/tags/v1.2.0"):
            body = {"ref": ref, "after": "4f2a1c9", "repository": {"full_name": "acme/shop"}}
            assert await deliver(session, url, body, str(uuid.uuid4())) == 200
    started = await place.workflows(instance, 2)
    shown = {one["metadata"]["name"].partition("-")[0]: parameters(one)["revision"] for one in started}
    assert shown == {"ci": "4f2a1c9", "release": "v1.2.0"}
    assert {one["spec"]["workflowTemplateRef"]["name"] for one in started} == {"ci", "release"}


# an alert reaches Slack


async def test_slack_alert(running: Any, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("EVENTS_SECRET_SLACK_TOKEN", "xoxb-of-the-test")
    slack, port = SlackAPI("xoxb-of-the-test", frozenset({"oncall"})), free_port()
    async with serving(slack.handle) as stand_in:
        replaced = {"127.0.0.1:12011": f"127.0.0.1:{stand_in}/api", '"12010"': f'"{port}"'}
        await running("slack-alert", replaced)
        alert = json.loads((EXAMPLES / "alert.json").read_text())
        resolved = {**alert, "status": "resolved"}
        async with aiohttp.ClientSession() as session:
            for body in (resolved, alert):
                async with session.post(f"http://127.0.0.1:{port}/alerts", json=body) as answer:
                    assert answer.status == 200
        async with asyncio.timeout(WITHIN):
            while not slack.posted:
                await asyncio.sleep(0.05)
    assert [(one["channel"], one["text"]) for one in slack.posted] == [
        ("oncall", "*DiskFull* on db-1: 97 % of /var is used")
    ]


# one topic, several readers


class Ledger:
    """Books orders, slowly."""

    def __init__(self) -> None:
        self.booked: list[dict[str, Any]] = []

    async def handle(self, request: web.BaseRequest) -> web.Response:
        await asyncio.sleep(0.2)
        self.booked.append(json.loads(await request.read()))
        return web.Response(status=201)


@pytest.mark.servers("kafka")
async def test_kafka_fanout(running: Any, kafka_server: Kafka):
    from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

    orders, large = (f"{name}-{uuid.uuid4().hex[:8]}" for name in ("orders", "large-orders"))
    ledger = Ledger()
    reader = AIOKafkaConsumer(large, bootstrap_servers=kafka_server.brokers, auto_offset_reset="earliest")
    async with serving(ledger.handle) as port:
        replaced = {
            "127.0.0.1:9092": kafka_server.brokers, "topic: orders": f"topic: {orders}",
            "topic: large-orders": f"topic: {large}", "12020": str(port),
        }  # fmt: skip
        async with AIOKafkaProducer(bootstrap_servers=kafka_server.brokers) as producer:
            for order, customer, total in ((1, "bob", 20), (2, "ada", 1250), (3, "eve", 1000)):
                body = {"id": order, "customer": customer, "total": total}
                await producer.send_and_wait(orders, json.dumps(body).encode())
            await producer.partitions_for(large)  # made by being asked for
        await running("kafka-fanout", replaced)
        async with reader, asyncio.timeout(WITHIN):
            copied = [await reader.getone() for _ in range(2)]
            while len(ledger.booked) < 3:
                await asyncio.sleep(0.05)
    assert sorted(ledger.booked, key=lambda one: one["order"]) == [
        {"order": 1, "amount": 20},
        {"order": 2, "amount": 1250},
        {"order": 3, "amount": 1000},
    ]
    assert [(one.key, json.loads(one.value)["order"]) for one in copied] == [(b"ada", 2), (b"eve", 3)]

"""The clauses of triggers, on every kind there is."""

from __future__ import annotations

from base64 import b64decode
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from types import MappingProxyType
from typing import Any

import orjson
import pytest
from aiohttp import web

import events.clients.smtp
import events.triggers.aws_lambda
import events.triggers.slack
from events.testing.mail import MailHandler, mail_server
from events.testing.slack import SlackAPI
from events.testing.triggers import (
    ObjectContract,
    RemoteContract,
    Rig,
    Target,
    TriggerContract,
    dead_port,
    parameter,
    serving,
)

TOKEN = "xoxb-t0ken-of-the-app"
PASSWORD = "pa55word-of-the-user"


class TestHTTP(RemoteContract):
    kind = "http"
    secrets = MappingProxyType({"auth/password": PASSWORD, "auth/token": TOKEN})
    parameters = (parameter("text", "http.headers.X-Text"),)

    @asynccontextmanager
    async def target(self, rig: Rig) -> AsyncIterator[Any]:
        self.server = Target()
        async with serving(self.server.handle) as url:
            yield {
                "url": f"{url}/hook",
                "payload": [parameter("n", "n", useRawData=True)],
                "basicAuth": {"password": {"name": "auth", "key": "password"}},
                "secureHeaders": [
                    {"name": "X-Token", "valueFrom": {"secretKeyRef": {"name": "auth", "key": "token"}}}
                ],
                "timeout": 1,
            }

    def fired(self, rig: Rig) -> list[str]:
        return [text for seen in self.server.seen for text in seen.header("Idempotency-Key")]

    def aimed(self, raw: Any, port: int) -> Any:
        return {**raw, "url": f"http://127.0.0.1:{port}/hook"}

    def hurry(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """`timeout` is a second already."""

    async def refusals(self, rig: Rig, raw: Any) -> Sequence[Any]:
        missing = {"name": "X-Token", "valueFrom": {"secretKeyRef": {"name": "none", "key": "none"}}}
        return [{**raw, "secureHeaders": [missing]}, {**raw, "url": raw["url"].replace("http:", "https:")}]


class TestSlack(RemoteContract):
    kind = "slack"
    secrets = MappingProxyType({"slack/token": TOKEN})
    parameters = (parameter("text", "slack.message"),)

    @asynccontextmanager
    async def target(self, rig: Rig) -> AsyncIterator[Any]:
        self.api = SlackAPI(TOKEN)
        async with serving(self.api.handle) as url:
            yield {
                "slackToken": {"name": "slack", "key": "token"},
                "channel": "#general",
                "endpoint": f"{url}/api",
            }

    def fired(self, rig: Rig) -> list[str]:
        return self.api.keys

    def aimed(self, raw: Any, port: int) -> Any:
        return {**raw, "endpoint": f"http://127.0.0.1:{port}/api"}

    def hurry(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(events.triggers.slack, "TIMEOUT", 0.5)

    async def refusals(self, rig: Rig, raw: Any) -> Sequence[Any]:
        return [{**raw, "channel": "nowhere"}, {**raw, "slackToken": {"name": "none", "key": "none"}}]


class TestLambda(RemoteContract):
    kind = "awsLambda"
    secrets = MappingProxyType({"aws/id": "AKIDEXAMPLE", "aws/key": PASSWORD})
    parameters = (parameter("text", "awsLambda.functionName"),)

    @asynccontextmanager
    async def target(self, rig: Rig) -> AsyncIterator[Any]:
        self.server = Target()
        async with serving(self.server.handle) as url:
            yield {
                "functionName": "f",
                "region": "eu-west-1",
                "endpoint": url,
                "accessKey": {"name": "aws", "key": "id"},
                "secretKey": {"name": "aws", "key": "key"},
                "payload": [parameter("n", "n", useRawData=True)],
            }

    def fired(self, rig: Rig) -> list[str]:
        contexts = [text for seen in self.server.seen for text in seen.header("X-Amz-Client-Context")]
        return [orjson.loads(b64decode(text))["custom"]["firing"] for text in contexts]

    def aimed(self, raw: Any, port: int) -> Any:
        return {**raw, "endpoint": f"http://127.0.0.1:{port}"}

    def hurry(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(events.triggers.aws_lambda, "READ_TIMEOUT", 0.5)

    async def refusals(self, rig: Rig, raw: Any) -> Sequence[Any]:
        denied = {"x-amzn-ErrorType": "AccessDeniedException"}
        self.server.answers = [web.json_response({"Message": "no"}, status=403, headers=denied)]
        return [raw, {**raw, "accessKey": {"name": "none", "key": "none"}}]


class TestEmail(RemoteContract):
    kind = "email"
    secrets = MappingProxyType({"smtp/password": PASSWORD})
    parameters = (parameter("text", "email.body"),)

    @asynccontextmanager
    async def target(self, rig: Rig) -> AsyncIterator[Any]:
        self.handler = MailHandler()
        async with mail_server(self.handler, login=("ci", PASSWORD)) as port:
            yield {
                "host": "127.0.0.1",
                "port": port,
                "username": "ci",
                "smtpPassword": {"name": "smtp", "key": "password"},
                "from": "ci@example.com",
                "to": ["dev+ci@example.com"],
                "subject": "built",
            }

    def fired(self, rig: Rig) -> list[str]:
        return [str(mail.message["Message-ID"]).lstrip("<").split(".")[0] for mail in self.handler.mails]

    def aimed(self, raw: Any, port: int) -> Any:
        return {**raw, "port": port}

    def hurry(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(events.clients.smtp, "TIMEOUT", 0.5)

    async def refusals(self, rig: Rig, raw: Any) -> Sequence[Any]:
        self.handler.refuse["gone@example.com"] = ["550 no such user"]
        return [
            {**raw, "to": ["gone@example.com"]},
            {**raw, "to": ["not an address"]},
            {**raw, "username": "other"},
        ]


class TestK8s(ObjectContract):
    kind = "k8s"
    parameters = (parameter("text", "k8s.source.resource.data.text"),)

    @asynccontextmanager
    async def target(self, rig: Rig) -> AsyncIterator[Any]:
        obj = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"generateName": "made-"}, "data": {}}
        yield {"source": {"resource": obj}, "parameters": [parameter("n", "data.n")]}


class TestArgoWorkflow(ObjectContract):
    kind = "argoWorkflow"
    parameters = (parameter("text", "argoWorkflow.source.resource.spec.entrypoint"),)

    @asynccontextmanager
    async def target(self, rig: Rig) -> AsyncIterator[Any]:
        obj = {
            "apiVersion": "argoproj.io/v1alpha1",
            "kind": "Workflow",
            "metadata": {"generateName": "ci-"},
            "spec": {"templates": []},
        }
        yield {"operation": "submit", "source": {"resource": obj}, "args": ["-p", "n=1"]}


class TestLog(TriggerContract):
    kind = "log"

    @asynccontextmanager
    async def target(self, rig: Rig) -> AsyncIterator[Any]:
        yield {"intervalSeconds": 1}


async def test_ports_that_nobody_listens_on_stay_dead():
    with dead_port() as one, dead_port() as other:
        assert one != other

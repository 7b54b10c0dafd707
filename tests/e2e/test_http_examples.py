"""The examples whose sources or targets speak HTTP, of e-mail, of the log and of the calendar."""

from __future__ import annotations

import asyncio
import io
import json
import zipfile
from base64 import b64decode
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import aiohttp
import pytest
from aiohttp import web

from events.testing.aws import Cloud, cloud
from events.testing.mail import MailHandler, mail_server
from events.testing.servers import free_port
from events.testing.servers.moto import Moto
from events.testing.slack import SlackAPI
from events.testing.triggers import Target, serving
from tests.e2e.examples import example, logged, parameters, post
from tests.e2e.instance import Instance

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]


@pytest.fixture
def port() -> int:
    """Where the sources of the examples listen instead of at 12000."""
    return free_port()


async def until(look: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not look():
            await asyncio.sleep(0.05)


async def decided(instance: Instance, trigger: str, count: int) -> Counter[str]:
    """What became of so many events."""
    async with asyncio.timeout(30):
        while len(found := await instance.get("decisions", "--trigger", trigger)) < count:
            await asyncio.sleep(0.1)
    return Counter(one["result"] for one in found)


# triggers


async def test_http(tmp_path: Path, port: int):
    target = Target()
    target.answers = [web.Response(status=503), web.Response(status=201)]
    async with serving(target.handle) as url:
        replaced = {"http://127.0.0.1:12001": url, "12000": str(port)}
        async with example(tmp_path, "triggers/http.yaml", replaced):
            assert await post(port, "/payments", {"order": 7, "cents": 1250}) == 200
            await until(lambda: len(target.seen) == 2)
    refused, booked = target.seen
    assert (booked.method, booked.path) == ("POST", "/bookings")
    assert json.loads(booked.body) == {"order": 7, "amount": {"cents": 1250}}
    assert (booked.header("X-Token"), booked.header("X-Order")) == (["change-me"], ["7"])
    assert booked.header("Idempotency-Key") == refused.header("Idempotency-Key") != []


async def test_slack(tmp_path: Path, port: int, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("EVENTS_SECRET_SLACK_BOT_TOKEN", "xoxb-of-the-test")
    slack = SlackAPI("xoxb-of-the-test")
    async with serving(slack.handle) as url:
        replaced = {"https://slack.com/api": f"{url}/api", "12000": str(port)}
        async with example(tmp_path, "triggers/slack.yaml", replaced):
            for number, incident in enumerate(("db-1", "db-2", "db-1"), 1):
                body = {"incident": incident, "text": f'report "{number}"'}
                assert await post(port, "/incidents", body) == 200
                await until(lambda number=number: len(slack.posted) == number)
    first, other, reply = slack.posted
    assert (first["channel"], first["text"], first["username"]) == ("alerts", 'report "1"', "Incidents")
    assert [block["text"]["text"] for block in first["blocks"]] == ["db-1", 'report "1"']
    assert "thread_ts" not in first
    assert "thread_ts" not in other
    assert reply["thread_ts"] == "1700000000.000001"


async def test_email(tmp_path: Path, port: int):
    handler = MailHandler()
    async with mail_server(handler, login=("shop", "change-me")) as smtp:
        replaced = {"2525": str(smtp), "12000": str(port)}
        async with example(tmp_path, "triggers/email.yaml", replaced):
            assert await post(port, "/signups", {"name": "Ada", "mail": "Ada@example.com"}) == 200
            await until(lambda: len(handler.mails) == 2)
    assert [mail.recipients for mail in handler.mails] == [["Ada@example.com"], ["operator@example.com"]]
    for mail in handler.mails:
        assert (mail.sender, mail.user) == ("shop@example.com", "shop")
        assert mail.message["Subject"] == "Welcome, Ada"
        assert mail.message.get_content().splitlines() == [
            "Dear Ada,",
            "your account ada@example.com is ready.",
        ]


PICTURE = {"bucket": "pictures", "key": "cat.png"}
INVOKED = {"source": PICTURE, "format": "webp"}


async def test_aws_lambda(tmp_path: Path, port: int):
    target = Target()
    async with serving(target.handle) as url:
        replaced = {"http://127.0.0.1:5000": url, "12000": str(port)}
        async with example(tmp_path, "triggers/aws-lambda.yaml", replaced):
            assert await post(port, "/pictures", PICTURE) == 200
            await until(lambda: len(target.seen) == 1)
    [seen] = target.seen
    assert seen.path == "/2015-03-31/functions/thumbnail/invocations"
    assert json.loads(seen.body) == INVOKED
    assert json.loads(b64decode(seen.header("X-Amz-Client-Context")[0]))["custom"]["firing"]


@pytest.mark.servers("moto")
async def test_aws_lambda_is_taken_by_moto(tmp_path: Path, port: int, moto_server: Moto):
    async with thumbnails(moto_server):
        replaced = {"http://127.0.0.1:5000": moto_server.url, "12000": str(port)}
        async with example(tmp_path, "triggers/aws-lambda.yaml", replaced) as instance:
            assert await post(port, "/pictures", PICTURE) == 200
            assert await decided(instance, "thumbnail", 1) == {"fired": 1}


@asynccontextmanager
async def thumbnails(server: Moto) -> AsyncIterator[None]:
    """The function `thumbnail` of moto, which runs no code."""
    async with aiohttp.ClientSession() as session:
        settings = {"lambda": {"use_docker": False}}
        async with session.post(f"{server.url}/moto-api/config", json=settings) as answer:
            assert answer.status == 201
    async with cloud(server.url) as amazon:
        await install(amazon, "thumbnail")
        try:
            yield
        finally:
            await (await amazon.api("lambda")).delete_function(FunctionName="thumbnail")
            await (await amazon.api("iam")).delete_role(RoleName="thumbnail")


async def install(amazon: Cloud, name: str) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("main.py", "def handler(event, context):\n    return event\n")
    role = await (await amazon.api("iam")).create_role(RoleName=name, AssumeRolePolicyDocument="{}", Path="/")
    await (await amazon.api("lambda")).create_function(
        FunctionName=name, Runtime="python3.11", Role=role["Role"]["Arn"], Handler="main.handler",
        Code={"ZipFile": packed.getvalue()},
    )  # fmt: skip


async def test_log(tmp_path: Path, port: int):
    replaced = {"intervalSeconds: 10": "intervalSeconds: 600", "12000": str(port)}
    async with example(tmp_path, "triggers/log.yaml", replaced) as instance:
        for watts in (230, 231, 232):
            assert await post(port, "/meter", {"watts": watts}) == 200
        assert await decided(instance, "show", 3) == {"fired": 3}
        assert [watts for watts in (230, 231, 232) if f'{{"watts": {watts}}}' in instance.told()] == [230]


# sources


async def test_webhook(tmp_path: Path, port: int):
    async with example(tmp_path, "event-sources/webhook.yaml", {"12000": str(port)}) as instance:
        known = {"Authorization": "Bearer change-me"}
        assert await post(port, "/stock", {"item": "nails", "count": 3}) in {401, 403}
        assert await post(port, "/stock", {"item": "nuts", "count": 3, "note": "x" * 65536}, **known) == 413
        assert await post(port, "/stock", {"item": "screws", "count": 30}, **known) == 200
        assert await post(port, "/stock", {"item": "bolts", "count": 3}, **known) == 200
        await logged(instance, '"item": "bolts"')
        assert '"metadata":{"site":"berlin"}' in instance.told()
        assert len(await instance.get("events")) == 1


SENT = ((1, "other", "opened"), (2, "change-me", "closed"), (3, "change-me", "opened"))


async def test_github(tmp_path: Path, port: int):
    async with example(tmp_path, "event-sources/github.yaml", {"12000": str(port)}) as instance:
        for number, secret, action in SENT:
            code, out, err = await send(instance, secret, {"action": action, "number": number})
            assert code == (secret == "other"), out + err
        await logged(instance, '"number":3')
        assert '"number":2' not in instance.told()
        assert len(await instance.get("events")) == 2


async def send(instance: Instance, secret: str, body: Any) -> tuple[int, str, str]:
    """As the example says it is tried."""
    file = instance.folder / "pr.json"
    file.write_text(json.dumps(body, separators=(",", ":")))
    return await instance.tool(
        "send", "github", "--secret", secret, "--event", "pull_request", "--file", str(file)
    )


@pytest.mark.timeout(180)
async def test_calendar(tmp_path: Path):
    """Its time becomes the next two minutes in Berlin: the second one for when it takes long to start."""
    now = datetime.now(UTC).replace(second=0, microsecond=0)
    soon = [now + timedelta(minutes=1), now + timedelta(minutes=2)]
    there = [one.astimezone(ZoneInfo("Europe/Berlin")) for one in soon]
    minutes = ",".join(str(one.minute) for one in there)
    hours = ",".join(str(one.hour) for one in there)
    replaced = {"0 6 * * 1-5": f"{minutes} {hours} * * *"}
    async with example(tmp_path, "event-sources/calendar.yaml", replaced) as instance:
        [time] = await parameters(instance, 1, 100)
        assert time in [f"{one:%Y-%m-%d %H:%M:%S} +0000 UTC" for one in soon]

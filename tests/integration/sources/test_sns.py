"""sns: signatures, confirmations and raw messages on a stand-in of Amazon's host; subscriptions at moto."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import orjson
import pytest
from aiohttp import web

from events.clients.sns import Untrusted, check_address
from events.testing.aws import KEYS, SECRETS, cloud, unique
from events.testing.servers import free_port
from events.testing.servers.moto import Moto
from events.testing.sns import CERTIFICATE, HOST, TOPIC, Amazon, Signer, amazon
from events.testing.sources import Rig, rigged
from events.testing.triggers import Target, serving

SIGNER = Signer()
HOOK: dict[str, Any] = {"endpoint": "/orders", "port": "0"}
RAW: dict[str, Any] = {"webhook": HOOK, "topicArn": TOPIC, "region": "us-east-1"}
VERIFIED = {**RAW, "validateSignature": True}


@asynccontextmanager
async def at_amazon(
    folder: Path, raw: Mapping[str, Any] = VERIFIED, signer: Signer = SIGNER
) -> AsyncIterator[tuple[Rig, Amazon]]:
    async with rigged(SECRETS) as rig, amazon(signer, folder) as (host, session):
        rig.sessions._open[None] = session
        await rig.start("sns", raw)
        yield rig, host


async def send(rig: Rig, message: Any, headers: Mapping[str, str] | None = None) -> tuple[int, str]:
    body = message if isinstance(message, bytes) else orjson.dumps(message)
    port = rig.listeners.ports[0]
    named = {"Content-Type": "text/plain; charset=UTF-8", "X-Amz-Sns-Message-Type": "x", **(headers or {})}
    url = f"http://127.0.0.1:{port}/orders"
    async with rig.sessions.get().post(url, data=body, headers=named) as answer:
        return answer.status, await answer.text()


# signatures


@pytest.mark.parametrize("version", ["1", "2"])
@pytest.mark.parametrize("given", [{}, {"Subject": "with one"}, {"Message": "zwei\nZeilen & mehr ü"}])
async def test_a_signed_notification_in_upstream_s_shape(tmp_path: Path, version: str, given: dict[str, str]):
    message = SIGNER.notification(version, **given)
    async with at_amazon(tmp_path, {**VERIFIED, "metadata": {"k": "v"}}) as (rig, _):
        assert await send(rig, message) == (200, "success")
        (data,) = rig.data
        assert (data["body"], data["metadata"]) == (message, {"k": "v"})
        assert data["header"]["X-Amz-Sns-Message-Type"] == ["x"]
        assert [*data] == ["header", "body", "metadata"]
        assert rig.emitted[0].id == message["MessageId"]


async def test_the_certificate_is_fetched_once(tmp_path: Path):
    async with at_amazon(tmp_path) as (rig, host):
        sends = [send(rig, SIGNER.notification(MessageId=str(number))) for number in range(5)]
        assert {status for status, _ in await asyncio.gather(*sends)} == {200}
        assert host.asked == [CERTIFICATE]


async def test_a_certificate_in_use_stays_and_waits_for_no_other(tmp_path: Path):
    async with at_amazon(tmp_path) as (rig, host):
        assert (await send(rig, SIGNER.notification()))[0] == 200
        for number in range(40):
            other = {**SIGNER.notification(), "SigningCertURL": f"https://{HOST}/{number}.pem"}
            assert (await send(rig, other))[0] == 200
            assert (await send(rig, SIGNER.notification()))[0] == 200
        assert len(host.asked) == 41
        host.hold.clear()
        unknown = {**SIGNER.notification(), "SigningCertURL": f"https://{HOST}/slow.pem"}
        slow = rig._tasks.start("slow", send(rig, unknown))
        async with asyncio.timeout(5):
            while len(host.asked) < 42:
                await asyncio.sleep(0.01)
        assert (await send(rig, SIGNER.notification()))[0] == 200
        assert not slow.done()
        host.hold.set()
        assert (await slow)[0] == 200


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"Message": "changed"}, "the signature is wrong"),
        ({"Signature": "!"}, "the signature is wrong"),
        ({"Signature": None}, "the signature is wrong"),
        ({"SignatureVersion": "3"}, "of a version that is not known"),
        ({"SignatureVersion": "1"}, "the signature is wrong"),
        ({"Timestamp": None}, "lacks members"),
        ({"Type": "Other"}, "no type that SNS signs"),
        ({"TopicArn": TOPIC + "2"}, "of another topic"),
        (
            {"SigningCertURL": "https://example.com/a.pem"},
            "the certificate is not at sns.REGION.amazonaws.com",
        ),
        ({"SigningCertURL": None}, "the certificate is not at sns.REGION.amazonaws.com"),
    ],
)
async def test_what_is_refused(
    tmp_path: Path, change: dict[str, Any], reason: str, caplog: pytest.LogCaptureFixture
):
    async with at_amazon(tmp_path) as (rig, _):
        status, text = await send(rig, {**SIGNER.notification(), **change})
        assert status == 403
        assert reason in text
        assert (rig.emitted, rig.malformed) == ([], 1)
    assert f"event source default/es.ev: refused a message: {text.strip()}" in caplog.text


@pytest.mark.parametrize(
    "url",
    [
        "http://sns.us-east-1.amazonaws.com/a.pem",
        "https://sns.us-east-1.amazonaws.com.evil.test/a.pem",
        "https://sns.us-east-1.amazonaws.com@evil.test/a.pem",
        "https://evil.test/sns.us-east-1.amazonaws.com/a.pem",
        "https://sns.us-east-1.amazonaws.com:8443/a.pem",
        "https://user@sns.us-east-1.amazonaws.com/a.pem",
        "https://sns.us_east.amazonaws.com/a.pem",
        "https://sns..amazonaws.com/a.pem",
        "https://s3.us-east-1.amazonaws.com/a.pem",
        "https://evil.test\\.sns.us-east-1.amazonaws.com/a.pem",
        "https://sns.us-east-1.amazonaws.com /a.pem",
        "https://[sns.us-east-1.amazonaws.com/a.pem",
        "",
    ],
)
def test_addresses_that_are_not_amazon_s(url: str):
    with pytest.raises(Untrusted):
        check_address(url, "it")


@pytest.mark.parametrize("host", [HOST, "sns.cn-north-1.amazonaws.com.cn"])
def test_addresses_that_are_amazon_s(host: str):
    assert check_address(f"https://{host}/a.pem", "it")


async def test_a_certificate_that_has_expired_and_one_that_is_none(tmp_path: Path):
    expired = Signer(days=-1)
    async with at_amazon(tmp_path, signer=expired) as (rig, _):
        assert await send(rig, expired.notification()) == (403, "the certificate has expired\n")
    async with at_amazon(tmp_path) as (rig, host):
        host.certificate = b"<html>"
        assert await send(rig, SIGNER.notification()) == (403, "the certificate cannot be read\n")


@pytest.mark.parametrize("status", [500, 302])
async def test_a_certificate_that_cannot_be_had(tmp_path: Path, status: int):
    async with at_amazon(tmp_path) as (rig, host):
        host.status = status
        answer, text = await send(rig, SIGNER.notification())
        assert answer == (503 if status == 500 else 403)
        assert f"{CERTIFICATE} answers {status}" in text
        assert len(host.asked) == 1, "no redirect is followed"
        host.status = 200
        assert await send(rig, SIGNER.notification()) == (200, "success")


# other messages


async def test_a_subscription_is_confirmed_at_amazon_and_for_our_topic_only(tmp_path: Path):
    async with at_amazon(tmp_path, RAW) as (rig, host):
        message = SIGNER.confirmation(SubscribeURL=f"https://{HOST}/?Action=DeleteTopic&TopicArn=other")
        assert await send(rig, message) == (200, "")
        assert host.asked == [f"https://{HOST}/?Action=ConfirmSubscription&TopicArn={TOPIC}&Token=2336412f37"]
        assert rig.emitted == []


async def test_a_confirmation_that_leads_elsewhere_or_is_not_signed(tmp_path: Path):
    async with at_amazon(tmp_path) as (rig, host):
        elsewhere = SIGNER.confirmation(SubscribeURL="https://evil.test/")
        assert await send(rig, elsewhere) == (403, "SubscribeURL is not at sns.REGION.amazonaws.com\n")
        forged = {**SIGNER.confirmation(), "Token": "another"}
        assert await send(rig, forged) == (403, "the signature is wrong\n")
        assert host.asked == [CERTIFICATE]


async def test_the_end_of_a_subscription_is_told(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    async with at_amazon(tmp_path) as (rig, host):
        message = SIGNER.confirmation(Type="UnsubscribeConfirmation")
        assert await send(rig, message) == (200, "")
        assert (rig.emitted, host.asked) == ([], [CERTIFICATE])
    assert f"unsubscribed from {TOPIC}" in caplog.text


@pytest.mark.parametrize("body", [b"{no", b"[]", b""])
async def test_what_is_not_an_envelope(tmp_path: Path, body: bytes):
    async with at_amazon(tmp_path, RAW) as (rig, _):
        assert (await send(rig, body))[0] == 400


RAW_HEADERS = {
    "X-Amz-Sns-Rawdelivery": "true", "X-Amz-Sns-Topic-Arn": TOPIC, "X-Amz-Sns-Message-Id": "m1",
}  # fmt: skip


@pytest.mark.parametrize(("body", "wanted"), [(b'{"a":1.50}', {"a": 1.5}), (b"7", 7), (b"hello", "hello")])
async def test_raw_delivery(tmp_path: Path, body: bytes, wanted: Any):
    async with at_amazon(tmp_path, RAW) as (rig, _):
        assert await send(rig, body, RAW_HEADERS) == (200, "success")
        assert rig.data[0]["body"] == wanted
        assert rig.emitted[0].id == "m1"


async def test_raw_delivery_of_another_topic_and_where_signatures_are_asked_for(tmp_path: Path):
    async with at_amazon(tmp_path, RAW) as (rig, _):
        other = {**RAW_HEADERS, "X-Amz-Sns-Topic-Arn": "other"}
        assert await send(rig, b"x", other) == (403, "the message is of another topic\n")
    async with at_amazon(tmp_path) as (rig, _):
        status, text = await send(rig, b"x", RAW_HEADERS)
        assert status == 403
        assert "switch raw delivery or validateSignature off" in text


# subscriptions


@pytest.mark.servers("moto")
async def test_moto_delivers_after_the_source_has_subscribed(moto_server: Moto):
    async with cloud(moto_server.url) as amazon, rigged(SECRETS) as rig:
        sns = await amazon.api("sns")
        topic = (await sns.create_topic(Name=unique("topic")))["TopicArn"]
        port = free_port()
        hook = {"endpoint": "/in", "port": str(port), "url": f"http://127.0.0.1:{port}/"}
        raw = {"webhook": hook, "topicArn": topic, "region": "us-east-1", "endpoint": amazon.url, **KEYS}
        await rig.start("sns", raw)
        found = await subscribed(sns, topic)
        assert [(one["Protocol"], one["Endpoint"]) for one in found] == [
            ("http", f"http://127.0.0.1:{port}/in")
        ]
        sent = await sns.publish(TopicArn=topic, Message="hello", Subject="s")
        await rig.until(1)
        (data,) = rig.data
        assert (data["body"]["Message"], data["body"]["TopicArn"]) == ("hello", topic)
        assert rig.emitted[0].id == sent["MessageId"]
        await rig.stop()
        assert (await sns.list_subscriptions_by_topic(TopicArn=topic))["Subscriptions"] == found, "it stays"


@pytest.mark.servers("moto")
async def test_a_topic_that_was_made_anew_is_subscribed_to_again(
    moto_server: Moto, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("events.sources.sns.AGAIN", 0.2)
    monkeypatch.setattr("events.sources.sns.RETRY", 0.2)
    async with cloud(moto_server.url) as amazon, rigged(SECRETS) as rig:
        sns, name = await amazon.api("sns"), unique("topic")
        topic = (await sns.create_topic(Name=name))["TopicArn"]
        port = free_port()
        hook = {"endpoint": "/in", "port": str(port), "url": f"http://127.0.0.1:{port}/"}
        raw = {"webhook": hook, "topicArn": topic, "region": "us-east-1", "endpoint": amazon.url, **KEYS}
        await rig.start("sns", raw)
        await subscribed(sns, topic)
        await sns.delete_topic(TopicArn=topic)
        await sns.create_topic(Name=name)
        await subscribed(sns, topic)
        await sns.publish(TopicArn=topic, Message="hello")
        await rig.until(1)
        await asyncio.sleep(0.5)
        assert len(await subscribed(sns, topic)) == 1, "to subscribe again changes nothing"


async def subscribed(sns: Any, topic: str) -> list[Any]:
    """The subscriptions, once there are some."""
    async with asyncio.timeout(10):
        while not (found := (await sns.list_subscriptions_by_topic(TopicArn=topic))["Subscriptions"]):
            await asyncio.sleep(0.05)
    return found


async def test_at_another_endpoint_the_api_confirms():
    target = Target()
    result = "<ConfirmSubscriptionResult><SubscriptionArn>a</SubscriptionArn></ConfirmSubscriptionResult>"
    target.answers = [
        web.Response(text=f"<ConfirmSubscriptionResponse>{result}</ConfirmSubscriptionResponse>")
    ]
    async with rigged(SECRETS) as rig, serving(target.handle) as url:
        await rig.start("sns", {**RAW, "endpoint": url, **KEYS})
        assert await send(rig, SIGNER.confirmation(SubscribeURL="http://localhost:4566/")) == (200, "")
    (seen,) = target.seen
    assert b"Action=ConfirmSubscription" in seen.body
    assert b"Token=2336412f37" in seen.body


SUBSCRIBED = {**RAW, "webhook": {**HOOK, "url": "https://hooks.example.com"}, **KEYS}


@pytest.mark.parametrize(
    ("status", "code", "told"),
    [
        (404, "NotFound", "create it, or correct its name and region"),
        (403, "InvalidClientTokenId", "check accessKey, secretKey and sessionToken"),
        (403, "AuthorizationError", "allow it in the policy of this login"),
    ],
)
async def test_a_subscription_that_is_refused_is_told_and_deliveries_are_taken(
    status: int, code: str, told: str
):
    target = Target()
    text = f"<ErrorResponse><Error><Code>{code}</Code><Message>so it is</Message></Error></ErrorResponse>"
    target.answers = [web.Response(status=status, text=text)]
    async with rigged(SECRETS) as rig, serving(target.handle) as url:
        await rig.start("sns", {**SUBSCRIBED, "endpoint": url})
        async with asyncio.timeout(10):
            while not rig.troubles:
                await asyncio.sleep(0.01)
        assert rig.troubles == [f"subscription: SNS topic {TOPIC} ({url}): {code}: so it is; {told}"]
        assert await send(rig, SIGNER.notification()) == (200, "success")


async def test_a_server_that_is_down():
    async with rigged(SECRETS) as rig:
        await rig.start("sns", {**SUBSCRIBED, "endpoint": "http://127.0.0.1:9"})
        async with asyncio.timeout(10):
            while not rig.troubles:
                await asyncio.sleep(0.01)
        assert f"SNS topic {TOPIC} (http://127.0.0.1:9): Could not connect" in rig.troubles[0]

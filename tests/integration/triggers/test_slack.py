"""slack: against a stand-in that checks what chat.postMessage checks."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import web

import events.triggers.slack
from events.errors import EvaluationError, ExpressionError, Permanent, Retryable
from events.registry import config_class
from events.testing.slack import SlackAPI
from events.testing.triggers import Rig, compiled, parameter, rendered, rigged, serving

TOKEN = "xoxb-1"
BASE: dict[str, Any] = {
    "slackToken": {"name": "slack", "key": "token"},
    "channel": "#general",
    "message": "hi",
}


@asynccontextmanager
async def slack(token: str = TOKEN) -> AsyncIterator[tuple[Rig, SlackAPI, dict[str, Any]]]:
    api = SlackAPI(TOKEN)
    async with rigged({"slack/token": token}) as rig, serving(api.handle) as url:
        yield rig, api, {**BASE, "endpoint": f"{url}/api/"}


async def test_a_message_is_posted_to_the_channel_without_its_hash():
    async with slack(TOKEN + "\n") as (rig, api, base):
        outcome = await rig.run("slack", base)
    assert api.posted == [{"channel": "general", "text": "hi"}]
    assert outcome.link == "slack:C0general/1700000000.000001"
    assert outcome.status is None, "policy.status is for other kinds"


async def test_blocks_and_attachments_are_lists():
    blocks, attachments = '[{"type":"divider"}]', '[{"text":"a"}]'
    async with slack() as (rig, api, base):
        await rig.run("slack", {**base, "message": "", "blocks": blocks, "attachments": attachments})
    assert api.posted == [
        {"channel": "general", "blocks": [{"type": "divider"}], "attachments": [{"text": "a"}]}
    ]


@pytest.mark.parametrize("field", ["blocks", "attachments"])
@pytest.mark.parametrize("text", ["[", "{}", "7", "null"])
def test_what_is_no_list_is_told_at_load_or_for_the_event(field: str, text: str):
    with pytest.raises(ExpressionError, match=field):
        compiled("slack", {**BASE, field: text})
    with pytest.raises(EvaluationError, match=field):
        rendered("slack", BASE, {"t": text}, [parameter("t", f"slack.{field}")])


def test_a_channel_and_something_to_say_are_needed():
    with pytest.raises(EvaluationError, match="channel"):
        rendered("slack", {**BASE, "channel": ""})
    with pytest.raises(EvaluationError, match="neither"):
        rendered("slack", {**BASE, "message": ""})


def test_own_parameters_edit_the_config():
    raw = {**BASE, "channel": "", "parameters": [parameter("c", "channel")]}
    assert rendered("slack", raw, {"c": "alerts"}).message["channel"] == "alerts"


@pytest.mark.parametrize(
    ("sender", "shown"),
    [
        ({"username": "ci", "icon": ":robot_face:"}, {"username": "ci", "icon_emoji": ":robot_face:"}),
        ({"icon": "https://x/i.png"}, {"icon_url": "https://x/i.png"}),
        ({"icon": "robot"}, {}),
        ({"icon": ":"}, {}),
    ],
)
def test_sender(sender: dict[str, str], shown: dict[str, str]):
    message = rendered("slack", {**BASE, "sender": sender}).message
    assert {key: text for key, text in message.items() if key not in {"channel", "text"}} == shown


def test_an_icon_that_is_not_shown_is_doubtful():
    cfg = config_class("triggers", "slack").model_validate({**BASE, "sender": {"icon": "robot"}})
    assert [(problem.field, problem.severity) for problem in cfg.problems()] == [("sender.icon", "warning")]


@pytest.mark.parametrize("error", ["channel_not_found", "invalid_auth", "no_text", "msg_too_long"])
async def test_what_slack_refuses_is_permanent_and_named(error: str):
    async with slack() as (rig, api, base):
        api.troubles = [web.json_response({"ok": False, "error": error})]
        with pytest.raises(Permanent, match=error):
            await rig.run("slack", base)


async def test_the_next_step_is_told():
    async with slack() as (rig, api, base):
        api.troubles = [web.json_response({"ok": False, "error": "not_in_channel"})]
        with pytest.raises(Permanent) as caught:
            await rig.run("slack", base)
    assert str(caught.value) == "Slack: not_in_channel: invite the app to the channel"


async def test_a_wrong_token_is_permanent_and_not_shown():
    async with slack("xoxb-wrong") as (rig, _, base):
        with pytest.raises(Permanent, match="invalid_auth") as caught:
            await rig.run("slack", base)
    assert "xoxb" not in str(caught.value)


async def test_a_token_that_no_header_can_carry_is_permanent_and_not_shown():
    async with slack("xoxb\n-wrong") as (rig, _, base):
        with pytest.raises(Permanent, match="secret 'slack'") as caught:
            await rig.run("slack", base)
    assert "xoxb" not in str(caught.value)


@pytest.mark.parametrize(
    ("answer", "wait"),
    [
        (web.Response(status=429, headers={"Retry-After": "30"}), 30.0),
        (web.Response(status=429), None),
        (web.Response(status=503, headers={"Retry-After": "soon"}), None),
        (web.json_response({"ok": False, "error": "ratelimited"}, headers={"Retry-After": "3"}), 3.0),
        (web.json_response({"ok": False, "error": "internal_error"}), None),
    ],
)
async def test_what_passes_is_tried_again_when_slack_says(answer: web.Response, wait: float | None):
    async with slack() as (rig, api, base):
        api.troubles = [answer]
        with pytest.raises(Retryable) as caught:
            await rig.run("slack", base)
        assert caught.value.after == wait


@pytest.mark.parametrize(
    "answer",
    [
        web.Response(text="<html>"),
        web.Response(text="[]"),
        web.Response(status=302, headers={"Location": "/"}),
    ],
)
async def test_an_answer_that_is_not_slack_s_is_permanent(answer: web.Response):
    async with slack() as (rig, api, base):
        api.troubles = [answer]
        with pytest.raises(Permanent):
            await rig.run("slack", base)
        assert not api.posted


def threaded(base: dict[str, Any], key: str = "k", *, broadcast: bool = False, **more: Any) -> dict[str, Any]:
    thread = {"messageAggregationKey": key, "broadcastMessageToChannel": broadcast}
    return {**base, "thread": thread, **more}


async def test_messages_of_one_key_share_a_thread_in_each_channel():
    async with slack() as (rig, api, base):
        for raw in (
            base,
            threaded(base),
            threaded(base),
            threaded(base, channel="alerts"),
            threaded(base, "x"),
        ):
            await rig.run("slack", raw)
        await rig.run("slack", threaded(base, broadcast=True))
    threads = [message.get("thread_ts") for message in api.posted]
    assert threads == [None, None, "1700000000.000002", None, None, "1700000000.000002"]
    assert [message.get("reply_broadcast") for message in api.posted] == [None] * 5 + [True]


async def test_the_first_message_of_a_thread_is_not_broadcast():
    async with slack() as (rig, api, base):
        await rig.run("slack", threaded(base, broadcast=True))
    assert "reply_broadcast" not in api.posted[0]


async def test_messages_at_once_start_one_thread():
    async with slack() as (rig, api, base):
        await asyncio.gather(*(rig.run("slack", threaded(base), event=f"e{n}") for n in range(10)))
    assert [message.get("thread_ts") for message in api.posted] == [None] + ["1700000000.000001"] * 9


async def test_when_the_first_message_of_a_thread_fails_the_next_one_starts_it():
    async with slack() as (rig, api, base):
        api.troubles = [web.Response(status=500)]
        runs = [rig.run("slack", threaded(base), event=f"e{n}") for n in range(3)]
        results = await asyncio.gather(*runs, return_exceptions=True)
    assert [type(one) is Retryable for one in results] == [True, False, False]
    assert [message.get("thread_ts") for message in api.posted] == [None, "1700000000.000001"]


async def test_only_so_many_threads_are_remembered_the_unused_are_forgotten(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(events.triggers.slack, "THREADS_KEPT", 2)
    async with slack() as (rig, api, base):
        for key in ("a", "b", "a", "c", "a", "b"):
            await rig.run("slack", threaded(base, key))
    assert [message.get("thread_ts") is not None for message in api.posted] == [
        False, False, True, False, True, False,
    ]  # fmt: skip


async def test_everything_at_once():
    more = {
        "blocks": '[{"type":"section","text":{"type":"mrkdwn","text":"*hi*"}}]',
        "attachments": '[{"color":"#36a64f","text":"a"}]',
        "sender": {"username": "ci", "icon": ":robot_face:"},
    }
    async with slack() as (rig, api, base):
        await rig.run("slack", threaded({**base, **more}))
        await rig.run("slack", threaded({**base, **more}, broadcast=True))
    first = {
        "channel": "general", "text": "hi", "username": "ci", "icon_emoji": ":robot_face:",
        "blocks": [{"type": "section", "text": {"type": "mrkdwn", "text": "*hi*"}}],
        "attachments": [{"color": "#36a64f", "text": "a"}],
    }  # fmt: skip
    reply = {**first, "thread_ts": "1700000000.000001", "reply_broadcast": True}
    assert api.posted == [first, reply]


@pytest.mark.parametrize(
    ("raw", "error"),
    [
        ({"channel": "nowhere"}, "channel_not_found"),
        ({"channel": "alerts"}, "is_archived"),
        ({"message": "x" * 40_001}, "msg_too_long"),
        ({"blocks": '[{"type":"nope"}]'}, "invalid_blocks"),
        ({"blocks": '["text"]'}, "invalid_blocks"),
        ({"attachments": '["text"]'}, "invalid_attachments"),
        ({"message": "", "attachments": "[]"}, "no_text"),
    ],
)
async def test_what_slack_itself_checks_is_told_by_its_name(raw: dict[str, Any], error: str):
    async with slack() as (rig, api, base):
        api.archived = frozenset({"alerts"})
        with pytest.raises(Permanent, match=f"^Slack: {error}"):
            await rig.run("slack", {**base, **raw})
        assert api.posted == []


async def test_a_channel_that_is_limited_asks_to_wait_and_takes_the_message_later():
    async with slack() as (rig, api, base):
        api.quota = 1
        await rig.run("slack", base)
        with pytest.raises(Retryable) as caught:
            await rig.run("slack", base)
        assert caught.value.after == 1.0
        await rig.run("slack", {**base, "channel": "alerts"})
        api.quota = None
        await rig.run("slack", base)
    assert [message["channel"] for message in api.posted] == ["general", "alerts", "general"]


async def test_a_hundred_messages_use_one_connection():
    async with slack() as (rig, api, base):
        for number in range(100):
            await rig.run("slack", base, event=f"e{number}")
    assert len(api.posted) == 100
    assert len(api.connections) == 1


async def test_refusals_leave_the_connection_usable():
    async with slack() as (rig, api, base):
        for _ in range(10):
            with pytest.raises(Permanent):
                await rig.run("slack", {**base, "channel": "nowhere"})
        await rig.run("slack", base)
    assert len(api.connections) == 1

"""A stand-in for Slack's chat.postMessage that checks what the real one checks.

Spec      docs.slack.dev/reference/methods/chat.postMessage: arguments, limits, errors by name;
          docs.slack.dev/apis/web-api/rate-limits: 429 with Retry-After
"""

from __future__ import annotations

from typing import Any

import orjson
from aiohttp import web

TEXT_LIMIT = 40_000
"""Characters of a text above which Slack refuses it."""

BLOCKS, ATTACHMENTS = 50, 100

BLOCK_TYPES = frozenset({
    "actions", "context", "divider", "file", "header", "image", "input", "markdown", "rich_text", "section",
    "table", "video",
})  # fmt: skip

WAIT = 1
"""Seconds that Retry-After asks for."""


class SlackAPI:
    """`posted` holds what was taken; `troubles` are answers that are given first.

    `quota` is how many messages a channel takes before it is limited (None: any number).
    """

    def __init__(self, token: str, channels: frozenset[str] = frozenset({"general", "alerts"})) -> None:
        self.token, self.channels = token, channels
        self.archived: frozenset[str] = frozenset()
        self.quota: int | None = None
        self.posted: list[dict[str, Any]] = []
        self.keys: list[str] = []
        self.troubles: list[web.Response] = []
        self.connections: set[Any] = set()

    async def handle(self, request: web.BaseRequest) -> web.Response:
        self.connections.add(request.transport)
        body = await request.read()
        if self.troubles:
            return self.troubles.pop(0)
        if request.method != "POST" or request.path != "/api/chat.postMessage":
            return refused("unknown_method")
        error, message = self.checked(request, body)
        if error:
            return refused(error)
        if self.limited(message["channel"]):
            return web.json_response(
                {"ok": False, "error": "ratelimited"}, status=429, headers={"Retry-After": str(WAIT)}
            )
        self.posted.append(message)
        self.keys.append(request.headers.get("Idempotency-Key", ""))
        ts = f"1700000000.{len(self.posted):06}"
        return web.json_response(
            {"ok": True, "channel": "C0" + message["channel"], "ts": ts, "message": {"ts": ts, **message}}
        )

    def limited(self, channel: str) -> bool:
        sent = sum(message["channel"] == channel for message in self.posted)
        return self.quota is not None and sent >= self.quota

    def checked(self, request: web.BaseRequest, body: bytes) -> tuple[str, dict[str, Any]]:
        """The error by its name, or the message."""
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if scheme != "Bearer" or not token:
            return "not_authed", {}
        if token != self.token:
            return "invalid_auth", {}
        if request.content_type != "application/json":
            return "invalid_form_data", {}
        try:
            message = orjson.loads(body)
        except orjson.JSONDecodeError:
            return "invalid_json", {}
        if not isinstance(message, dict):
            return "json_not_object", {}
        return self.fault(message), message

    def fault(self, message: dict[str, Any]) -> str:
        channel, text = message.get("channel"), message.get("text", "")
        if not isinstance(text, str) or not all(isinstance(message.get(key, ""), str) for key in SHOWN):
            return "invalid_arguments"
        if channel not in self.channels:
            return "channel_not_found"
        if channel in self.archived:
            return "is_archived"
        if not any(message.get(field) for field in ("text", "blocks", "attachments")):
            return "no_text"
        if len(text) > TEXT_LIMIT:
            return "msg_too_long"
        return blocks_fault(message) or attachments_fault(message) or self.thread_fault(message)

    def thread_fault(self, message: dict[str, Any]) -> str:
        thread = message.get("thread_ts")
        if thread is None:
            return "invalid_arguments" if message.get("reply_broadcast") else ""
        known = {
            f"1700000000.{n:06}"
            for n, one in enumerate(self.posted, 1)
            if one["channel"] == message["channel"]
        }
        return "" if thread in known else "thread_not_found"


SHOWN = ("username", "icon_emoji", "icon_url")


def blocks_fault(message: dict[str, Any]) -> str:
    blocks = message.get("blocks", [])
    known = isinstance(blocks, list) and all(
        isinstance(one, dict) and one.get("type") in BLOCK_TYPES for one in blocks
    )
    return "" if known and len(blocks) <= BLOCKS else "invalid_blocks"


def attachments_fault(message: dict[str, Any]) -> str:
    attachments = message.get("attachments", [])
    if not isinstance(attachments, list) or not all(isinstance(one, dict) for one in attachments):
        return "invalid_attachments"
    return "too_many_attachments" if len(attachments) > ATTACHMENTS else ""


def refused(error: str) -> web.Response:
    return web.json_response({"ok": False, "error": error})

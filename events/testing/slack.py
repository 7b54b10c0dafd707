"""A stand-in for Slack's chat.postMessage that checks what the real one checks.

Spec      docs.slack.dev/reference/methods/chat.postMessage: arguments, errors by name, 429 with Retry-After
"""

from __future__ import annotations

from typing import Any

import orjson
from aiohttp import web


class SlackAPI:
    """`posted` holds what was taken; `troubles` are answers that are given first."""

    def __init__(self, token: str, channels: frozenset[str] = frozenset({"general", "alerts"})) -> None:
        self.token, self.channels = token, channels
        self.posted: list[dict[str, Any]] = []
        self.keys: list[str] = []
        self.troubles: list[web.Response] = []

    async def handle(self, request: web.BaseRequest) -> web.Response:
        if self.troubles:
            return self.troubles.pop(0)
        if request.method != "POST" or request.path != "/api/chat.postMessage":
            return refused("unknown_method")
        body = await request.read()
        error, message = self.checked(request, body)
        if error:
            return refused(error)
        self.posted.append(message)
        self.keys.append(request.headers.get("Idempotency-Key", ""))
        ts = f"1700000000.{len(self.posted):06}"
        return web.json_response({"ok": True, "channel": "C0" + message["channel"], "ts": ts})

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
        if message.get("channel") not in self.channels:
            return "channel_not_found"
        if not any(message.get(field) for field in ("text", "blocks", "attachments")):
            return "no_text"
        for block in message.get("blocks", ()):
            if not isinstance(block, dict) or "type" not in block:
                return "invalid_blocks"
        thread = message.get("thread_ts")
        if thread is not None and not any(
            thread == f"1700000000.{n + 1:06}" for n in range(len(self.posted))
        ):
            return "thread_not_found"
        if message.get("reply_broadcast") and thread is None:
            return "invalid_arguments"
        return ""


def refused(error: str) -> web.Response:
    return web.json_response({"ok": False, "error": error})

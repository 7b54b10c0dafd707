"""slack: one message per firing.

Spec      Sensor.spec.triggers[].template.slack
Sends     chat.postMessage with message, attachments or blocks
Outcome   done when Slack says `ok: true`; other answers are errors, so `policy` has nothing to judge
Repeats   Slack cannot recognise a repeated message: one whose answer was lost is posted again
Upstream  pkg/sensors/triggers/slack/slack.go
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any, ClassVar

import orjson
from pydantic import Field

from events.api.common import Model, Problem, SecretKeySelector
from events.api.sensor import TriggerConfig, check_parameters
from events.clients.exchange import Answer, Sending, exchange
from events.clients.http import check_url, retry_after
from events.clients.secrets import Ref, secret
from events.errors import EvaluationError, ExpressionError, Permanent, Retryable
from events.event import Firing, Outcome, Request
from events.triggers._base import Render, Trigger, TriggerContext


class SlackThread(Model):
    """Messages that belong together go to one thread."""

    message_aggregation_key: str = Field("", description="messages with the same key share a thread")
    broadcast_message_to_channel: bool = Field(False, description="show replies in the channel as well")


class SlackSender(Model):
    """How the sender is shown."""

    username: str = Field("", description="name shown")
    icon: str = Field("", description="picture shown: :emoji: or a URL")


class SlackConfig(TriggerConfig):
    """One message."""

    slack_token: SecretKeySelector = Field(description="Secret key with the token of the Slack app")
    channel: str = Field("", description="channel to post to; a leading # may be there")
    message: str = Field("", description="text of the message")
    attachments: str = Field("", description="JSON list of attachments, as text")
    blocks: str = Field("", description="JSON list of Block Kit blocks, as text")
    thread: SlackThread | None = Field(None, description="thread that the message goes to")
    sender: SlackSender | None = Field(None, description="how the sender is shown")
    endpoint: str = Field("", description="base URL of the API; Slack's own when empty [extension]")

    def problems(self) -> Iterable[Problem]:
        """Whole parameters; an icon that Slack understands."""
        if self.sender and self.sender.icon and not icon_of(self.sender.icon):
            hint = "write :emoji: or a URL that starts with http:// or https://"
            yield Problem("sender.icon", "is not shown", hint, "icon", "warning")
        yield from check_parameters(self.parameters, "parameters")


API = "https://slack.com/api"
TIMEOUT = 30.0
"""Seconds for one message."""

ANSWER_LIMIT = 1 << 20
"""Bytes of an answer; it repeats the message."""

PASSING = frozenset({"ratelimited", "rate_limited", "message_limit_exceeded", "internal_error", "fatal_error",
                     "service_unavailable", "request_timeout", "team_added_to_org"})  # fmt: skip
"""Errors of Slack's API after which the same message may be taken."""

LOGIN = "check slackToken"
NEXT_STEP = {
    "not_authed": LOGIN, "invalid_auth": LOGIN, "account_inactive": LOGIN, "token_revoked": LOGIN,
    "token_expired": LOGIN, "channel_not_found": "correct the channel; of a private one write the id",
    "not_in_channel": "invite the app to the channel", "is_archived": "choose another channel",
    "missing_scope": "give the app chat:write, and chat:write.customize where sender is written",
    "invalid_blocks": "try the blocks in Slack's Block Kit Builder", "msg_too_long": "shorten the message",
}  # fmt: skip
"""What a user does about an error."""

THREADS_KEPT = 10_000

ThreadKey = tuple[Ref, str, str]
"""(token, channel, aggregation key): two workspaces may have channels of the same name."""


class SlackRequest(Request, kw_only=True):
    """The arguments of chat.postMessage, but for token and thread."""

    url: str
    token: Ref
    message: dict[str, Any]
    thread_key: str = ""


class SlackTrigger(Trigger[SlackConfig, SlackRequest]):
    """Posts with chat.postMessage; remembers the threads it started, for as long as the process lives."""

    kind: ClassVar[str] = "slack"
    request: ClassVar[type[Request]] = SlackRequest

    def __init__(self, ctx: TriggerContext) -> None:
        super().__init__(ctx)
        self._threads: dict[ThreadKey, str] = {}
        self._starting: dict[ThreadKey, asyncio.Event] = {}

    @classmethod
    def compile(cls, cfg: SlackConfig) -> Render:
        message = compose(cfg)
        request = SlackRequest(
            url=f"{checked_url(cfg.endpoint or API).rstrip('/')}/chat.postMessage",
            token=secret(cfg.slack_token),
            message=message,
            thread_key=cfg.thread.message_aggregation_key if cfg.thread else "",
        )

        def render(_: Firing) -> SlackRequest:
            if not message["channel"]:
                raise EvaluationError("the channel is empty")
            if not message.keys() & {"text", "attachments", "blocks"}:
                raise EvaluationError("there is neither message nor attachments nor blocks")
            return request

        return render

    async def fire(self, request: SlackRequest, firing: str) -> Outcome:
        """Raises Retryable (network, rate limit, Slack's own trouble), Permanent (what Slack refuses)."""
        if not request.thread_key:
            return await self._post(request, firing, None)
        key = (request.token, request.message["channel"], request.thread_key)
        while (starting := self._starting.get(key)) is not None:
            await starting.wait()
        if key in self._threads:
            return await self._post(request, firing, key)
        self._starting[key] = asyncio.Event()
        try:
            return await self._post(request, firing, key)
        finally:
            self._starting.pop(key).set()

    async def _post(self, request: SlackRequest, firing: str, key: ThreadKey | None) -> Outcome:
        message = dict(request.message)
        thread = None if key is None else self._threads.get(key)
        if thread is None:
            message.pop("reply_broadcast", None)  # only replies can be shown in the channel as well
        else:
            message["thread_ts"] = thread
        headers = {
            "Authorization": f"Bearer {await self._token(request.token)}",
            "Content-Type": "application/json; charset=utf-8",
            "Idempotency-Key": firing,
        }
        sending = Sending("POST", request.url, headers, orjson.dumps(message), TIMEOUT)
        answer = await exchange(self.ctx.sessions.get(), sending, kept=ANSWER_LIMIT, redirects=0)
        body = judged(answer, self.ctx.now_ns())
        channel, ts = body.get("channel", message["channel"]), str(body.get("ts", ""))
        if key is not None and ts:
            self._remember(key, thread or ts)
        return Outcome(detail=f"posted to {channel}", link=f"slack:{channel}/{ts}")

    async def _token(self, ref: Ref) -> str:
        text = (await self.ctx.secrets.read(ref)).strip()
        if not (text.isascii() and text.isprintable()):
            raise Permanent(f"{ref} is not a token of Slack")
        return text

    def _remember(self, key: ThreadKey, thread: str) -> None:
        """The thread used last is forgotten last."""
        self._threads.pop(key, None)
        self._threads[key] = thread
        if len(self._threads) > THREADS_KEPT:
            del self._threads[next(iter(self._threads))]


def checked_url(url: str) -> str:
    """Raises ExpressionError."""
    try:
        return check_url(url)
    except ValueError as exc:
        raise ExpressionError(f"the endpoint cannot be called: {exc}", url) from exc


def judged(answer: Answer, now_ns: int) -> dict[str, Any]:
    """Slack's answer. Raises Retryable, Permanent with the error it names."""
    wait = retry_after(answer.headers.get("Retry-After", ""), now_ns)
    if answer.status == 429 or answer.status >= 500:
        raise Retryable(f"Slack answered {answer.status}", wait)
    if not answer.complete:
        raise Retryable("Slack's answer was cut off", wait)
    try:
        body = orjson.loads(answer.text)
    except orjson.JSONDecodeError as exc:
        raise Permanent(f"Slack answered {answer.status} without JSON") from exc
    if not isinstance(body, dict) or body.get("ok") is not True:
        error = str(body.get("error", "unknown")) if isinstance(body, dict) else "unknown"
        if error in PASSING:
            raise Retryable(f"Slack: {error}", wait)
        raise Permanent(": ".join(filter(None, (f"Slack: {error}", NEXT_STEP.get(error)))))
    return body


def compose(cfg: SlackConfig) -> dict[str, Any]:
    """The message as chat.postMessage wants it. Raises ExpressionError for lists that are not JSON."""
    message: dict[str, Any] = {"channel": cfg.channel.removeprefix("#")}
    if cfg.message:
        message["text"] = cfg.message
    for name in ("attachments", "blocks"):
        if text := getattr(cfg, name):
            message[name] = json_list(name, text)
    if cfg.thread and cfg.thread.broadcast_message_to_channel:
        message["reply_broadcast"] = True
    if cfg.sender:
        message.update(sender_of(cfg.sender))
    return message


def sender_of(sender: SlackSender) -> dict[str, str]:
    shown = {"username": sender.username} if sender.username else {}
    return shown | icon_of(sender.icon)


def icon_of(icon: str) -> dict[str, str]:
    """The argument for an emoji or a picture; none for anything else, as upstream."""
    if len(icon) > 2 and icon.startswith(":") and icon.endswith(":"):
        return {"icon_emoji": icon}
    return {"icon_url": icon} if icon.startswith(("http://", "https://")) else {}


def json_list(name: str, text: str) -> list[Any]:
    try:
        found = orjson.loads(text)
    except ValueError as exc:
        raise ExpressionError(f"{name} is not JSON: {exc}", text) from exc
    if not isinstance(found, list):
        raise ExpressionError(f"{name} is not a JSON list", text)
    return found

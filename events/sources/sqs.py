"""sqs: messages of one Amazon SQS queue.

Spec      EventSource.spec.sqs.<eventName>
Payload   {messageId, messageAttributes, body, metadata}; body is the JSON of the message with jsonBody, else
          base64 text
Delivery  at least once: a message is deleted only after the bus has stored the event, and stays hidden from
          others until then; its id is the event's id. One larger than the bus takes stays for the redrive
          policy of the queue
Upstream  pkg/eventsources/sources/awssqs/start.go
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterable
from functools import partial
from typing import Any, ClassVar

import orjson
from pydantic import Field

from events.api.common import Int64, NonEmpty, Problem, SecretKeySelector
from events.api.eventsource import AWSSourceConfig, BodySourceConfig
from events.clients.aws import Account, Clients, reference
from events.clients.sqs import Message, Place, Queue, check_wait
from events.clients.sqs_consumer import VISIBILITY, Consumer, Malformed, Rules
from events.lang.json_parts import body_json, metadata_json
from events.sources._base import Emit, Payload, Replay, Source, SourceContext
from events.sources._queue import insist


class SQSConfig(AWSSourceConfig, BodySourceConfig):
    """One queue."""

    region: NonEmpty = Field(description="AWS region of the queue")
    queue: NonEmpty = Field(description="name of the queue")
    wait_time_seconds: Int64 = Field(0, description="long poll [s]; 3 when 0")
    queue_account_id: str = Field("", description="AWS account of the queue; that of the login when empty")
    dlq: bool = Field(
        False,
        description="keep messages whose body is not JSON, for the redrive policy, instead of deleting them",
    )
    session_token: SecretKeySelector | None = Field(None, description="Secret key with the session token")

    def problems(self) -> Iterable[Problem]:
        """Both keys or none, a wait that SQS accepts."""
        yield from AWSSourceConfig.problems(self)
        yield from check_wait(self.wait_time_seconds)


class SQSSource(Source[SQSConfig]):
    """Messages, page by page."""

    kind: ClassVar[str] = "sqs"
    extra: ClassVar[str | None] = "aws"
    requires: ClassVar[tuple[str, ...]] = ("aiobotocore",)
    replay: ClassVar[Replay] = "acked"
    visibility: ClassVar[int] = VISIBILITY
    example: ClassVar[dict[str, Any]] = {
        "messageId": "6fe7", "messageAttributes": None, "body": {"order": 1},
    }  # fmt: skip

    def __init__(self, cfg: SQSConfig, ctx: SourceContext) -> None:
        super().__init__(cfg, ctx)
        self._undeleted: dict[str, None] = {}
        self._metadata = metadata_json(cfg.metadata)

    async def run(self, emit: Emit) -> None:
        """Raises Retryable, Permanent (no such queue, refused)."""
        clients = Clients(self.ctx.secrets, self.ctx.sessions)
        rules = Rules(drop_malformed=not self.cfg.dlq, visibility=self.visibility)
        try:
            queue = await Queue.open(place_of(self.cfg), clients, self.cfg.wait_time_seconds)
            self.ctx.ready()
            store = partial(insist, self.ctx, emit)
            await Consumer(queue, self._read, store, self.ctx, rules, self._undeleted).run()
        finally:
            await clients.aclose()

    def _read(self, message: Message) -> tuple[Payload]:
        return (Payload(event_data(message, self.cfg.json_body, self._metadata), message["MessageId"]),)


def place_of(cfg: SQSConfig) -> Place:
    account = Account(
        cfg.region, reference(cfg.access_key), reference(cfg.secret_key), cfg.role_arn, cfg.endpoint,
        reference(cfg.session_token),
    )  # fmt: skip
    return Place(account, name=cfg.queue, owner=cfg.queue_account_id)


def event_data(message: Message, as_json: bool, metadata: bytes = b"") -> bytes:
    """The data of the event. Raises Malformed when the body is to be JSON and is not."""
    try:
        body = body_json(message.get("Body", "").encode(), as_json)
    except ValueError as exc:
        raise Malformed("has a body that is not JSON") from exc
    attributes = {name: attribute(value) for name, value in message.get("MessageAttributes", {}).items()}
    return b'{"messageId":%b,"messageAttributes":%b,"body":%b%b}' % (
        orjson.dumps(message["MessageId"]), orjson.dumps(attributes or None), body, metadata,
    )  # fmt: skip


ATTRIBUTE = ("BinaryListValues", "BinaryValue", "DataType", "StringListValues", "StringValue")


def attribute(given: dict[str, Any]) -> dict[str, Any]:
    """All members of an attribute, as Go's SDK has them: null for those that are absent, bytes as base64."""
    found = {name: given.get(name) for name in ATTRIBUTE}
    if isinstance(found["BinaryValue"], bytes):
        found["BinaryValue"] = b64encode(found["BinaryValue"]).decode()
    return found

"""Amazon SQS: one queue with its receives, deletes and visibility, errors as ours.

Library   aiobotocore (extra `aws`)
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from msgspec.structs import replace

from events.api.common import Problem
from events.clients.aws import Account, Clients, translated

Message = dict[str, Any]
"""As SQS gives it: MessageId, ReceiptHandle, Body, MessageAttributes."""

PAGE = 10
"""The most messages that SQS takes or gives in one request."""

WAIT = 3
"""Seconds of a long poll when the manifest says nothing, as upstream."""

DEADLINE = 20.0
"""Seconds for any request but the long poll."""


def check_wait(seconds: int) -> Iterable[Problem]:
    """SQS refuses to wait longer."""
    if not 0 <= seconds <= 20:
        yield Problem("waitTimeSeconds", f"SQS cannot wait {seconds} s", "0 to 20", severity="warning")


class Place(NamedTuple):
    """Which queue: a name with the account that owns it, or a URL."""

    account: Account
    name: str = ""
    url: str = ""
    owner: str = ""

    def __str__(self) -> str:
        at = self.account.endpoint or self.account.region
        return f"SQS queue {self.name or self.url!r} ({at})"


class Left(NamedTuple):
    """A message that a batch request did not cover, and why."""

    message: Message
    reason: str


class Queue:
    """One queue. The client is asked for at every request, so that renewed keys count at once."""

    def __init__(self, place: Place, url: str, client: Callable[[], Awaitable[Any]], wait: int) -> None:
        self.place, self._url, self._client, self._wait = place, url, client, wait

    @classmethod
    async def open(cls, place: Place, clients: Clients, wait_seconds: int = 0) -> Queue:
        """Find the queue. Raises Retryable, Permanent."""
        wait = wait_seconds or WAIT
        account = place.account
        if place.url and not account.endpoint:
            account = with_endpoint(account, place.url)

        def client() -> Awaitable[Any]:
            return clients.get("sqs", account, read_timeout=wait + DEADLINE)

        url = place.url or await found(place, await client())
        return cls(place, url, client, wait)

    async def receive(self, visibility: int) -> list[Message]:
        """Up to PAGE messages, hidden from others for `visibility` seconds; none after the long poll."""
        client = await self._client()
        with translated(str(self.place)):
            async with asyncio.timeout(self._wait + DEADLINE):
                answer = await client.receive_message(
                    QueueUrl=self._url, MaxNumberOfMessages=PAGE, WaitTimeSeconds=self._wait,
                    VisibilityTimeout=visibility, MessageAttributeNames=["All"],
                )  # fmt: skip
        messages: list[Message] = answer.get("Messages", [])
        return messages

    async def delete(self, messages: Sequence[Message]) -> list[Left]:
        """Delete up to PAGE messages; those that SQS kept. Raises Retryable, Permanent."""
        return await self._batch("delete_message_batch", messages)

    async def hide(self, messages: Sequence[Message], seconds: int) -> list[Left]:
        """Hide up to PAGE messages for so long from now, 0: show them. Raises Retryable, Permanent."""
        return await self._batch("change_message_visibility_batch", messages, VisibilityTimeout=seconds)

    async def _batch(self, operation: str, messages: Sequence[Message], **given: Any) -> list[Left]:
        entries = [
            {"Id": str(number), "ReceiptHandle": message["ReceiptHandle"], **given}
            for number, message in enumerate(messages)
        ]
        client = await self._client()
        with translated(str(self.place)):
            async with asyncio.timeout(DEADLINE):
                answer = await getattr(client, operation)(QueueUrl=self._url, Entries=entries)
        return [
            Left(
                messages[int(entry["Id"])],
                f"{entry.get('Code', '')}: {entry.get('Message', '')}".rstrip(": "),
            )
            for entry in answer.get("Failed", [])
        ]


async def found(place: Place, client: Any) -> str:
    """The URL of a queue by its name. Raises Retryable, Permanent."""
    owner = {"QueueOwnerAWSAccountId": place.owner} if place.owner else {}
    with translated(str(place)):
        async with asyncio.timeout(DEADLINE):
            answer = await client.get_queue_url(QueueName=place.name, **owner)
    url: str = answer["QueueUrl"]
    return url


def with_endpoint(account: Account, url: str) -> Account:
    """The account, calling the host that the queue's URL names."""
    parts = urlsplit(url)
    return replace(account, endpoint=f"{parts.scheme}://{parts.netloc}")


def pages(messages: Iterable[Message]) -> list[list[Message]]:
    """The messages in groups that fit in one request."""
    kept = list(messages)
    return [kept[at : at + PAGE] for at in range(0, len(kept), PAGE)]

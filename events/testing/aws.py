"""Amazon Web Services for tests: clients of a stand-in, its queues, buckets and topics."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from itertools import count
from typing import Any

from events.clients.aws import Account, Clients
from events.clients.http import Sessions
from events.clients.secrets import LocalSecrets, Ref
from events.testing.sources import ref_of

REGION = "us-east-1"
SECRETS = {"aws/id": "AKIAIOSFODNN7EXAMPLE", "aws/key": "wJalrXUtnFEMI"}
KEYS = {"accessKey": {"name": "aws", "key": "id"}, "secretKey": {"name": "aws", "key": "key"}}
_numbers = count(1)


def unique(prefix: str) -> str:
    """A name that no other test of this run uses."""
    return f"{prefix}-{next(_numbers)}"


class Cloud:
    """One stand-in. `api` gives the aiobotocore client of a service."""

    def __init__(self, url: str, clients: Clients, region: str = REGION) -> None:
        self.url, self._clients = url, clients
        self.account = Account(region, Ref("aws", "id"), Ref("aws", "key"), endpoint=url)

    async def api(self, service: str) -> Any:
        return await self._clients.get(service, self.account)

    async def queue(self, name: str = "", **attributes: str) -> str:
        """The URL of a new queue."""
        sqs = await self.api("sqs")
        answer = await sqs.create_queue(QueueName=name or unique("queue"), Attributes=attributes)
        url: str = answer["QueueUrl"]
        return url

    async def arn(self, url: str) -> str:
        sqs = await self.api("sqs")
        answer = await sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
        arn: str = answer["Attributes"]["QueueArn"]
        return arn

    async def send(self, url: str, *bodies: str, **given: Any) -> list[str]:
        """Put messages into a queue; their ids."""
        sqs = await self.api("sqs")
        ids: list[str] = []
        for at in range(0, len(bodies), 10):
            entries = [
                {"Id": str(n), "MessageBody": body, **given} for n, body in enumerate(bodies[at : at + 10])
            ]
            answer = await sqs.send_message_batch(QueueUrl=url, Entries=entries)
            ids += [entry["MessageId"] for entry in answer["Successful"]]
        return ids

    async def counts(self, url: str) -> tuple[int, int]:
        """How many messages wait in a queue, and how many were received and not deleted."""
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        sqs = await self.api("sqs")
        found = (await sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names))["Attributes"]
        return int(found[names[0]]), int(found[names[1]])

    async def bucket(self, name: str = "") -> str:
        """The name of a new bucket."""
        name = name or unique("bucket")
        await (await self.api("s3")).create_bucket(Bucket=name)
        return name

    async def put(self, bucket: str, keys: Sequence[str], body: bytes = b"x") -> None:
        s3 = await self.api("s3")
        for key in keys:
            await s3.put_object(Bucket=bucket, Key=key, Body=body)


@asynccontextmanager
async def cloud(
    url: str, secrets: dict[str, str] | None = None, region: str = REGION
) -> AsyncIterator[Cloud]:
    """A stand-in that listens at `url`; `secrets` may hold other keys under aws/id and aws/key."""
    texts = {**SECRETS, **(secrets or {})}
    known = {ref_of(name): text.encode() for name, text in texts.items()}
    sessions = Sessions("off")
    clients = Clients(LocalSecrets(lambda: known, environ={}), sessions)
    try:
        yield Cloud(url, clients, region)
    finally:
        await clients.aclose()
        await sessions.aclose()

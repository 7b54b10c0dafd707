"""s3: objects that appear or vanish in a bucket of any S3 store.

Not an upstream kind: `minio` works only with stores that have MinIO's notification API. With `queue` the
notifications of the bucket are read from SQS: as S3 sends them, through SNS, or as events of EventBridge.
With `poll` the bucket is listed again and again, and objects that are new or were written again are told.

Spec      EventSource.spec.s3.<eventName>
Payload   {notification, metadata}; notification is a list of one S3 record, as for minio. In it object.key is
          the key itself and object.rawKey the key as S3 encodes it. A record of `poll` knows key, eTag, size
          and time
Delivery  at least once; the id is made of bucket, key, version or eTag, and sequencer. `queue`: a message
          is deleted only after the bus has stored its events; one that cannot be read stays, for the redrive
          policy. `poll`: which objects were told is stored with the events; objects that came and went
          between two listings are not seen, nor is it seen when objects are removed
Limits    `poll` knows the newest 50,000 objects one by one; an older one that appears late is not told
Upstream  none
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator
from functools import partial
from typing import ClassVar

import orjson
from pydantic import Field

from events.api.common import (
    Int64,
    Model,
    NonEmpty,
    Problem,
    SecretKeySelector,
    Strings,
    check_choice,
    check_duration,
)
from events.api.eventsource import AWSSourceConfig
from events.clients.aws import Account, Clients, reference
from events.clients.s3_listing import Bucket, Round, all_told, look, record_of
from events.clients.s3_records import Record, Wanted, record_id, records
from events.clients.s3_seen import Listed, Seen
from events.clients.sqs import Message, Place, Queue, check_wait
from events.clients.sqs_consumer import Consumer, Malformed, Rules
from events.errors import Absent
from events.lang.duration import parse_duration
from events.lang.json_parts import metadata_json
from events.sources._base import Emit, Payload, Replay, Source, SourceContext
from events.sources._queue import insist, store

CREATED = "s3:ObjectCreated:*"
KINDS = (
    "s3:ObjectCreated:", "s3:ObjectRemoved:", "s3:ObjectRestore:", "s3:ObjectTagging:", "s3:ObjectAcl:",
    "s3:LifecycleExpiration:", "s3:LifecycleTransition", "s3:IntelligentTiering", "s3:Replication:",
    "s3:ReducedRedundancyLostObject",
)  # fmt: skip


class S3Queue(Model):
    """The SQS queue that gets the notifications of the bucket."""

    name: str = Field("", description="name of the queue; exactly one of name and url")
    url: str = Field("", description="URL of the queue")
    account_id: str = Field("", description="AWS account of the queue; that of the login when empty")
    wait_time_seconds: Int64 = Field(0, description="long poll [s]; 3 when 0")

    def problems(self) -> Iterable[Problem]:
        """A name or a URL, a wait that SQS accepts."""
        if bool(self.name) == bool(self.url):
            said = "has both name and url" if self.name else "has neither name nor url"
            yield Problem("", said, "write exactly one of name and url", "choice")
        yield from check_wait(self.wait_time_seconds)


class S3Poll(Model):
    """How the bucket is listed."""

    interval: str = Field("", description="time between two listings, as in 1m; 30s when empty")
    start_at: str = Field(
        "",
        description="at the first start: now (also when empty; what is there does not count) or oldest",
    )

    def problems(self) -> Iterable[Problem]:
        """A duration, a known start."""
        yield from check_duration(self.interval, "interval")
        yield from check_choice(self.start_at, "startAt", ("now", "oldest"))


class S3Config(AWSSourceConfig):
    """One bucket, heard of through a queue or listed."""

    bucket: NonEmpty = Field(description="name of the bucket")
    region: NonEmpty = Field(description="region of the bucket; us-east-1 for most other stores")
    endpoint: str = Field(
        "",
        description="URL of the store (with `queue`: of SQS), https where it has no scheme; AWS when empty",
    )
    session_token: SecretKeySelector | None = Field(None, description="Secret key with the session token")
    events: Strings = Field([], description="S3 event names, as in s3:ObjectCreated:*; that one when empty")
    prefix: str = Field("", description="start of the keys that count")
    suffix: str = Field("", description="end of the keys that count")
    queue: S3Queue | None = Field(
        None, description="read notifications from SQS; exactly one of queue and poll"
    )
    poll: S3Poll | None = Field(None, description="list the bucket instead")

    def problems(self) -> Iterable[Problem]:
        """Both keys or none, known events, one way to hear of objects."""
        yield from super().problems()
        yield from self._events()
        if (self.queue is None) == (self.poll is None):
            said = "has both queue and poll" if self.queue else "has neither queue nor poll"
            yield Problem("", said, "write queue: {name: QUEUE} or poll: {interval: 30s}", "choice")

    def _events(self) -> Iterator[Problem]:
        for index, name in enumerate(self.events):
            if not name.startswith(KINDS):
                hint = "as in s3:ObjectCreated:* or s3:ObjectRemoved:*"
                yield Problem(f"events.{index}", f"unknown event {name!r}", hint, "choice")
            elif self.poll is not None and name != CREATED:
                hint = f"write {CREATED}, or queue instead of poll"
                yield Problem(f"events.{index}", f"a listing does not tell {name}", hint, "choice")

    @property
    def url(self) -> str:
        """The endpoint with its scheme."""
        return self.endpoint if "://" in self.endpoint or not self.endpoint else f"https://{self.endpoint}"

    @property
    def interval(self) -> float:
        """Seconds between two listings."""
        text = self.poll.interval if self.poll else ""
        return max(1.0, parse_duration(text or "30s") / 1e9)


BATCH = 1000
"""Objects in one emit of a listing."""


class S3Source(Source[S3Config]):
    """Records of one bucket, each an event."""

    kind: ClassVar[str] = "s3"
    extra: ClassVar[str | None] = "aws"
    requires: ClassVar[tuple[str, ...]] = ("aiobotocore",)
    replay: ClassVar[Replay] = "cursor"
    leader_only: ClassVar[bool] = True

    def __init__(self, cfg: S3Config, ctx: SourceContext) -> None:
        super().__init__(cfg, ctx)
        self._undeleted: dict[str, None] = {}
        self._metadata = metadata_json(cfg.metadata)
        self._account = Account(
            cfg.region, reference(cfg.access_key), reference(cfg.secret_key), cfg.role_arn, cfg.url,
            reference(cfg.session_token),
        )  # fmt: skip
        self._wanted = Wanted(cfg.bucket, tuple(cfg.events) or (CREATED,), cfg.prefix, cfg.suffix)

    async def run(self, emit: Emit) -> None:
        """Raises Retryable (also: no such bucket or queue yet), Permanent (refused)."""
        clients = Clients(self.ctx.secrets, self.ctx.sessions)
        try:
            if self.cfg.queue is not None:
                await self._read_queue(self.cfg.queue, clients, emit)
            else:
                await self._poll(clients, emit)
        finally:
            await clients.aclose()

    def _payload(self, record: Record) -> Payload:
        data = b'{"notification":[%b]%b}' % (orjson.dumps(record), self._metadata)
        return Payload(data, record_id(record))

    # queue

    async def _read_queue(self, spec: S3Queue, clients: Clients, emit: Emit) -> None:
        place = Place(self._account, spec.name, spec.url, spec.account_id)
        queue = await Queue.open(place, clients, spec.wait_time_seconds)
        self.ctx.ready()
        stored = partial(insist, self.ctx, emit)
        rules = Rules(drop_malformed=False)
        await Consumer(queue, self._read, stored, self.ctx, rules, self._undeleted).run()

    def _read(self, message: Message) -> list[Payload]:
        try:
            found = records(message.get("Body", ""))
        except ValueError as exc:
            raise Malformed(str(exc)) from exc
        return [self._payload(record) for record in found if self._wanted.covers(record)]

    # poll

    async def _poll(self, clients: Clients, emit: Emit) -> None:
        bucket = Bucket(self._account, self._wanted)
        seen = Seen.read(bucket.scope, await self.ctx.cursor())
        if seen is None:
            seen = await self._begin(clients, bucket, emit)
        while True:
            client = await clients.get("s3", self._account)
            found = await look(client, bucket, seen)
            self.ctx.ready()
            await self._tell(found, seen, emit)
            if found.more is None:
                await asyncio.sleep(self.cfg.interval)

    async def _begin(self, clients: Clients, bucket: Bucket, emit: Emit) -> Seen:
        """At the first start. A bucket that is not there counts as empty: what comes with it is new."""
        seen = Seen(bucket.scope)
        try:
            if self.cfg.poll is None or self.cfg.poll.start_at != "oldest":
                await all_told(await clients.get("s3", self._account), bucket, seen)
        except Absent:
            await emit((), seen.cursor())
            raise
        await emit((), seen.cursor())
        return seen

    async def _tell(self, found: Round, seen: Seen, emit: Emit) -> None:
        """Emit what is new, each batch with what is told then."""
        for at in range(0, len(found.new), BATCH):
            batch = found.new[at : at + BATCH]
            for thing in batch:
                seen.add(thing)
                found.current[thing.identity] = thing.changed_ms
            await self._emit_objects(batch, seen, emit)
        if seen.settle(found.current, found.more.changed_ms if found.more else None):
            await emit((), seen.cursor())

    async def _emit_objects(self, batch: list[Listed], seen: Seen, emit: Emit) -> None:
        payloads = [self._payload(record_of(self.cfg.bucket, thing)) for thing in batch]
        await store(self.ctx, emit, payloads, seen.cursor())

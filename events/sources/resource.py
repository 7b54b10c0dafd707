"""resource: changes of Kubernetes objects.

Spec      EventSource.spec.resource.<eventName>
Payload   {type, body, oldBody, group, version, resource, metadata}
Id        uid, resourceVersion and type of the change
Delivery  at least once: the place in the watch, and the versions known there, are stored with the events.
          What changed while the source was down is told when it starts; versions in between may be missed,
          objects are not, also when the server was set up anew meanwhile. Only the first start tells
          existing objects as ADD (not with `afterStart`)
Memory    all selected objects, for `oldBody`: select no more than is needed
Needs     get, list and watch of the objects
Upstream  pkg/eventsources/sources/resource/start.go
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from typing import ClassVar

import orjson
from pydantic import Field

from events.aio import together
from events.api.common import Model, NonEmpty, Problem, Strings, check_choice
from events.api.eventsource import SourceConfig
from events.errors import ExpressionError, Retryable
from events.kube._base import Expired, Forbidden, Listed, NotFound, Wanted
from events.kube.selectors import OPERATIONS as LABEL_OPERATIONS
from events.kube.selectors import Requirement, Selector
from events.lang.document import Document
from events.lang.json_parts import metadata_json
from events.lang.path import compile_path
from events.lang.regex import compile_regex
from events.sources._base import Emit, Payload, Replay, Source
from events.sources._objects import Step, Told, View, batches, payload, step_of
from events.sources._queue import BATCH_MESSAGES, Waiting, store

EVENT_TYPES = ("ADD", "UPDATE", "DELETE")
FIELD_OPERATIONS = ("=", "==", "!=")


class ResourceSelector(Model):
    """Compares a label or a field with a value."""

    key: NonEmpty = Field(description="label, or path of the field")
    operation: str = Field("", description="how to compare; = when empty")
    value: str = Field("", description="value to compare with; separated by commas for in and notin")


class ResourceFilter(Model):
    """Which objects and changes count."""

    prefix: str = Field("", description="start of the object's name")
    labels: list[ResourceSelector] = Field([], description="labels that must match")
    fields: list[ResourceSelector] = Field(
        [], description="fields that must match; values are RE2 expressions"
    )
    created_by: str = Field("", description="only objects created before this time, RFC 3339")
    after_start: bool = Field(False, description="only changes made after the source started")

    def problems(self) -> Iterable[Problem]:
        """Known operations, a readable time."""
        yield from self._operations("labels", self.labels, LABEL_OPERATIONS)
        yield from self._operations("fields", self.fields, FIELD_OPERATIONS)
        for index, field in enumerate(self.fields):
            try:
                compile_field(field)
            except ExpressionError as exc:
                yield Problem(f"fields.{index}.value", str(exc), "write an RE2 expression")
        if self.created_by and not _is_time(self.created_by):
            hint = 'as in "2026-03-01T08:00:00Z"'
            yield Problem("createdBy", f"not an RFC 3339 time: {self.created_by!r}", hint)

    @staticmethod
    def _operations(
        name: str, selectors: list[ResourceSelector], known: tuple[str, ...]
    ) -> Iterator[Problem]:
        for index, selector in enumerate(selectors):
            yield from check_choice(selector.operation, f"{name}.{index}.operation", known)


def _is_time(text: str) -> bool:
    try:
        return datetime.fromisoformat(text).tzinfo is not None and "T" in text
    except ValueError:
        return False


class ResourceConfig(SourceConfig):
    """One type of objects."""

    namespace: str = Field("", description="namespace of the objects; all when empty")
    group: str = Field("", description="API group; the core group when empty")
    version: NonEmpty = Field(description="API version, as in v1")
    resource: NonEmpty = Field(description="plural name of the type, as in pods")
    event_types: Strings = Field(description=f"changes that count: {', '.join(EVENT_TYPES)}")
    filter: ResourceFilter | None = Field(None, description="objects and changes that count")

    def problems(self) -> Iterable[Problem]:
        """Known changes."""
        for index, name in enumerate(self.event_types):
            yield from check_choice(name or "(empty)", f"eventTypes.{index}", EVENT_TYPES)


AHEAD = 1000
"""Changes that are read before they are stored."""

SMALL, RATE = 4 << 10, 200_000
"""Bytes of a cursor that goes with every batch, and bytes per second of larger ones."""

PAUSE = 1.0
"""Seconds between watches that end at once."""

Passes = Callable[[Told], bool]
News = Step | Listed
"""A change, or everything anew."""


class ResourceSource(Source[ResourceConfig]):
    """Follows the objects of the local store, or of the API server that `events run` was told."""

    kind: ClassVar[str] = "resource"
    replay: ClassVar[Replay] = "cursor"
    leader_only: ClassVar[bool] = True

    async def run(self, emit: Emit) -> None:
        wanted = wanted_of(self.cfg)
        try:
            await self._follow(wanted, compile_filter(self.cfg), emit)
        except NotFound as exc:
            raise Retryable(
                f"{exc}; there are no {wanted}: is the CustomResourceDefinition installed, and are group, "
                "version and the plural name in `resource` right?"
            ) from exc
        except Forbidden as exc:
            raise Retryable(f"{exc}; the source has to get, list and watch {wanted}") from exc
        except Expired as exc:  # while a long list was read
            raise Retryable(str(exc)) from exc

    async def _follow(self, wanted: Wanted, passes: Passes, emit: Emit) -> None:
        view = View(wanted)
        work = Work(self, wanted, view, passes, emit)
        await work.start(await self.ctx.cursor())
        self.ctx.ready()
        waiting: Waiting[News] = Waiting(AHEAD)
        await together(watch=self._watch(wanted, view.version, waiting), store=waiting.run(work.take))

    async def _watch(self, wanted: Wanted, version: str, waiting: Waiting[News]) -> None:
        """Read on and on from the version; where it is not kept any more, read everything again."""
        objects, clock = self.ctx.objects, asyncio.get_running_loop().time
        while True:
            began = clock()
            try:
                async for change in objects.follow(wanted, version):
                    step = step_of(change)
                    version = step.place
                    await waiting.put(step, len(step.seen.body) if step.seen else 0)
            except Expired as exc:
                self.ctx.log.info("event source %s: reading all %s again: %s", self.ctx.label, wanted, exc)
                listed = await objects.read(wanted)
                version = listed.version
                await waiting.put(listed, 0)
            if clock() < began + PAUSE:
                await asyncio.sleep(PAUSE)


class Work:
    """What becomes of changes: compared with what is known, filtered, stored with the place in the watch."""

    def __init__(
        self, source: ResourceSource, wanted: Wanted, view: View, passes: Passes, emit: Emit
    ) -> None:
        self._source, self._wanted, self._view = source, wanted, view
        self._passes, self._emit = passes, emit
        self._metadata = metadata_json(source.cfg.metadata)
        self._clock, self._due = asyncio.get_running_loop().time, 0.0

    async def start(self, stored: bytes | None) -> None:
        """Take up the stored place. Raises what reading raises."""
        view, objects = self._view, self._source.ctx.objects
        known = view.restore(stored)
        if view.version:
            try:
                listed = await objects.read(self._wanted, view.version)
            except Expired:
                pass
            else:
                await self._resume(listed, known=known)
                return
        listed = await objects.read(self._wanted)
        found = view.compare(listed)
        if not known and self._source.cfg.filter is not None and self._source.cfg.filter.after_start:
            began = self._source.ctx.now_ns() // 1_000_000_000
            found = (told for told in found if created_of(told) >= began)
        await self._tell(found)

    async def _resume(self, listed: Listed, *, known: bool) -> None:
        """At the stored version there is nothing to tell, unless the server was set up anew meanwhile."""
        if known:
            await self._tell(self._view.compare(listed))
        else:
            self._view.fill(listed)

    async def take(self, news: list[News]) -> None:
        await self._tell(told for one in news for told in self._changes(one))

    def _changes(self, one: News) -> Iterator[Told]:
        return self._view.compare(one) if isinstance(one, Listed) else self._view.follow(one)

    async def _tell(self, found: Iterable[Told]) -> None:
        """Store what passes, and the place behind it with the last of it."""
        *most, last = [*batches(filter(self._passes, found), BATCH_MESSAGES)] or [[]]
        for batch in most:
            await self._store(batch, None)
        await self._store(last, self._place())

    async def _store(self, batch: list[Told], cursor: bytes | None) -> None:
        payloads = [Payload(payload(told, self._wanted, self._metadata), told.id) for told in batch]
        if payloads or cursor is not None:
            await store(self._source.ctx, self._emit, payloads, cursor)

    def _place(self) -> bytes | None:
        """A large cursor now and then only: changes since are told again after a crash, with equal ids."""
        if self._clock() < self._due:
            return None
        cursor = self._view.cursor()
        if len(cursor) > SMALL:
            self._due = self._clock() + len(cursor) / RATE
        return cursor


def wanted_of(cfg: ResourceConfig) -> Wanted:
    found = cfg.filter.labels if cfg.filter is not None else []
    labels = Selector(tuple(requirement(one) for one in found))
    return Wanted(cfg.group, cfg.version, cfg.resource, cfg.namespace or None, labels)


def requirement(one: ResourceSelector) -> Requirement:
    operation = one.operation or "="
    values = one.value.split(",") if operation in {"in", "notin"} else [one.value]
    return Requirement(one.key, operation, tuple(value.strip() for value in values))


def compile_filter(cfg: ResourceConfig) -> Passes:
    """Everything but labels, which the server selects by. Raises ExpressionError."""
    types, spec = frozenset(cfg.event_types), cfg.filter
    if spec is None:
        return lambda told: told.type in types
    fields = [compile_field(one) for one in spec.fields]
    latest = datetime.fromisoformat(spec.created_by).timestamp() if spec.created_by else None

    def passes(told: Told) -> bool:
        if told.type not in types or not told.key.rpartition("/")[2].startswith(spec.prefix):
            return False
        if latest is not None and created_of(told) > latest:
            return False
        body = Document(told.body)
        return all(field(body) for field in fields)

    return passes


def compile_field(one: ResourceSelector) -> Callable[[Document], bool]:
    """A field that is missing never passes. Raises ExpressionError."""
    path, matches = compile_path(one.key), compile_regex(one.value)
    wanted = one.operation != "!="

    def passes(body: Document) -> bool:
        found = path.get(body)
        return found.exists and matches.search(found.text) == wanted

    return passes


def created_of(told: Told) -> float:
    """Seconds since 1970; 0 when the object does not say."""
    created = orjson.loads(told.body)["metadata"].get("creationTimestamp")
    return datetime.fromisoformat(created).timestamp() if created else 0.0

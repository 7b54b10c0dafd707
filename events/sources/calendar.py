"""calendar: events at times given by a cron schedule or an interval.

Spec      EventSource.spec.calendar.<eventName>
Payload   {eventTime, metadata}
Delivery  at least once: the scheduled time is the event's id; with catchup, ticks missed while the
          source was down are delivered late
Upstream  pkg/eventsources/sources/calendar/start.go
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Iterable
from datetime import UTC, date, datetime, timedelta
from typing import ClassVar
from zoneinfo import ZoneInfo

import orjson
from pydantic import Field

from events.api.common import Model, Problem, Strings, check_duration
from events.api.eventsource import FilteredSourceConfig
from events.errors import ExpressionError, Permanent
from events.lang.cron import compile_cron
from events.lang.duration import parse_duration
from events.lang.utc import go_text
from events.sources._base import Emit, Payload, Replay, Source


class Catchup(Model):
    """Whether missed ticks are delivered late."""

    enabled: bool = Field(False, description="deliver ticks that were missed while the source was down")
    max_duration: str = Field("", description="how far back, as in 1h; unlimited when empty")

    def problems(self) -> Iterable[Problem]:
        """A duration."""
        return check_duration(self.max_duration, "maxDuration")


class ConfigMapPersistence(Model):
    """ConfigMap that keeps the newest tick."""

    name: str = Field("", description="name of the ConfigMap")
    create_if_not_exist: bool = Field(False, description="create it when it is missing")


class Persistence(Model):
    """What is remembered over restarts."""

    catchup: Catchup | None = Field(None, description="delivery of missed ticks")
    config_map: ConfigMapPersistence | None = Field(None, description="where the newest tick is kept")


class CalendarConfig(FilteredSourceConfig):
    """One schedule."""

    schedule: str = Field("", description="cron expression of five fields; wins over interval")
    interval: str = Field("", description="time between two ticks, as in 10s or 1h30m")
    exclusion_dates: Strings = Field(
        [], description="days without ticks, each EXDATE: and YYYYMMDDTHHMMSSZ, separated by commas"
    )
    timezone: str = Field("", description="IANA time zone of the schedule; UTC when empty")
    persistence: Persistence | None = Field(None, description="memory over restarts")

    def problems(self) -> Iterable[Problem]:
        """A schedule or an interval."""
        if not (self.schedule or self.interval):
            yield Problem("", "has neither schedule nor interval", 'as in schedule: "0 3 * * *"', "required")
        yield from check_duration(self.interval, "interval")


NAP = 30.0
"""Seconds of the longest sleep: a clock that is set, or a machine that was suspended, is noticed soon."""

LATE = timedelta(minutes=1)
"""A tick that is later than this was missed: it is delivered only with catchup."""

Next = Callable[[datetime], datetime | None]


class CalendarSource(Source[CalendarConfig]):
    """Ticks. The newest one is stored with its event: none comes twice, none is lost by a restart."""

    kind: ClassVar[str] = "calendar"
    replay: ClassVar[Replay] = "cursor"
    leader_only: ClassVar[bool] = True
    _last: datetime | None = None

    async def run(self, emit: Emit) -> None:
        """Raises Permanent for a schedule that cannot be used."""
        cfg = self.cfg
        following = excluding(schedule_of(cfg), excluded_days(cfg.exclusion_dates), zone_of(cfg))
        last = self._last = self._last or await self._start(emit)
        self.ctx.ready()
        while True:
            tick = following(last)
            if tick is None:
                self.ctx.log.warning("event source %s: its schedule has no further tick", self.ctx.label)
                await asyncio.Event().wait()
                return
            await self._sleep_until(tick)
            if self._now() - tick <= LATE or catches_up(cfg):
                await emit((self._payload(tick),), cursor=tick.isoformat().encode())
            self._last = last = tick

    async def _start(self, emit: Emit) -> datetime:
        """The time after which ticks count; stored, so that even the very first tick is caught up."""
        stored = await self.ctx.cursor()
        start = start_of(self.cfg, stored, self._now())
        if stored is None and catches_up(self.cfg):
            await emit((), cursor=start.isoformat().encode())
        return start

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self.ctx.now_ns() / 1e9, UTC)

    async def _sleep_until(self, tick: datetime) -> None:
        while (rest := (tick - self._now()).total_seconds()) > 0:
            await asyncio.sleep(min(rest, NAP))

    def _payload(self, tick: datetime) -> Payload:
        data: dict[str, object] = {"eventTime": go_text(tick)}
        if self.cfg.metadata:
            data["metadata"] = self.cfg.metadata
        return Payload(orjson.dumps(data), tick_id(self.ctx.source, self.ctx.event, tick))


def tick_id(source: str, event: str, tick: datetime) -> str:
    """The scheduled time as the event's id: the same tick is the same event whoever delivers it."""
    text = f"{tick:%Y%m%dT%H%M%S}"
    return f"{source}.{event}.{text}{f'.{tick.microsecond:06d}' if tick.microsecond else ''}Z"


def catches_up(cfg: CalendarConfig) -> bool:
    return bool(cfg.persistence and cfg.persistence.catchup and cfg.persistence.catchup.enabled)


def start_of(cfg: CalendarConfig, cursor: bytes | None, now: datetime) -> datetime:
    """The time after which ticks count: now, or with catchup the newest stored tick (not too far back)."""
    stored = None if cursor is None else datetime.fromisoformat(cursor.decode())
    if stored is None or not catches_up(cfg):
        return now if stored is None else max(now, stored)
    catchup = cfg.persistence.catchup if cfg.persistence else None
    limit = catchup.max_duration if catchup else ""
    return max(stored, now - timedelta(seconds=parse_duration(limit) / 1e9)) if limit else stored


def schedule_of(cfg: CalendarConfig) -> Next:
    """Raises Permanent."""
    if cfg.schedule:
        try:
            return compile_cron(cfg.schedule, cfg.timezone or None).next
        except ExpressionError as exc:
            raise Permanent(str(exc)) from exc
    interval = parse_duration(cfg.interval) / 1e9
    if interval <= 0:
        raise Permanent(f"interval {cfg.interval!r} is not longer than nothing")
    return lambda last: after_interval(last, interval)


def after_interval(last: datetime, interval: float) -> datetime:
    """One interval later; from a second on, on whole seconds as upstream."""
    base = last.replace(microsecond=0) if interval >= 1 else last
    return base + timedelta(seconds=interval)


def zone_of(cfg: CalendarConfig) -> ZoneInfo:
    try:
        return ZoneInfo(cfg.timezone or "UTC")
    except (KeyError, ValueError, OSError) as exc:
        raise Permanent(f"unknown timezone {cfg.timezone!r}") from exc


DATE = re.compile(r"(\d{4})(\d\d)(\d\d)T\d{6}Z")


def excluded_days(entries: Iterable[str]) -> frozenset[date]:
    """The days of entries that start with `EXDATE:`; others are ignored as upstream. Raises Permanent."""
    return frozenset(
        excluded_day(item)
        for entry in entries
        if entry.startswith("EXDATE:")
        for item in entry.removeprefix("EXDATE:").split(",")
    )


def excluded_day(text: str) -> date:
    found = DATE.fullmatch(text.strip())
    try:
        if found is not None:
            return date(*map(int, found.groups()))
    except ValueError:
        pass
    raise Permanent(f"exclusion date {text.strip()!r} is not like 20260101T000000Z")


def excluding(following: Next, days: frozenset[date], zone: ZoneInfo) -> Next:
    """Skips ticks on excluded days (in the schedule's zone)."""
    if not days:
        return following

    def skip(last: datetime) -> datetime | None:
        tick = following(last)
        while tick is not None and tick.astimezone(zone).date() in days:
            tick = following(tick)
        return tick

    return skip

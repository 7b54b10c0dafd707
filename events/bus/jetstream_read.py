"""Following the log: batches in order, gaps, and the proof that silence is right.

Place      the reader's own; a consumer that is gone or lost something is made anew there, and counted
Silence    while nothing comes, the server is asked now and then: is there more for us, how long is the log.
           So `reached` moves over events of other topics, and a deaf subscription is found out
Copies     with several replicas the consumer may be served by one that lags behind the leader and knows of
           nothing: the end of the log counts when that one has had time to get there
Gaps       offsets that the stream has discarded are told by its first sequence: looked at where the place
           jumps, at most once a second (then a gap younger than that may be missed only if the whole
           stream was replaced within it)
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable
from typing import Any

from events.bus._base import Batch, Gap, Topic
from events.bus.jetstream_api import Api
from events.bus.jetstream_pull import Pulled, Puller
from events.bus.jetstream_settings import Names, token
from events.bus.jetstream_wire import Wire
from events.errors import BusUnavailable
from events.event import Delivery, Position

logger = logging.getLogger(__name__)

HANDED = 512
"""Events of one batch."""

FILTERS = 200
"""More topics than that are asked for by source, or not at all, and sorted out here."""

SOON, CALM, OFTEN = 0.01, 0.05, 1.0
"""Seconds until the server is asked: something was published here, something came, nothing happens."""

FRESH = 1.0
"""Seconds for which the first sequence is believed."""

BEHIND = 5.0
"""Seconds in which a replica must have caught up."""

DEAF = 3.0
"""Seconds in which what the server has sent, or has for us, must arrive."""

COPYING = 1.0
"""Seconds that a replica which answers gets to copy what the leader has."""


class LogReader:
    """One reader. `restarts` counts the consumers that had to be replaced."""

    def __init__(
        self,
        api: Api,
        names: Names,
        wire: Wire,
        topics: Iterable[Topic],
        max_payload: int,
        count: Callable[[], None],
    ) -> None:
        self._api, self._names, self._wire, self._count = api, names, wire, count
        topics = list(topics)
        self._wanted = {names.topic(*topic).encode() for topic in topics}
        self._filters = filters(names, topics)
        self._max_payload = max_payload
        self._loop = asyncio.get_running_loop()
        self._puller: Puller | None = None
        self._reached = 0
        self._incarnation = ""
        self._gaps: list[Gap] = []
        self._looked = -1.0
        """When the server was asked last; negative: never."""
        self._doubt: float | None = None
        """Since when the server has something for us that does not come."""
        self._seen_end, self._seen_at = 0, -COPYING
        """An end of the log, and when the replica that serves us answered after it was seen."""
        self._behind: float | None = None
        """Since when the replica that serves us lags behind the leader."""
        self._hint = 0
        self._quick = True
        self._idle: asyncio.Future[None] | None = None
        self._end: Exception | None = None

    async def open(self, after: int, info: dict[str, Any]) -> None:
        """Begin just behind an offset. `info` is that of the stream. Raises BusUnavailable, Permanent."""
        self._reached, self._incarnation = after, info["created"]
        self._discarded(info["state"]["first_seq"])
        await self._begin()

    async def _begin(self) -> None:
        if not self._wanted:
            return
        self._puller = puller = Puller(
            self._api, self._names.events,
            {"deliver_policy": "by_start_sequence", "opt_start_seq": self._reached + 1,
             "filter_subjects": self._filters},
            self._max_payload,
        )  # fmt: skip
        await puller.open()
        puller.ask()

    async def next(self) -> Batch:
        while self._end is None:
            await self._mend()
            if self._puller is not None and self._puller.waiting:
                await self._check_jump(self._puller)
                return self._take(self._puller)
            if self._due() <= 0 and await self._look():
                return self._told([])
            if self._end is None:
                await self._pause()
        raise self._end

    # what came

    def _take(self, puller: Puller) -> Batch:
        many = min(HANDED, len(puller.waiting))
        pulled = [puller.waiting.popleft() for _ in range(many)]
        puller.taken(pulled)
        puller.ask()
        self._reached, self._doubt, self._behind, self._quick = pulled[-1].seq, None, None, True
        return self._told([made for one in pulled if (made := self._delivery(one)) is not None])

    def _told(self, deliveries: list[Delivery]) -> Batch:
        gaps, self._gaps = self._gaps, []
        return Batch(deliveries, {0: self._reached}, gaps)

    def _delivery(self, one: Pulled) -> Delivery | None:
        if one.subject not in self._wanted:
            return None
        try:
            event = self._wire.decode(one.subject, one.headers, one.data)
        except (ValueError, KeyError) as exc:
            logger.warning("%s: message %d is no event and is left out: %s", self._api.name, one.seq, exc)
            return None
        return Delivery(event, Position(0, one.seq), one.stored_ns)

    async def _check_jump(self, puller: Puller) -> None:
        """Look for a gap in front of what comes next."""
        if puller.waiting[0].seq > self._reached + 1 and self._loop.time() - self._looked > FRESH:
            info = await self._info()
            self._discarded(min(info["state"]["first_seq"], puller.waiting[0].seq))

    def _discarded(self, first: int) -> None:
        """The log begins at `first` now."""
        if first > self._reached + 1:
            self._gaps.append(Gap(0, self._reached + 1, first - 1))
            self._reached = first - 1

    # silence

    def _due(self) -> float:
        """Seconds until the server is to be asked."""
        if self._looked < 0:
            return 0.0
        pause = SOON if self._hint > self._reached else CALM if self._quick else OFTEN
        return self._looked + pause - self._loop.time()

    async def _pause(self) -> None:
        seconds = max(self._due(), 0.001)
        if self._puller is not None:
            self._puller.ask()
            await self._puller.wait(seconds)
            return
        self._idle = self._loop.create_future()
        timer = self._loop.call_later(seconds, self.wake)
        try:
            await self._idle
        finally:
            timer.cancel()

    async def _look(self) -> bool:
        """Ask the server how things are; whether `reached` moved."""
        before, self._quick = self._reached, False
        info = await self._info()
        state, puller = info["state"], self._puller
        end: int = state["last_seq"]
        if puller is not None:
            there = await puller.info()
            if puller.waiting or puller.lost:
                return False
            if there is None:
                puller.lose("it is gone from the server")
                return False
            if not self._silent(puller, there):
                return False
            end = self._copied(info, there)
        self._discarded(state["first_seq"])
        self._reached = max(self._reached, end)
        return self._reached > before or bool(self._gaps)

    def _copied(self, info: dict[str, Any], there: dict[str, Any]) -> int:
        """How far the replica that serves us, and has nothing for us, has certainly come."""
        end: int = info["state"]["last_seq"]
        copies = (info.get("cluster") or {}).get("replicas") or ()
        server = (there.get("cluster") or {}).get("leader")
        lags = [not one.get("current") or one.get("lag", 0) > 0 for one in copies if one["name"] == server]
        if not lags:
            return end  # the leader itself
        now, seen = self._loop.time(), self._seen_end
        self._check_behind(now, any(not one.get("current") for one in copies if one["name"] == server))
        if not lags[0] and now - self._seen_at < COPYING:
            return self._reached
        self._seen_end, self._seen_at = end, now
        return self._reached if lags[0] else seen

    def _check_behind(self, now: float, behind: bool) -> None:
        """A replica that does not catch up, as one whose disk is full, is left for another one."""
        if not behind:
            self._behind = None
        elif self._behind is None:
            self._behind = now
        elif now - self._behind > BEHIND and self._puller is not None:
            self._behind = None
            self._puller.lose("the server that serves it does not catch up with the leader")

    async def _info(self) -> dict[str, Any]:
        self._looked = self._loop.time()
        info = await self._api.info(self._names.events)
        if info["created"] != self._incarnation:
            self.stop(BusUnavailable(f"{self._api.name}: the stream {self._names.events} was made anew"))
        return info

    def _silent(self, puller: Puller, there: dict[str, Any]) -> bool:
        """Whether the server has nothing for us. What it has must arrive in time."""
        if there["delivered"]["consumer_seq"] <= puller.received and not there["num_pending"]:
            self._doubt = None
            return True
        now = self._loop.time()
        self._doubt = self._doubt or now
        if now - self._doubt > DEAF:
            self._api.check()
            puller.lose("it hands out nothing although there is something")
        else:
            self._quick = True
        return False

    async def _mend(self) -> None:
        """Replace a consumer that is lost. Raises BusUnavailable."""
        puller = self._puller
        if puller is None or not puller.lost or puller.waiting:
            return
        if not self._api.link.up:
            raise self._api.down()
        logger.warning("%s: a subscription starts anew: %s", self._api.name, puller.reason)
        self._count()
        await puller.aclose()
        self._doubt, self._looked = None, -1.0
        info = await self._info()
        self._discarded(info["state"]["first_seq"])
        if self._end is None:
            await self._begin()

    # from outside

    def hint(self, seq: int) -> None:
        """So much was published."""
        if seq > self._hint:
            self._hint = seq
            if not self._wanted:
                self.wake()
            elif self._puller is not None and self._due() > SOON:
                self._looked = min(self._looked, self._loop.time())
                self._puller.wake()

    def disconnected(self) -> None:
        """What was on its way is lost."""
        if self._puller is not None:
            self._puller.lose("the connection was lost")
        self.wake()

    def wake(self) -> None:
        if self._idle is not None and not self._idle.done():
            self._idle.set_result(None)

    async def lag(self) -> int:
        puller = self._puller
        if puller is None:
            return 0
        there = await puller.info()
        if there is None:
            puller.lose("it is gone from the server")
            return len(puller.waiting) + 1
        on_the_way: int = there["delivered"]["consumer_seq"] - puller.received
        return len(puller.waiting) + max(0, on_the_way) + int(there["num_pending"])

    def stop(self, reason: Exception) -> None:
        """End this reader: a waiting `next` and every later one raises the reason."""
        self._end = self._end or reason
        if self._puller is not None:
            self._puller.wake()
        self.wake()

    async def aclose(self) -> None:
        self.stop(StopAsyncIteration())
        if self._puller is not None:
            await self._puller.aclose()


def filters(names: Names, topics: list[Topic]) -> list[str]:
    """Subjects to ask for: each topic, or each source, or all."""
    exact = sorted({names.topic(*topic) for topic in topics})
    if len(exact) <= FILTERS:
        return exact
    sources = sorted({f"{names.topics}.{token(source)}.*" for source, _ in topics})
    return sources if len(sources) <= FILTERS else [f"{names.topics}.*.*"]

"""A lease that its holder has given up is not renewed any more. Virtual time, no server."""

from __future__ import annotations

import asyncio
from typing import Any, cast

from events.bus.jetstream_lease import MARGIN, JetStreamLease
from events.errors import BusUnavailable
from events.testing.virtual import run_virtual


class Desk:
    """Counts renewals; none of them is answered before `away` has passed."""

    def __init__(self, away: float) -> None:
        self.away, self.asked = away, list[float]()

    async def renew(self, lease: JetStreamLease) -> None:
        now = asyncio.get_running_loop().time()
        self.asked.append(now)
        if now < self.away:
            raise BusUnavailable("away")

    def forget(self, lease: JetStreamLease) -> None: ...


def test_who_has_lost_a_lease_does_not_keep_it_from_others():
    async def body() -> None:
        desk = Desk(away=9.5)
        lease = JetStreamLease(cast(Any, desk), "shard/0", 1, 10.0, 0.0)
        keeping = asyncio.get_running_loop().create_task(lease.keep())
        await lease.lost.wait()
        assert asyncio.get_running_loop().time() == 10.0 * MARGIN
        await keeping
        assert all(at < 9.0 for at in desk.asked)

    run_virtual(body())

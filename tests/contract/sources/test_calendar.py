"""The clauses of sources, on the calendar: a message is an hour that passes."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from events.sources import calendar
from events.testing.sources import QueueContract, Rig

HOUR = timedelta(hours=1)


class TestCalendar(QueueContract):
    """Its clock stands until it is put forward."""

    kind = "calendar"
    restarts = False
    sized = False

    @pytest.fixture(autouse=True)
    def clock(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(calendar, "NAP", 0.01)
        self.now = datetime(2026, 3, 1, 6, tzinfo=UTC)
        self.texts: dict[str, str] = {}

    def now_ns(self) -> int:
        return int(self.now.timestamp()) * 10**9

    async def begin(self, rig: Rig, *, supervised: bool = False) -> None:
        rig.now_ns = self.now_ns
        raw = {"schedule": "0 * * * *", "persistence": {"catchup": {"enabled": True}}}
        await rig.start(self.kind, raw, supervised=supervised)

    async def put(self, texts: Sequence[str]) -> None:
        for text in texts:
            self.now += HOUR
            self.texts[f"{self.now:%Y-%m-%d %H:%M:%S} +0000 UTC"] = text

    def shows(self, payload: Any) -> str:
        return self.texts[payload["eventTime"]]

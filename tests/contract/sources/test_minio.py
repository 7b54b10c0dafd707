"""The clauses of sources that hear and cannot ask again, on minio against a stand-in."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Any, ClassVar

import pytest

from events.testing.minio import ACCESS_KEY, BUCKET, Listening
from events.testing.sources import QueueContract, Rig


class TestMinio(QueueContract):
    """A text is the key of an object."""

    kind = "minio"
    secrets: ClassVar = {"store/user": ACCESS_KEY, "store/password": "s3cret-of-the-store"}

    @pytest.fixture(autouse=True)
    async def stand_in(self) -> AsyncIterator[None]:
        self.server = Listening()
        await self.server.start()
        yield
        await self.server.stop()

    async def begin(self, rig: Rig, *, supervised: bool = False) -> None:
        raw = {
            "endpoint": f"127.0.0.1:{self.server.port}", "bucket": {"name": BUCKET}, "insecure": True,
            "accessKey": {"name": "store", "key": "user"}, "secretKey": {"name": "store", "key": "password"},
            "events": ["s3:ObjectCreated:*"],
        }  # fmt: skip
        await rig.start(self.kind, raw, supervised=supervised)

    async def put(self, texts: Sequence[str]) -> None:
        for text in texts:
            await self.server.send(text)

    def shows(self, payload: Any) -> str:
        key: str = payload["notification"][0]["s3"]["object"]["key"]
        return key

    async def restart_server(self) -> None:
        await self.server.stop()
        await self.server.start()

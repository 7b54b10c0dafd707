"""The clauses of sources, on those that look at a folder."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any, ClassVar

import pytest

import events.sources.file
from events.testing.sftp import PASSWORD, USER, SFTPServer, sftp_server
from events.testing.sources import QueueContract, Rig


def write(folder: Path, names: Sequence[str]) -> None:
    for name in names:
        (folder / name).write_text(name)


class FolderContract(QueueContract):
    """A message is a file; its text is the name. A listing has no order, and names are short."""

    ordered = False
    large = 200
    folder: Path

    async def put(self, texts: Sequence[str]) -> None:
        await asyncio.to_thread(write, self.folder, texts)

    def shows(self, payload: Any) -> str:
        assert payload["op"] == 1
        return str(payload["name"]).rpartition("/")[2]


class TestFile(FolderContract):
    kind = "file"
    restarts = False
    polling = False

    @pytest.fixture(autouse=True)
    def _folder(self, tmp_path: Path) -> None:
        self.folder = tmp_path
        self.limit = len(str(tmp_path)) + 150

    async def begin(self, rig: Rig, *, supervised: bool = False) -> None:
        raw = {
            "eventType": "CREATE", "polling": self.polling, "settleDuration": "50ms",
            "watchPathConfig": {"directory": str(self.folder), "pathRegexp": "."},
        }  # fmt: skip
        await rig.start(self.kind, raw, supervised=supervised)


class TestFilePolling(TestFile):
    polling = True

    @pytest.fixture(autouse=True)
    def _often(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(events.sources.file, "POLL_EVERY", 0.05)


class TestSFTP(FolderContract):
    kind = "sftp"
    secrets: ClassVar = {"sftp/user": USER, "sftp/password": PASSWORD, "sftp/address": ""}
    limit = 150

    @pytest.fixture(autouse=True)
    async def _server(self, tmp_path: Path) -> AsyncIterator[None]:
        self.folder = tmp_path / "in"
        self.folder.mkdir()
        async with sftp_server(tmp_path) as self.server:
            self.secrets = {**self.secrets, "sftp/address": self.server.address}
            yield

    async def restart_server(self) -> None:
        server: SFTPServer = self.server
        await server.stop()
        await server.start()

    async def begin(self, rig: Rig, *, supervised: bool = False) -> None:
        raw = {
            "eventType": "CREATE", "pollIntervalDuration": "100ms", "settleDuration": "50ms",
            "watchPathConfig": {"directory": "/in", "pathRegexp": "."},
            "username": {"name": "sftp", "key": "user"}, "password": {"name": "sftp", "key": "password"},
            "address": {"name": "sftp", "key": "address"},
        }  # fmt: skip
        await rig.start(self.kind, raw, supervised=supervised)

"""The examples of `file` and `sftp`: linted, run as they are but for their addresses, restarted."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from pathlib import Path

import pytest

from events.testing.sftp import PASSWORD, USER, sftp_server
from tests.e2e.examples import example, parameters
from tests.e2e.instance import Instance

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]


async def check(run: AbstractAsyncContextManager[Instance], folder: Path, prefix: str = "") -> None:
    """A file starts a Workflow; one that comes while the instance is down starts one when it is back."""
    (folder / "old.csv").write_text("there before")
    async with run as instance:
        (folder / "first.csv").write_text("1")
        (folder / "notes.txt").write_text("another kind of file")
        assert await parameters(instance, 1) == [f"{prefix}first.csv"]
        assert await instance.terminate() == 0
        (folder / "second.csv").write_text("2")
        await instance.start()
        assert await parameters(instance, 2) == [f"{prefix}first.csv", f"{prefix}second.csv"]


async def test_file(tmp_path: Path):
    inbox = tmp_path / "inbox"
    inbox.mkdir()
    replaced = {"/tmp/inbox": str(inbox)}
    await check(example(tmp_path, "event-sources/file.yaml", replaced), inbox, f"{inbox}/")


async def test_sftp(tmp_path: Path):
    upload = tmp_path / "root" / "upload"
    upload.mkdir(parents=True)
    async with sftp_server(tmp_path / "root") as server:
        replaced = {
            "127.0.0.1:22": server.address, "change-me": PASSWORD, "username: etl": f"username: {USER}",
            "10s": "200ms",
        }  # fmt: skip
        await check(example(tmp_path, "event-sources/sftp.yaml", replaced), upload)

"""The examples of `file` and `sftp`: linted, run as they are but for their addresses, restarted."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from events.testing.sftp import PASSWORD, USER, sftp_server
from tests.e2e.instance import Instance

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]

EXAMPLES = Path(__file__).parents[2] / "examples" / "event-sources"


async def parameters(instance: Instance, count: int) -> list[str]:
    """The first parameter of each Workflow, once there are so many."""
    async with asyncio.timeout(30):
        while len(found := await instance.get("workflows")) < count:
            await asyncio.sleep(0.2)
    return sorted(one["spec"]["arguments"]["parameters"][0]["value"] for one in found)


async def lint(instance: Instance) -> None:
    code, out, err = await instance.command("lint", str(instance.manifests))
    assert code == 0, out + err


async def check(instance: Instance, folder: Path, prefix: str = "") -> None:
    """A file starts a Workflow; one that comes while the instance is down starts one when it is back."""
    (folder / "old.csv").write_text("there before")
    await lint(instance)
    try:
        await instance.start()
        (folder / "first.csv").write_text("1")
        (folder / "notes.txt").write_text("another kind of file")
        assert await parameters(instance, 1) == [f"{prefix}first.csv"]
        assert await instance.terminate() == 0
        (folder / "second.csv").write_text("2")
        await instance.start()
        assert await parameters(instance, 2) == [f"{prefix}first.csv", f"{prefix}second.csv"]
    finally:
        await instance.close()


async def test_file(tmp_path: Path):
    inbox = tmp_path / "inbox"
    inbox.mkdir()
    text = (EXAMPLES / "file.yaml").read_text().replace("/tmp/inbox", str(inbox))
    await check(Instance(tmp_path, text), inbox, f"{inbox}/")


async def test_sftp(tmp_path: Path):
    upload = tmp_path / "root" / "upload"
    upload.mkdir(parents=True)
    async with sftp_server(tmp_path / "root") as server:
        text = (EXAMPLES / "sftp.yaml").read_text()
        for old, new in (
            ("127.0.0.1:22", server.address), ("change-me", PASSWORD), ("username: etl", f"username: {USER}"),
            ("10s", "200ms"),
        ):  # fmt: skip
            assert old in text
            text = text.replace(old, new)
        await check(Instance(tmp_path, text), upload)

"""file: each kind of change in a real folder, told and with polling; folders that cannot be read."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from events.errors import Retryable
from events.sources import file
from events.testing.sources import Rig, rigged


def config(folder: Path, event: str, **more: Any) -> dict[str, Any]:
    return {
        "eventType": event, "settleDuration": "50ms",
        "watchPathConfig": {"directory": str(folder), "pathRegexp": r"\.txt$"}, **more,
    }  # fmt: skip


def chmod(folder: Path) -> None:
    (folder / "old.txt").chmod(0o640)


def append(folder: Path) -> None:
    with (folder / "old.txt").open("a") as stream:
        stream.write("more")


CHANGES: list[tuple[str, Callable[[Path], object], str, int]] = [
    ("CREATE", lambda folder: (folder / "new.txt").write_text("x"), "new.txt", 1),
    ("CREATE", lambda folder: (folder / "other.tmp").rename(folder / "old.txt"), "old.txt", 1),
    ("CREATE", lambda folder: (folder / "folder.txt").mkdir(), "folder.txt", 1),
    ("WRITE", append, "old.txt", 2),
    ("REMOVE", lambda folder: (folder / "old.txt").unlink(), "old.txt", 4),
    ("RENAME", lambda folder: (folder / "old.txt").rename(folder / "moved.tmp"), "old.txt", 8),
    ("CHMOD", chmod, "old.txt", 16),
]


@pytest.mark.parametrize("polling", [False, True], ids=["told", "polling"])
@pytest.mark.parametrize(("event", "change", "name", "op"), CHANGES, ids=lambda value: str(value)[:12])
async def test_each_kind_of_change(
    tmp_path: Path, event: str, change: Callable[[Path], object], name: str, op: int, polling: bool
):
    (tmp_path / "old.txt").write_text("x")
    (tmp_path / "other.tmp").write_text("y")
    async with rigged() as rig:
        await rig.start("file", config(tmp_path, event, polling=polling, metadata={"team": "etl"}))
        (tmp_path / "unrelated.csv").write_text("x")
        change(tmp_path)
        await rig.until(1)
        shown = name if polling else f"{tmp_path}/{name}"
        assert rig.data == [{"name": shown, "op": op, "metadata": {"team": "etl"}}]


async def test_a_file_that_grows_is_told_once_when_it_is_whole(tmp_path: Path):
    async with rigged() as rig:
        await rig.start("file", config(tmp_path, "CREATE", settleDuration="2s"))
        with (tmp_path / "big.txt").open("w") as stream:
            for _ in range(5):
                stream.write("x" * 1000)
                stream.flush()
                await asyncio.sleep(0.1)
                assert rig.emitted == []
        await rig.until(1)
        (tmp_path / "next.txt").touch()
        await rig.until(2)
        assert [data["name"] for data in rig.data] == [f"{tmp_path}/{name}.txt" for name in ("big", "next")]


async def test_the_path_alone_counts(tmp_path: Path):
    async with rigged() as rig:
        raw = config(tmp_path, "CREATE")
        raw["watchPathConfig"] = {"directory": f"{tmp_path}/", "path": "x.txt"}
        await rig.start("file", raw)
        (tmp_path / "xx.txt").write_text("x")
        (tmp_path / "x.txt").write_text("x")
        await rig.until(1)
        assert rig.data == [{"name": f"{tmp_path}/x.txt", "op": 1, "metadata": None}]


async def test_what_left_while_the_source_was_down_is_told(tmp_path: Path):
    (tmp_path / "old.txt").write_text("x")
    async with rigged() as rig:
        await rig.start("file", config(tmp_path, "REMOVE"))
        await rig.stop()
        (tmp_path / "old.txt").unlink()
        await rig.start("file", config(tmp_path, "REMOVE"))
        await rig.until(1)
        assert rig.data == [{"name": f"{tmp_path}/old.txt", "op": 4, "metadata": None}]


async def test_more_files_than_one_batch(tmp_path: Path):
    async with rigged() as rig:
        await rig.start("file", config(tmp_path, "CREATE"))
        await rig.stop()
        for number in range(600):
            (tmp_path / f"{number}.txt").touch()
        await rig.start("file", config(tmp_path, "CREATE"))
        await rig.until(600)
        assert len({payload.id for payload in rig.emitted}) == 600


async def refused(raw: dict[str, Any]) -> str:
    async with rigged() as rig:
        with pytest.raises(Retryable) as caught:
            await rig.start("file", raw)
    return str(caught.value)


@pytest.mark.parametrize("again", [False, True], ids=["waiting", "started-again"])
async def test_what_comes_with_a_folder_that_was_missing_is_told(tmp_path: Path, again: bool):
    folder = tmp_path / "later"
    async with rigged() as rig:
        await rig.start("file", config(folder, "CREATE"), wait=False, supervised=True)
        async with asyncio.timeout(5):
            while not rig.failures:
                await asyncio.sleep(0.01)
        if again:
            await rig.stop()
        folder.mkdir()
        (folder / "a.txt").write_text("x")
        if again:
            await rig.start("file", config(folder, "CREATE"))
        await rig.until(1)
        assert [one["name"] for one in rig.data] == [f"{folder}/a.txt"]


async def test_a_folder_that_is_missing_is_named(tmp_path: Path):
    gone = tmp_path / "gone"
    text = await refused(config(gone, "CREATE"))
    assert text == f"folder {gone} does not exist: make it, or change watchPathConfig.directory"


async def test_a_file_where_a_folder_should_be_is_named(tmp_path: Path):
    (tmp_path / "x").touch()
    assert f"{tmp_path}/x is not a folder" in await refused(config(tmp_path / "x", "CREATE"))


async def test_a_folder_that_may_not_be_read_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    locked = tmp_path / "locked"
    locked.mkdir(mode=0)
    if os.geteuid() == 0:  # root reads everything

        def denied(_: str) -> None:
            raise PermissionError(13, "Permission denied")

        monkeypatch.setattr(file.os, "scandir", denied)
    text = await refused(config(locked, "CREATE"))
    assert text == f"folder {locked} may not be read: give this user the rights r and x on it"


async def test_a_folder_that_vanishes_is_waited_for(tmp_path: Path):
    folder = tmp_path / "in"
    folder.mkdir()
    async with rigged() as rig:
        await rig.start("file", config(folder, "CREATE"), supervised=True)
        folder.rmdir()
        await failed(rig)
        assert "does not exist" in str(rig.failures[0])
        folder.mkdir()
        async with asyncio.timeout(10):
            await rig.ready.wait()
        (folder / "new.txt").write_text("x")
        await rig.until(1)


async def failed(rig: Rig) -> None:
    async with asyncio.timeout(10):
        while not rig.failures:
            await asyncio.sleep(0.05)


async def test_watches_that_are_used_up_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    async def watch(folder: str, woken: file.Woken) -> None:
        raise OSError("OS file watch limit reached")

    monkeypatch.setattr(file, "watch", watch)
    async with rigged() as rig:
        await rig.start("file", config(tmp_path, "CREATE"), supervised=True)
        await failed(rig)
        assert f"cannot watch {tmp_path}: OS file watch limit reached; polling: true" in str(rig.failures[0])

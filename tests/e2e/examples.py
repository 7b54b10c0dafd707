"""An example as a process: linted, then run as it is but for its addresses."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp

from tests.e2e.instance import Instance

EXAMPLES = Path(__file__).parents[2] / "examples"


@asynccontextmanager
async def example(
    folder: Path, name: str, replaced: Mapping[str, str], *options: str
) -> AsyncIterator[Instance]:
    """The example runs, with its data in `folder`. Every text to be replaced has to be there."""
    text = (EXAMPLES / name).read_text()
    for old, new in replaced.items():
        assert old in text, old
        text = text.replace(old, new)
    instance = Instance(folder, text, *options)
    code, out, err = await instance.command("lint", str(instance.manifests))
    assert code == 0, out + err
    try:
        await instance.start()
        yield instance
    finally:
        await instance.close()


async def logged(instance: Instance, *texts: str) -> None:
    """Wait until all of them are in the log."""
    async with asyncio.timeout(30):
        while not all(text in instance.told() for text in texts):
            await asyncio.sleep(0.1)


async def parameters(instance: Instance, count: int, seconds: float = 30) -> list[str]:
    """The first parameter of each Workflow, once there are so many."""
    async with asyncio.timeout(seconds):
        while len(found := await instance.get("workflows")) < count:
            await asyncio.sleep(0.2)
    return sorted(one["spec"]["arguments"]["parameters"][0]["value"] for one in found)


async def post(port: int, path: str, body: Any, **headers: str) -> int:
    """The status of the answer."""
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"http://127.0.0.1:{port}{path}", json=body, headers=headers) as answer,
    ):
        return answer.status

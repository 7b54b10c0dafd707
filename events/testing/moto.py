"""moto's server as a process of its own: AWS for tests, on a free port."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp

from events.testing.servers import free_port
from events.testing.servers._cache import Pip

MODULE = Pip("moto", module="moto")
STARTS_WITHIN = 20.0
"""Seconds."""


@asynccontextmanager
async def moto_server(log: Path, environ: Mapping[str, str] | None = None) -> AsyncIterator[str]:
    """The URL of a server that knows nothing yet; what it writes goes to `log`."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    with log.open("wb") as file:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port),
            stdout=file, stderr=file, env={**os.environ, **(environ or {})},
        )  # fmt: skip
        try:
            await answering(url, process, log)
            yield url
        finally:
            if process.returncode is None:
                process.terminate()
            await process.wait()


async def answering(url: str, process: asyncio.subprocess.Process, log: Path) -> None:
    """Wait for the server. Raises RuntimeError with what it wrote when it has ended."""
    async with aiohttp.ClientSession() as session, asyncio.timeout(STARTS_WITHIN):
        while True:
            if process.returncode is not None:
                written = await asyncio.to_thread(log.read_text)
                raise RuntimeError(f"moto has ended: {written[-2000:]}")
            try:
                async with session.get(f"{url}/moto-api/data.json") as answer:
                    if answer.status == 200:
                        return
            except aiohttp.ClientConnectionError:
                await asyncio.sleep(0.05)

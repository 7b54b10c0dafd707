"""The pages of the service itself: /healthz, /readyz, /metrics."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import orjson
from aiohttp import web

from events.clients.network import reason
from events.errors import Retryable

Report = Callable[[], dict[str, Any]]
"""{"ready": bool, ...}: what /readyz shows."""


def pages(report: Report, metrics: Callable[[], bytes]) -> web.Application:
    """An application with the three pages. None of them shows a secret or a payload."""

    async def healthz(_: web.Request) -> web.Response:
        return web.Response(text="ok\n")

    async def readyz(_: web.Request) -> web.Response:
        state = report()
        body = orjson.dumps(state, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
        status = 200 if state["ready"] else 503
        return web.Response(status=status, body=body, content_type="application/json")

    async def page(_: web.Request) -> web.Response:
        return web.Response(
            body=metrics(), headers={"Content-Type": "text/plain; version=0.0.4; charset=utf-8"}
        )

    app = web.Application()
    app.router.add_get("/healthz", healthz)
    app.router.add_get("/readyz", readyz)
    app.router.add_get("/metrics", page)
    return app


class Server:
    """An application on a TCP port or a unix socket."""

    def __init__(self, app: web.Application) -> None:
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)

    async def tcp(self, host: str, port: int) -> int:
        """Listen; returns the port (0 asks for a free one). Raises Retryable."""
        await self._runner.setup()
        try:
            await web.TCPSite(self._runner, host, port).start()
        except OSError as exc:
            await self._runner.cleanup()
            raise Retryable(f"cannot listen on {host}:{port}: {reason(exc)}") from exc
        found: int = self._runner.addresses[0][1]
        return found

    async def unix(self, path: str) -> None:
        """Listen on a socket that only this user may use."""
        await self._runner.setup()
        before = os.umask(0o177)
        try:
            await web.UnixSite(self._runner, path).start()
        finally:
            os.umask(before)

    async def aclose(self) -> None:
        await self._runner.cleanup()

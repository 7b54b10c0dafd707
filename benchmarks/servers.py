"""What is compared with: a plain aiohttp handler that checks the HMAC, a sink of triggers, a Kafka loop."""

from __future__ import annotations

import asyncio
import hmac
import json
import sys
import time

from aiohttp import web

from benchmarks.load import SECRET


async def checked(request: web.Request) -> web.Response:
    """What any receiver of webhooks has to do at the least."""
    body = await request.read()
    wanted = "sha256=" + hmac.digest(SECRET.encode(), body, "sha256").hex()
    if not hmac.compare_digest(wanted, request.headers.get("X-Hub-Signature-256", "")):
        return web.Response(status=401)
    return web.Response(text="success")


def plain(port: int) -> None:
    app = web.Application()
    app.router.add_post("/push", checked)
    web.run_app(app, host="127.0.0.1", port=port, access_log=None, print=None)


def sink(port: int) -> None:
    """Counts what arrives and how late it is (X-Due: the scheduled time in nanoseconds); GET tells."""
    ids: dict[str, int] = {}
    late: list[float] = []
    last = 0.0

    async def take(request: web.Request) -> web.Response:
        nonlocal last
        last = time.time()
        key = request.headers.get("Idempotency-Key", "")
        ids[key] = ids.get(key, 0) + 1
        due = request.headers.get("X-Due", "").partition("-")[0]
        if len(due) > 15:
            late.append((time.time_ns() - int(due)) / 1e9)
        await request.read()
        return web.Response(text="ok")

    async def tell(_: web.Request) -> web.Response:
        found = {"count": sum(ids.values()), "distinct": len(ids), "late": late, "last": last}
        return web.Response(text=json.dumps(found), content_type="application/json")

    async def forget(_: web.Request) -> web.Response:
        ids.clear()
        late.clear()
        return web.Response(text="ok")

    app = web.Application()
    app.router.add_post("/", take)
    app.router.add_get("/", tell)
    app.router.add_delete("/", forget)
    web.run_app(app, host="127.0.0.1", port=port, access_log=None, print=None)


def kafka(port: int, brokers: str, name: str) -> None:
    """Reads a topic and commits, batch by batch; listens on the port when it does."""
    asyncio.run(read(port, brokers, name))


async def read(port: int, brokers: str, name: str) -> None:
    from aiokafka import AIOKafkaConsumer

    consumer = AIOKafkaConsumer(
        name, bootstrap_servers=brokers, group_id=name, enable_auto_commit=False, auto_offset_reset="earliest"
    )
    async with consumer, await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", port):
        while True:
            if await consumer.getmany(timeout_ms=1000):
                await consumer.commit()


if __name__ == "__main__":
    {"plain": plain, "sink": sink, "kafka": kafka}[sys.argv[1]](int(sys.argv[2]), *sys.argv[3:])

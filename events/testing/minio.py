"""MinIO's notification stream for tests: the same wire form, and no line is held back."""

from __future__ import annotations

import asyncio
from typing import Any

import orjson
from aiohttp import web

ACCESS_KEY = "minio"
BUCKET = "input"


class Listening:
    """One bucket. `send` tells everybody who listens; `silent` stops the pings; `end` ends all streams."""

    def __init__(self, bucket: str = BUCKET, ping_every: float = 0.05) -> None:
        self.bucket, self.ping_every = bucket, ping_every
        self.silent = False
        self.asked: list[dict[str, list[str]]] = []
        """The query of every stream."""
        self._streams: dict[web.StreamResponse, dict[str, list[str]]] = {}
        self._runner: web.ServerRunner | None = None
        self.port = 0

    async def start(self) -> None:
        """On a free port the first time, later on the same."""
        self._runner = web.ServerRunner(web.Server(self._handle), shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", self.port)
        await site.start()
        self.port = self._runner.addresses[0][1]

    async def stop(self) -> None:
        self.end()
        assert self._runner is not None
        await self._runner.cleanup()

    def end(self) -> None:
        streams, self._streams = self._streams, {}
        for stream in streams:
            stream.force_close()

    @property
    def listeners(self) -> int:
        return len(self._streams)

    async def send(self, key: str, event: str = "s3:ObjectCreated:Put") -> None:
        for stream, query in list(self._streams.items()):
            if key.startswith(query["prefix"][0]) and key.endswith(query["suffix"][0]):
                await self._write(stream, orjson.dumps({"Records": [record(key, event)]}) + b"\n")

    async def raw(self, text: bytes) -> None:
        for stream in list(self._streams):
            await self._write(stream, text)

    async def _write(self, stream: web.StreamResponse, text: bytes) -> None:
        """A listener that has hung up is forgotten."""
        try:
            await stream.write(text)
        except ConnectionError:
            self._streams.pop(stream, None)

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        if f"Credential={ACCESS_KEY}/" not in request.headers.get("Authorization", ""):
            return refusal(403, "InvalidAccessKeyId", "The Access Key Id you provided does not exist.")
        if request.path != f"/{self.bucket}":
            return refusal(404, "NoSuchBucket", "The specified bucket does not exist")
        if "location" in request.query:
            return web.Response(text="<LocationConstraint/>")
        return await self._stream(request)

    async def _stream(self, request: web.BaseRequest) -> web.StreamResponse:
        query = {name: request.query.getall(name) for name in request.query}
        stream = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await stream.prepare(request)
        self.asked.append(query)
        self._streams[stream] = query
        try:
            while stream in self._streams:
                if not self.silent:
                    await self._write(stream, b'{"Records":null}\n')
                await asyncio.sleep(self.ping_every)
        finally:
            self._streams.pop(stream, None)
        return stream


def refusal(status: int, code: str, message: str) -> web.Response:
    text = f"<Error><Code>{code}</Code><Message>{message}</Message></Error>"
    return web.Response(status=status, text=text, content_type="application/xml")


def record(key: str, event: str = "s3:ObjectCreated:Put") -> dict[str, Any]:
    """As MinIO writes it."""
    return {
        "eventVersion": "2.0", "eventSource": "minio:s3", "awsRegion": "",
        "eventTime": "2026-07-18T12:00:00Z",
        "eventName": event, "userIdentity": {"principalId": "minio"},
        "requestParameters": {"sourceIPAddress": "10.0.0.1"}, "responseElements": {"x-amz-request-id": "15"},
        "s3": {
            "s3SchemaVersion": "1.0", "configurationId": "Config",
            "bucket": {
                "name": BUCKET, "ownerIdentity": {"principalId": "minio"}, "arn": f"arn:aws:s3:::{BUCKET}",
            },
            "object": {"key": key, "size": 6, "eTag": "9a", "contentType": "text/plain", "sequencer": "15"},
        },
        "source": {"host": "10.0.0.1", "port": "", "userAgent": "mc"},
    }  # fmt: skip

"""MinIO's ListenBucketNotification: one HTTP answer that never ends, a JSON object per line.

Request    GET /BUCKET?events=...&ping=1&prefix=...&suffix=..., signed (AWS Signature Version 4)
Pings      a line without records each second. A stream is dead when nothing has come for ten times the
           longest pause it had: some versions of the server hold lines back until they fill a block
           Compressed, a stream would be held back for much longer still
Library    aiohttp; botocore signs (extra `aws`)
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import quote, urlencode
from xml.etree import ElementTree

import msgspec

from events.clients.aws import CLOCK, NEXT_STEP
from events.clients.http import first_bytes, refusal
from events.clients.network import reason
from events.errors import EventsError, Permanent, Retryable, shorten

if TYPE_CHECKING:
    import aiohttp

PING = 1
"""Seconds between two pings; the least that MinIO takes."""

QUIETEST, SHORTEST_LIMIT = 300.0, 15.0
"""Seconds without any line after which a stream is dead: before its pauses are known, and at least."""

ANSWERS_WITHIN = 10.0
"""Seconds for a request that is not the stream."""

OTHERS = "is it a store with MinIO's notification API? the source s3 works with others"

LONGEST_LINE = 4 << 20
"""Bytes, as in MinIO's own client."""


class Login(NamedTuple):
    """Keys in plain; never shown."""

    access_key: str
    secret_key: str

    def __repr__(self) -> str:
        return "<Login>"


class Stream(NamedTuple):
    """What to listen to."""

    base: str
    """http://HOST:PORT or https://..."""
    bucket: str
    region: str
    events: Sequence[str] = ()
    prefix: str = ""
    suffix: str = ""

    def __str__(self) -> str:
        return f"MinIO bucket {self.bucket!r} ({self.base})"

    @property
    def query(self) -> str:
        fixed = [("ping", str(PING)), ("prefix", self.prefix), ("suffix", self.suffix)]
        return urlencode([*(("events", name) for name in self.events), *fixed], quote_via=quote)


class _Line(msgspec.Struct):
    """What of a line is read."""

    Records: msgspec.Raw = msgspec.Raw(b"null")


_line = msgspec.json.Decoder(_Line)


def signed(url: str, region: str, login: Login) -> dict[str, str]:
    """The headers of a GET request with this URL."""
    from botocore.auth import S3SigV4Auth
    from botocore.awsrequest import AWSRequest
    from botocore.credentials import Credentials

    request = AWSRequest("GET", url)
    S3SigV4Auth(Credentials(login.access_key, login.secret_key), "s3", region).add_auth(request)
    return dict(request.headers.items())


async def check(session: aiohttp.ClientSession, stream: Stream, login: Login) -> None:
    """Ask for the bucket. Raises Retryable, Permanent: server, login, bucket."""
    async with _get(session, stream, login, "location=", ANSWERS_WITHIN):
        pass


async def lines(session: aiohttp.ClientSession, stream: Stream, login: Login) -> AsyncGenerator[bytes, None]:
    """Line by line as they come. Raises Retryable, also when the stream ends, Permanent."""
    async with _get(session, stream, login, stream.query, QUIETEST) as answer:
        if answer.content_type == "application/xml":  # a listing: other stores do not know our parameters
            raise Permanent(f"{stream} sends no notifications; {OTHERS}")
        rest = b""
        async for chunk in arriving(answer, str(stream)):
            *whole, rest = (rest + chunk).split(b"\n")
            for line in whole:
                yield line
            if len(rest) > LONGEST_LINE:
                raise Retryable(f"{stream}: a line is longer than {LONGEST_LINE} bytes")
    raise Retryable(f"{stream}: the server has ended the stream")


def records_in(line: bytes) -> bytes:
    """JSON text of the list, b"" when it is empty. Raises ValueError."""
    try:
        found = _line.decode(line) if line.strip() else _Line()
    except msgspec.DecodeError as exc:
        raise ValueError(f"a line that is not JSON: {exc}") from exc
    text = bytes(found.Records)
    return b"" if text in (b"null", b"[]") else text


async def arriving(answer: aiohttp.ClientResponse, what: str) -> AsyncIterator[bytes]:
    """The body as it comes. Raises Retryable when nothing comes for too long."""
    pauses: list[float] = []
    while not answer.content.at_eof():
        began, limit = time.monotonic(), limit_after(pauses)
        try:
            async with asyncio.timeout(limit):
                chunk = await answer.content.readany()
        except TimeoutError as exc:
            raise Retryable(f"{what}: nothing has come for {limit:.0f} s, not even a ping") from exc
        pauses = [*pauses[-9:], time.monotonic() - began]
        if chunk:
            yield chunk


def limit_after(pauses: Sequence[float]) -> float:
    """Seconds of silence that are too many, from the pauses so far."""
    return QUIETEST if len(pauses) < 2 else min(max(10 * max(pauses), SHORTEST_LIMIT), QUIETEST)


@asynccontextmanager
async def _get(
    session: aiohttp.ClientSession, stream: Stream, login: Login, query: str, seconds: float
) -> AsyncIterator[aiohttp.ClientResponse]:
    """The answer, once its headers are there (within `seconds`). Raises Retryable, Permanent."""
    import aiohttp
    from yarl import URL

    url = f"{stream.base}/{stream.bucket}?{query}"
    limits = aiohttp.ClientTimeout(total=None, sock_connect=ANSWERS_WITHIN)
    try:
        async with asyncio.timeout(seconds) as deadline:
            headers = {**signed(url, stream.region, login), "Accept-Encoding": "identity"}
            async with session.get(
                URL(url, encoded=True), headers=headers, timeout=limits, allow_redirects=False
            ) as answer:
                if answer.status != 200:
                    raise refused(str(stream), answer.status, await first_bytes(answer))
                deadline.reschedule(None)
                yield answer
    except aiohttp.ClientError as exc:
        said = f"{stream}: {refusal(exc) or reason(exc)}"
        tls = isinstance(exc, aiohttp.ClientConnectorCertificateError | aiohttp.ClientConnectorSSLError)
        raise (Permanent(said) if tls or refusal(exc) else Retryable(said)) from exc
    except TimeoutError as exc:
        raise Retryable(f"{stream}: no answer within {seconds:.0f} s") from exc
    except OSError as exc:
        raise Retryable(f"{stream}: {exc}") from exc


def refused(what: str, status: int, body: bytes) -> EventsError:
    """An error answer of an S3 store."""
    code, message = error_of(body)
    step = NEXT_STEP.get(code, "")
    if not code and status != 503:
        step = OTHERS
    said = f"{what}: {' '.join(filter(None, (str(status), code)))}: {message}".rstrip(": ")
    text = f"{said}; {step}" if step else said
    passes = (status >= 500 and code != "NotImplemented") or status == 429 or code == "NoSuchBucket"
    passes |= step == CLOCK
    return Retryable(text) if passes else Permanent(text)


def error_of(body: bytes) -> tuple[str, str]:
    """Code and message of S3's XML; empty where the body is something else."""
    try:
        root = ElementTree.fromstring(body)  # noqa: S314 - 2 kB, and expat bounds what entities become
    except ElementTree.ParseError:
        return "", ""
    return root.findtext("Code", ""), shorten(root.findtext("Message", ""))

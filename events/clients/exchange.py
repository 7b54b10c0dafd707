"""One HTTP exchange with the manners of Go's net/http client, and its errors as ours.

Redirects  301, 302 and 303 turn every method but GET and HEAD into GET without a body; 307 and 308 keep both;
           the tenth one is an error. Another party than the first gets no credentials
Answer     is there when its status is there: a body that does not end is cut, not an error
"""

from __future__ import annotations

import asyncio
import ssl
from base64 import b64encode
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

from events.clients.http import BODY_KEPT, DRAINED, first_bytes, refusal, shown
from events.clients.lane import Lanes, Limits, NoConnection, Place, place_of
from events.clients.network import reason
from events.errors import EventsError, Permanent, Retryable

if TYPE_CHECKING:
    import aiohttp
    from yarl import URL

CONNECT_TIMEOUT = 10.0
"""Seconds to connect: a dead target is told from a slow one."""

BODY_WAIT = 5.0
"""Seconds that the body of an answer may take after its status."""

REDIRECT = frozenset({301, 302, 303, 307, 308})

REDIRECTS = 9
"""Redirects that are followed, as many as Go's client does."""

CREDENTIALS = frozenset({"authorization", "proxy-authorization", "www-authenticate", "cookie", "cookie2"})

INTERRUPTED = (ssl.SSLEOFError, ssl.SSLZeroReturnError, ssl.SSLSyscallError)
"""TLS errors that say no more than that the connection broke."""


class Sending(NamedTuple):
    """What is sent. `private` are lower-case names of headers that no other party may see."""

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes | None
    timeout: float
    private: frozenset[str] = frozenset()


class Answer(NamedTuple):
    """`text` is the beginning of the body, `complete` False when it did not come to its end."""

    status: int
    text: bytes
    headers: Mapping[str, str]
    complete: bool


async def exchange(
    session: aiohttp.ClientSession,
    sending: Sending,
    *,
    kept: int = BODY_KEPT,
    redirects: int = REDIRECTS,
    lanes: Lanes | None = None,
) -> Answer:
    """Send, follow redirects, read up to `kept` bytes. Raises Retryable (network, time), Permanent.

    With `lanes` a plain exchange takes the fast lane; the session is there for everything else.
    """
    with translated(f"{sending.method} {shown(sending.url)}", sending.timeout):
        place = place_of(sending.url) if lanes is not None else None
        if lanes is not None and place is not None:
            answer = await _quick(lanes, place, sending, kept)
            if not (redirects and redirected(answer)):
                return answer
            return await _exchange(session, sending, kept, redirects, answer)
        return await _exchange(session, sending, kept, redirects)


async def _quick(lanes: Lanes, place: Place, sending: Sending, kept: int) -> Answer:
    deadline = asyncio.get_running_loop().time() + sending.timeout
    limits = Limits(deadline, CONNECT_TIMEOUT, BODY_WAIT, kept, max(kept, DRAINED))
    reply = await lanes.exchange(sending.method, place, sending.headers, sending.body, limits)
    return Answer(reply.status, reply.text, reply.headers, reply.complete)


def redirected(answer: Answer) -> bool:
    return answer.status in REDIRECT and bool(answer.headers.get("location"))


@contextmanager
def translated(what: str, timeout: float) -> Iterator[None]:
    """Errors of the client as Retryable or Permanent; `what` begins their text."""
    import aiohttp

    try:
        yield
    except (aiohttp.ConnectionTimeoutError, NoConnection) as exc:
        raise Retryable(f"{what}: no connection in {CONNECT_TIMEOUT:g} s") from exc
    except TimeoutError as exc:
        raise Retryable(f"{what}: no answer in {timeout:g} s") from exc
    except (aiohttp.ClientError, OSError) as exc:
        raise meaning(what, exc) from exc
    except ValueError as exc:
        raise Permanent(f"{what} cannot be sent: not a URL or header of HTTP") from exc


def meaning(what: str, exc: Exception) -> EventsError:
    """Whose fault a connection error is: the guard's and those of certificates do not pass with time."""
    import aiohttp

    refused = refusal(exc)
    if refused is not None:
        return Permanent(f"{what}: {refused}")
    if isinstance(exc, (aiohttp.InvalidURL, aiohttp.NonHttpUrlClientError)):
        return Permanent(f"{what}: not a URL that can be called")
    cause = getattr(exc, "certificate_error", None) or getattr(exc, "os_error", None) or exc.__cause__ or exc
    if isinstance(cause, ssl.SSLError) and not isinstance(cause, INTERRUPTED):
        return Permanent(f"{what}: TLS: {getattr(cause, 'verify_message', '') or cause.reason or cause}")
    return Retryable(f"{what}: {reason(exc)}")


async def _exchange(
    session: aiohttp.ClientSession, sending: Sending, kept: int, redirects: int, first: Answer | None = None
) -> Answer:
    """`first` is a redirect that the URL was answered with already."""
    import aiohttp
    from yarl import URL

    deadline = asyncio.get_running_loop().time() + sending.timeout
    limit = aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_TIMEOUT)
    method, headers, body = sending.method, dict(sending.headers), sending.body
    url = with_login(URL(sending.url), headers)
    followed = 0
    while True:
        if first is not None:
            status, where, first = first.status, first.headers["location"], None
        else:
            async with asyncio.timeout_at(deadline):
                answer = await session.request(
                    method, url, data=body, headers=headers, timeout=limit, allow_redirects=False,
                    skip_auto_headers=("Content-Type",),
                )  # fmt: skip
            async with answer:
                found = location(answer) if redirects else None
                if found is None:
                    return await read(answer, kept, deadline)
                await first_bytes(answer)
            status, where = answer.status, found
        followed += 1
        if followed > redirects:
            raise Permanent(f"{sending.method} {shown(sending.url)}: more than {redirects} redirects")
        if status in {301, 302, 303} and method not in {"GET", "HEAD"}:
            method, body = "GET", None
        headers = onward(headers, url, where, sending.private, bodiless=body is None)
        url = with_login(url.join(URL(where)), headers)


def location(answer: aiohttp.ClientResponse) -> str | None:
    """Where a redirect leads; None for an answer that is none."""
    return answer.headers.get("Location") or None if answer.status in REDIRECT else None


async def read(answer: aiohttp.ClientResponse, kept: int, deadline: float) -> Answer:
    import aiohttp

    text, complete = b"", False
    try:
        async with asyncio.timeout_at(min(deadline, asyncio.get_running_loop().time() + BODY_WAIT)):
            text, complete = await first_bytes(answer, kept), True
    except (TimeoutError, aiohttp.ClientError):
        answer.close()
    return Answer(answer.status, text, answer.headers, complete)


def with_login(url: URL, headers: dict[str, str]) -> URL:
    """User and password of the URL become a header, unless there is one, as in Go."""
    if url.user is None and url.password is None:
        return url
    if not any(name.lower() == "authorization" for name in headers):
        token = b64encode(f"{url.user or ''}:{url.password or ''}".encode()).decode()
        headers["Authorization"] = f"Basic {token}"
    return url.with_user(None)


def onward(
    headers: dict[str, str], url: URL, where: str, private: frozenset[str], *, bodiless: bool
) -> dict[str, str]:
    """The headers that go to the target of a redirect."""
    from yarl import URL

    target = URL(where)
    dropped = set() if same_party(url, url.join(target)) else CREDENTIALS | private
    if target.absolute:
        dropped |= {"host"}
    return {
        name: text
        for name, text in headers.items()
        if name.lower() not in dropped and not (bodiless and name.lower().startswith("content-"))
    }


def same_party(old: URL, new: URL) -> bool:
    """The same host and port, or the same host reached over TLS now."""
    upgraded = old.scheme == "http" and new.scheme == "https"
    return old.host == new.host and (upgraded or (old.scheme, old.port) == (new.scheme, new.port))

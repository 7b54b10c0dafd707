"""TCP and TLS for clients that bring their own protocol: through the address guard, errors as ours."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from urllib.parse import urlsplit

from events.clients.http import Refused, Sessions
from events.clients.network import reason
from events.errors import Permanent, Retryable

CONNECT_TIMEOUT = 10.0
"""Seconds for name, TCP and TLS together."""

BUFFER = 65536
"""Bytes that are read ahead of the reader; asyncio stops reading at twice as many."""

Stream = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def open_stream(
    place: str, host: str, port: int, sessions: Sessions, context: ssl.SSLContext | None = None
) -> Stream:
    """Connected, and encrypted with a context. `place` begins the text of errors: Retryable, Permanent."""
    with translated(place):
        async with asyncio.timeout(CONNECT_TIMEOUT):
            return await connected(host, port, sessions, context)


async def connected(
    host: str, port: int, sessions: Sessions, context: ssl.SSLContext | None = None, limit: int = BUFFER
) -> Stream:
    """Without deadline and with the errors as they come: OSError, for an address that is refused Refused."""
    with ExitStack() as opened:
        sock = await sessions.connect(host, port)
        opened.callback(sock.close)
        name = host if context is not None else None
        stream = await asyncio.open_connection(sock=sock, ssl=context, server_hostname=name, limit=limit)
        opened.pop_all()
        return stream


@contextmanager
def translated(place: str) -> Iterator[None]:
    """Errors of the network as Retryable, those of certificates and of the address guard as Permanent."""
    try:
        yield
    except TimeoutError as exc:
        raise Retryable(f"{place}: no answer in time; is the address right?") from exc
    except Refused as exc:
        raise Permanent(f"{place}: {exc}") from exc
    except ssl.SSLCertVerificationError as exc:
        raise Permanent(f"{place}: TLS: {exc.verify_message}; check caCertSecret") from exc
    except ssl.SSLError as exc:
        raise tls_failed(place, exc) from exc
    except OSError as exc:
        raise Retryable(f"{place}: {reason(exc)}; is the server running there?") from exc
    except EOFError as exc:
        raise Retryable(f"{place}: the server closed the connection") from exc


def tls_failed(place: str, exc: ssl.SSLError) -> Retryable | Permanent:
    if exc.reason == "WRONG_VERSION_NUMBER":
        return Permanent(f"{place}: the server does not speak TLS on this port")
    if isinstance(exc, (ssl.SSLEOFError, ssl.SSLZeroReturnError)):
        return Retryable(f"{place}: the server closed the connection")
    return Permanent(f"{place}: TLS: {exc.reason or exc}")


def close_stream(stream: Stream) -> None:
    """Close now: what is left in the buffers is not waited for."""
    stream[1].transport.abort()


def host_and_port(address: str, default: int) -> tuple[str, int]:
    """Of `host`, `host:port`, `[::1]:port`. Raises Permanent."""
    try:
        parts = urlsplit(f"//{address}")
        host, port = parts.hostname, parts.port
    except ValueError as exc:
        raise Permanent(f"{address!r} is no address: write host:{default}") from exc
    if not host:
        raise Permanent(f"{address!r} is no address: write host:{default}")
    return host, default if port is None else port

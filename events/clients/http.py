"""Outgoing HTTP: pooled aiohttp sessions, one per TLS setting, behind an address guard.

Guard  off            every address
       allow-private  every address but link-local ones (cloud metadata)
       strict         public addresses only
The guard is checked on the address that is connected to, so no name can lead around it.
"""

from __future__ import annotations

import ipaddress
import socket
import ssl
from typing import TYPE_CHECKING, Any, Literal

from events.errors import Permanent

if TYPE_CHECKING:
    import aiohttp

Guard = Literal["off", "allow-private", "strict"]

PER_HOST = 128
"""Connections kept per target: enough for the default `maxInFlight` of two triggers."""

BODY_KEPT = 2048
"""Bytes of an answer that are kept for the record."""

DRAINED = 65536
"""Bytes of an answer that are read on so that the connection can be used again."""


class Refused(OSError):
    """The guard does not let this address be connected to."""


def check_address(guard: Guard, address: str) -> None:
    """Raises Refused."""
    if guard == "off":
        return
    ip = ipaddress.ip_address(address.partition("%")[0])
    inner = getattr(ip, "ipv4_mapped", None) or ip
    if inner.is_link_local or inner.is_multicast or inner.is_unspecified:
        raise Refused(f"{address} is not an address to connect to (address guard {guard!r})")
    if guard == "strict" and not inner.is_global:
        raise Refused(f"{address} is not a public address (address guard {guard!r})")


class Sessions:
    """All outgoing connections of the process. Sessions are made at first use and closed together."""

    def __init__(self, guard: Guard = "allow-private", user_agent: str = "events-trigger") -> None:
        self._guard, self._agent = guard, user_agent
        self._open: dict[Any, aiohttp.ClientSession] = {}

    def get(self, key: Any = None, context: ssl.SSLContext | None = None) -> aiohttp.ClientSession:
        """The session for `key`; `context` is used when it is made (None: system roots, verified)."""
        session = self._open.get(key)
        if session is None:
            session = self._open[key] = self._make(context)
        return session

    def known(self, key: Any) -> bool:
        return key in self._open

    def _make(self, context: ssl.SSLContext | None) -> aiohttp.ClientSession:
        import aiohttp

        connector = aiohttp.TCPConnector(
            limit=0,
            limit_per_host=PER_HOST,
            ssl=True if context is None else context,
            socket_factory=self._socket,
        )
        return aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            headers={"User-Agent": self._agent},
            auto_decompress=True,
        )

    def _socket(self, info: Any) -> socket.socket:
        family, kind, proto, _, address = info
        check_address(self._guard, address[0])
        return socket.socket(family, kind, proto)

    async def aclose(self) -> None:
        sessions, self._open = list(self._open.values()), {}
        for session in sessions:
            await session.close()


async def first_bytes(answer: aiohttp.ClientResponse) -> bytes:
    """The beginning of the body; reads on a little so that the connection can be used again."""
    kept = b""
    seen = 0
    async for chunk in answer.content.iter_chunked(16384):
        seen += len(chunk)
        if len(kept) < BODY_KEPT:
            kept += chunk[: BODY_KEPT - len(kept)]
        if seen > DRAINED:
            answer.close()
            break
    return kept


def tls_context(
    *, verify: bool = True, ca: str | None = None, cert: str | None = None, key: str | None = None
) -> ssl.SSLContext:
    """A client context; `ca`, `cert` and `key` are PEM text, `ca` being the only root. Raises Permanent."""
    try:
        context = ssl.create_default_context(cadata=ca)
        if not verify:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        if cert and key:
            load_pair(context, cert, key)
    except ssl.SSLError as exc:
        raise Permanent(f"the TLS certificates cannot be used: {exc.reason or exc}") from exc
    return context


def load_pair(context: ssl.SSLContext, cert: str, key: str) -> None:
    """Python reads certificates from files only: write them where only we can read, for a moment."""
    from tempfile import NamedTemporaryFile

    with NamedTemporaryFile("w", suffix=".pem") as pem:
        pem.write(f"{cert}\n{key}\n")
        pem.flush()
        context.load_cert_chain(pem.name)

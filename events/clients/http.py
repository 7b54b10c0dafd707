"""Outgoing HTTP: pooled aiohttp sessions, one per TLS setting, behind an address guard.

Guard  off            every address
       allow-private  every address but link-local ones and those of cloud metadata services
       strict         public addresses only
The guard is checked on the address that is connected to, so neither a name nor a redirect leads around it.
Other protocols connect through it too (`Sessions.connect`); what the operator names, as a bus, does not.
"""

from __future__ import annotations

import ipaddress
import socket
import ssl
from collections.abc import Iterator
from email.utils import parsedate_to_datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import urlsplit

from events.clients.lane import Lanes
from events.clients.lookups import Lookups, connected
from events.errors import Permanent

if TYPE_CHECKING:
    import aiohttp

Guard = Literal["off", "allow-private", "strict"]
Address = ipaddress.IPv4Address | ipaddress.IPv6Address

PER_HOST = 128
"""Connections kept per target: enough for the default `maxInFlight` of two triggers."""

BODY_KEPT = 2048
"""Bytes of an answer that are kept for the record."""

DRAINED = 65536
"""Bytes of an answer that are read on so that the connection can be used again."""

LONGEST_WAIT = 86_400.0
"""Seconds of a Retry-After that are believed."""

METADATA = frozenset(
    ipaddress.ip_address(text)
    for text in ("fd00:ec2::254", "fd20:ce::254", "100.100.100.200", "168.63.129.16")
)
"""Metadata services that are not link-local: Amazon and Google over IPv6, Alibaba, Azure."""

NAT64 = ipaddress.ip_network("64:ff9b::/96")
COMPATIBLE = ipaddress.ip_network("::/96")


class Refused(OSError):
    """The guard does not let this address be connected to."""


def check_address(guard: Guard, address: str) -> None:
    """Raises Refused. An IPv6 address that leads to an IPv4 address is judged by both."""
    if guard == "off":
        return
    rule = f"(address guard {guard!r}: see --guard)"
    for ip in reached(ipaddress.ip_address(address.partition("%")[0])):
        if ip.is_link_local or ip.is_multicast or ip.is_unspecified or ip in METADATA:
            raise Refused(f"{address} is not an address to connect to {rule}")
        if guard == "strict" and not public(ip):
            raise Refused(f"{address} is not a public address {rule}")


def reached(ip: Address) -> Iterator[Address]:
    """The address, or the IPv4 address it stands for: mapped, NAT64, 6to4, Teredo (also itself)."""
    if isinstance(ip, ipaddress.IPv4Address):
        yield ip
        return
    if ip.ipv4_mapped is not None:
        yield ip.ipv4_mapped
        return
    low = ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
    if ip in NAT64:
        yield low
        return
    yield ip
    if ip in COMPATIBLE and int(ip) > 1:
        yield low
    if ip.sixtofour is not None:
        yield ip.sixtofour
    if ip.teredo is not None:
        yield from ip.teredo


def public(ip: Address) -> bool:
    old = isinstance(ip, ipaddress.IPv6Address) and ip.is_site_local
    return ip.is_global and not ip.is_reserved and not old


class Sessions:
    """All outgoing connections of the process. Sessions are made at first use and closed together."""

    def __init__(self, guard: Guard = "allow-private", user_agent: str = "events-trigger") -> None:
        self._guard, self._agent = guard, user_agent
        self._open: dict[Any, aiohttp.ClientSession] = {}
        self._lookups = Lookups()
        self.lanes = Lanes(lambda address: check_address(guard, address), user_agent, self._lookups)

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
            socket_factory=self.make_socket,
        )
        return aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            headers={"User-Agent": self._agent},
            auto_decompress=True,
        )

    def make_socket(self, info: Any) -> socket.socket:
        """A socket for one entry of getaddrinfo, not connected yet. Raises Refused."""
        family, kind, proto, _, address = info
        check_address(self._guard, address[0])
        return socket.socket(family, kind, proto)

    async def lookup(self, host: str, port: int) -> str:
        """An address of the host that may be connected to, for programs that connect. Raises OSError."""
        refused: Refused | None = None
        for info in await self._lookups.find(host, port):
            try:
                check_address(self._guard, address := str(info[4][0]))
            except Refused as exc:
                refused = exc
            else:
                return address
        raise refused or OSError(f"{host} has no address")

    async def connect(self, host: str, port: int) -> socket.socket:
        """TCP to the first address of the host that answers, for other protocols.

        Raises OSError, which is Refused only when no address of the host may be connected to.
        """
        return await connected(await self._lookups.find(host, port), self.make_socket)

    async def aclose(self) -> None:
        self.lanes.close()
        sessions, self._open = list(self._open.values()), {}
        for session in sessions:
            await session.close()
        await self._lookups.aclose()


async def first_bytes(answer: aiohttp.ClientResponse, limit: int = BODY_KEPT) -> bytes:
    """The first `limit` bytes of the body; reads on a little so that the connection can be used again."""
    kept = b""
    seen = 0
    async for chunk in answer.content.iter_chunked(16384):
        seen += len(chunk)
        if len(kept) < limit:
            kept += chunk[: limit - len(kept)]
        if seen > max(limit, DRAINED):
            answer.close()
            break
    return kept


def refusal(error: BaseException) -> Refused | None:
    """The guard's refusal behind a connection error, if that is what it was."""
    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, Refused):
        cause = cause.__cause__ or getattr(cause, "os_error", None)
    return cause


def check_url(url: str) -> str:
    """The URL as it is. Raises ValueError for one that can never be called over HTTP, with the reason."""
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"}:
        raise ValueError("it does not start with http:// or https://")
    if not parts.hostname:
        raise ValueError("it names no host")
    _ = parts.port  # raises ValueError for what is no port
    return url


@lru_cache(1024)
def shown(url: str) -> str:
    """The URL for records and messages: without user, password and query, which may hold secrets."""
    parts = urlsplit(url)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2], query="", fragment="").geturl()


def retry_after(text: str, now_ns: int) -> float | None:
    """Seconds that a Retry-After header asks to wait (RFC 9110, 10.2.3); None: it says nothing usable."""
    if not text:
        return None  # as nearly always: no date is looked for
    if text.isascii() and text.isdigit():
        return min(float(text), LONGEST_WAIT)
    try:
        at = parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError):
        return None
    return min(max(at.timestamp() - now_ns / 1e9, 0.0), LONGEST_WAIT)


def tls_context(
    *, verify: bool = True, ca: str | None = None, cert: str | None = None, key: str | None = None
) -> ssl.SSLContext:
    """A client context; `ca`, `cert` and `key` are PEM text, `ca` being the only root. Raises Permanent."""
    try:
        context = ssl.create_default_context(cadata=ca if ca is None else pem(ca, "CA certificate"))
        if not verify:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        if cert is not None and key is not None:
            load_pair(context, pem(cert, "client certificate"), pem(key, "client key"))
    except ssl.SSLError as exc:
        raise Permanent(f"the TLS certificates cannot be used: {exc.reason or exc}") from exc
    return context


def pem(text: str, what: str) -> str:
    """Raises Permanent. An empty text would silently stand for the roots of the system."""
    if "-----BEGIN " not in text:
        raise Permanent(f"the {what} is not PEM text")
    return text.encode("ascii", "ignore").decode()  # comments between the blocks may be anything


def load_pair(context: ssl.SSLContext, cert: str, key: str) -> None:
    """Python reads certificates from files only: write them where only we can read, for a moment."""
    from tempfile import NamedTemporaryFile

    with NamedTemporaryFile("w", suffix=".pem") as file:
        file.write(f"{cert}\n{key}\n")
        file.flush()
        context.load_cert_chain(file.name, password="")  # without one OpenSSL asks at the terminal

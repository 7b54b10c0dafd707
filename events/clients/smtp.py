"""SMTP through aiosmtplib: one login, one message after another, errors as ours.

TLS        from the first byte on port 465, else STARTTLS when the server offers it; certificates are verified
Login      never over a connection in the clear, except to this machine
Library    aiosmtplib (extra `email`)
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager, suppress
from typing import TYPE_CHECKING, NamedTuple

from events.clients.http import Sessions, refusal, tls_context
from events.errors import EventsError, Permanent, Retryable

if TYPE_CHECKING:
    from email.message import EmailMessage

    import aiosmtplib

IMPLICIT_TLS = 465
TIMEOUT = 30.0
"""Seconds for each step: connect, TLS, login, one message."""

LOCAL = frozenset({"localhost", "127.0.0.1", "::1"})


class Server(NamedTuple):
    """Where, and as whom: `login` is user name and password."""

    host: str
    port: int
    login: tuple[str, str] | None

    @property
    def place(self) -> str:
        return f"SMTP {self.host}:{self.port}"

    def __repr__(self) -> str:
        return f"<Server {self.place}>"


class Mailer:
    """An open connection to a server."""

    def __init__(self, smtp: aiosmtplib.SMTP, place: str) -> None:
        self._smtp, self._place = smtp, place

    async def send(self, sender: str, recipient: str, message: EmailMessage) -> None:
        """One message to one recipient. Raises Retryable, Permanent."""
        with translated(f"{self._place}: {recipient}"):
            await self._smtp.send_message(message, sender=sender, recipients=[recipient])

    @property
    def usable(self) -> bool:
        """Whether another message can go over this connection."""
        return self._smtp.is_connected


@contextmanager
def translated(what: str) -> Iterator[None]:
    """Errors of the library as Retryable or Permanent; `what` begins their text."""
    import aiosmtplib

    try:
        yield
    except (OSError, ValueError, aiosmtplib.SMTPException) as exc:
        raise meaning(what, exc) from exc


@asynccontextmanager
async def mailer(server: Server, sessions: Sessions) -> AsyncIterator[Mailer]:
    """Connected, encrypted where the server can, logged in. Raises Retryable, Permanent."""
    with translated(server.place):
        smtp = await connected(server, sessions)
    try:
        yield Mailer(smtp, server.place)
    finally:
        await leave(smtp)


async def connected(server: Server, sessions: Sessions) -> aiosmtplib.SMTP:
    import aiosmtplib

    implicit = server.port == IMPLICIT_TLS
    context = await asyncio.to_thread(tls_context)
    with ExitStack() as opened:
        async with asyncio.timeout(TIMEOUT):
            sock = await sessions.connect(server.host, server.port)
        opened.callback(sock.close)
        smtp = aiosmtplib.SMTP(
            hostname=server.host, sock=sock, local_hostname="localhost", timeout=TIMEOUT, use_tls=implicit,
            start_tls=False, tls_context=context,
        )  # fmt: skip
        opened.callback(smtp.close)
        await smtp.connect()
        await secure(smtp, server, encrypted=implicit)
        opened.pop_all()
    return smtp


async def secure(smtp: aiosmtplib.SMTP, server: Server, *, encrypted: bool) -> None:
    """STARTTLS and login."""
    await smtp.ehlo()
    if not encrypted and smtp.supports_extension("starttls"):
        await smtp.starttls()
        await smtp.ehlo()
        encrypted = True
    if server.login is None:
        return
    if not encrypted and server.host not in LOCAL:
        raise Permanent(f"{server.place} offers no TLS: the password is not sent in the clear")
    await smtp.login(*server.login)


async def leave(smtp: aiosmtplib.SMTP) -> None:
    """Say goodbye. What goes wrong now matters no more: everything was answered before."""
    import aiosmtplib

    with suppress(OSError, aiosmtplib.SMTPException):
        if smtp.is_connected:
            await smtp.quit(timeout=5.0)
    smtp.close()


def meaning(what: str, exc: Exception) -> EventsError:
    """Whose fault it is: answers 4xx and the network pass, answers 5xx and certificates do not."""
    import aiosmtplib

    refused, tls = refusal(exc), tls_error(exc)
    if refused is not None or tls is not None:
        return Permanent(f"{what}: {refused or tls}")
    if isinstance(exc, aiosmtplib.SMTPRecipientsRefused):
        exc = exc.recipients[0]
    if isinstance(exc, aiosmtplib.SMTPResponseException):
        text = f"{what}: {exc.code} {exc.message}"
        return Permanent(text) if exc.code >= 500 else Retryable(text)
    if isinstance(exc, (ValueError, aiosmtplib.SMTPNotSupported)):
        return Permanent(f"{what}: {exc}")
    return Retryable(f"{what}: {exc or type(exc).__name__}")


def tls_error(exc: BaseException) -> str | None:
    """Why TLS failed, if a certificate or the protocol was the reason and not a broken connection."""
    cause: BaseException | None = exc
    while cause is not None and not isinstance(cause, ssl.SSLError):
        cause = cause.__cause__ or cause.__context__
    if cause is None or isinstance(cause, (ssl.SSLEOFError, ssl.SSLZeroReturnError)):
        return None
    return f"TLS: {getattr(cause, 'verify_message', '') or cause.reason or cause}"

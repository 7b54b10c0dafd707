"""A real SMTP server (aiosmtpd) in this process: STARTTLS, login, refusals by address."""

from __future__ import annotations

import asyncio
import email
import ssl
import warnings
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from email.message import EmailMessage
from email.policy import default
from typing import Any, NamedTuple

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session


class Mail(NamedTuple):
    """A message as the server took it."""

    sender: str
    recipients: list[str]
    message: EmailMessage
    encrypted: bool
    user: str | None


class MailHandler:
    """`refuse` maps a recipient to the answers it gets first, `hang_up` closes after so many messages."""

    def __init__(self) -> None:
        self.mails: list[Mail] = []
        self.refuse: dict[str, list[str]] = {}
        self.data_answers: list[str] = []
        self.connections = 0
        self.hang_up: int | None = None

    async def handle_EHLO(  # noqa: N802 - the name aiosmtpd calls
        self, server: SMTP, session: Session, envelope: Envelope, hostname: str, responses: list[str]
    ) -> list[str]:
        self.connections += session.host_name is None
        session.host_name = hostname
        return responses

    async def handle_RCPT(  # noqa: N802 - the name aiosmtpd calls
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if answers := self.refuse.get(address):
            return answers.pop(0)
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(  # noqa: N802 - the name aiosmtpd calls
        self, server: SMTP, session: Session, envelope: Envelope
    ) -> str:
        if self.data_answers:
            return self.data_answers.pop(0)
        if self.hang_up is not None and len(self.mails) >= self.hang_up:
            assert isinstance(server.transport, asyncio.Transport)
            server.transport.abort()
            self.hang_up = None
            return "421 going away"
        assert isinstance(envelope.content, bytes)
        message = email.message_from_bytes(envelope.content, policy=default)
        assert isinstance(message, EmailMessage)
        login: Any = session.auth_data
        user = login.login.decode() if session.authenticated else None
        encrypted = session.ssl is not None
        self.mails.append(Mail(str(envelope.mail_from), list(envelope.rcpt_tos), message, encrypted, user))
        return "250 taken"


@asynccontextmanager
async def mail_server(
    handler: MailHandler,
    *,
    tls: ssl.SSLContext | None = None,
    login: tuple[str, str] | None = None,
    implicit: bool = False,
) -> AsyncIterator[int]:
    """A server on a free port of 127.0.0.1; with `tls` it offers STARTTLS, or speaks TLS from the start."""

    def check(server: Any, session: Any, envelope: Any, mechanism: str, data: Any) -> AuthResult:
        given = isinstance(data, LoginPassword) and (data.login.decode(), data.password.decode())
        return AuthResult(success=given == login, handled=False, auth_data=data)

    def protocol() -> SMTP:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Requiring AUTH while not requiring TLS")
            return made()

    def made() -> SMTP:
        return SMTP(
            handler, hostname="mail.test", enable_SMTPUTF8=True, authenticator=check if login else None,
            auth_required=login is not None, auth_require_tls=tls is not None and not implicit,
            tls_context=None if implicit else tls, loop=asyncio.get_running_loop(),
        )  # fmt: skip

    loop = asyncio.get_running_loop()
    server = await loop.create_server(protocol, "127.0.0.1", 0, ssl=tls if implicit else None)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        await server.wait_closed()

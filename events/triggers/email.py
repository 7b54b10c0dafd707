"""email: one message to each recipient per firing.

Spec      Sensor.spec.triggers[].template.email
Sends     `subject`, `body` as plain text and `html` (ours) over SMTP, to each recipient a message of his
          own: they do not see each other, and one that is refused does not keep the others from theirs
Outcome   done when the server has taken the message for every recipient
Repeats   a repeated firing sends to those who have not got it. That is remembered by this process; after a
          restart a message may come twice, with the same Message-ID, which many mail systems drop
Upstream  pkg/sensors/triggers/email/email.go
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from datetime import UTC, datetime
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, parseaddr
from typing import ClassVar

from pydantic import Field

from events.api.common import Int32, NonEmpty, Problem, SecretKeySelector, Strings
from events.api.sensor import TriggerConfig, check_parameters
from events.clients.secrets import Ref, secret
from events.clients.smtp import Mailer, Server, mailer
from events.errors import EvaluationError, Permanent, Retryable
from events.event import Firing, Outcome, Request
from events.triggers._base import Render, Trigger, TriggerContext


class EmailConfig(TriggerConfig):
    """One message."""

    username: str = Field("", description="user name at the SMTP server")
    smtp_password: SecretKeySelector | None = Field(None, description="Secret key with the password")
    host: NonEmpty = Field(description="SMTP server")
    port: Int32 = Field(0, description="port of the server; 465 means TLS from the start")
    to: Strings = Field([], description="addresses of the recipients")
    sender: str = Field("", alias="from", description="address of the sender")
    subject: str = Field("", description="subject of the message")
    body: str = Field("", description="text of the message")
    html: str = Field("", description="the message as HTML, beside the text or without one [extension]")

    def problems(self) -> Iterable[Problem]:
        """A port that exists, whole parameters."""
        if not 0 <= self.port <= 65535:
            yield Problem("port", f"no such port: {self.port}", "0 to 65535")
        yield from check_parameters(self.parameters, "parameters")


ADDRESS = re.compile(r"[-!#$%&'*+./0-9=?A-Z^_`a-z{|}~]{1,64}@[0-9A-Za-z]([-.0-9A-Za-z]{0,251}[0-9A-Za-z])?")
"""What may stand in an envelope without quotes (RFC 5321), plus signs and hosts without dots included."""

DEFAULT_PORT = 25

KEPT = 10_000
"""Firings whose recipients are remembered."""


class EmailRequest(Request, kw_only=True):
    """One message to each of the recipients."""

    host: str
    port: int
    sender: str
    recipients: list[str]
    subject: str
    body: str
    username: str = ""
    password: Ref | None = None
    html: str = ""


class EmailTrigger(Trigger[EmailConfig, EmailRequest]):
    """One connection per firing; remembers who has got the message of a firing that is not done."""

    kind: ClassVar[str] = "email"
    extra: ClassVar[str | None] = "email"
    requires: ClassVar[tuple[str, ...]] = ("aiosmtplib",)
    request: ClassVar[type[Request]] = EmailRequest

    def __init__(self, ctx: TriggerContext) -> None:
        super().__init__(ctx)
        self._served: dict[str, set[str]] = {}

    @classmethod
    def compile(cls, cfg: EmailConfig) -> Render:
        request = EmailRequest(
            host=cfg.host, port=cfg.port or DEFAULT_PORT, sender=cfg.sender,
            recipients=list(dict.fromkeys(cfg.to)), subject=" ".join(cfg.subject.split()), body=cfg.body,
            username=cfg.username, password=secret(cfg.smtp_password) if cfg.smtp_password else None,
            html=cfg.html,
        )  # fmt: skip
        needed = {"to": cfg.to, "subject": cfg.subject, "body": cfg.body or cfg.html}
        missing = [name for name, given in needed.items() if not given]

        def render(_: Firing) -> EmailRequest:
            if missing:
                raise EvaluationError(f"{', '.join(missing)}: nothing is there")
            return request

        return render

    async def fire(self, request: EmailRequest, firing: str) -> Outcome:
        """Raises Retryable when any recipient may get it later, else Permanent when any was refused."""
        envelope_sender(request.sender)
        served = self._served.get(firing, set())
        wrong = [f"{address!r} is no address" for address in request.recipients if not plain(address)]
        left = [one for one in request.recipients if plain(one) and one not in served]
        refused = wrong + (await self._deliver(request, firing, left, served) if left else [])
        if refused:
            raise Permanent("; ".join(refused))
        self._served.pop(firing, None)
        count = len(request.recipients)
        return Outcome(detail=f"{request.host} took the message for {count} recipient{'s' * (count != 1)}")

    async def _deliver(
        self, request: EmailRequest, firing: str, recipients: list[str], served: set[str]
    ) -> list[str]:
        """Why which were refused for good; `served` grows. Raises Retryable when some may get it later."""
        refused: list[str] = []
        later: list[str] = []
        async with mailer(await self._server(request), self.ctx.sessions) as mail:
            for address in recipients:
                try:
                    await self._send(mail, request, address, firing)
                    served.add(address)
                    self._remember(firing, served)
                except Permanent as exc:
                    refused.append(str(exc))
                except Retryable as exc:
                    later.append(str(exc))
                    if not mail.usable:
                        break
        if later:
            raise Retryable("; ".join(later + refused))
        return refused

    async def _send(self, mail: Mailer, request: EmailRequest, address: str, firing: str) -> None:
        at = datetime.fromtimestamp(self.ctx.now_ns() / 1e9, UTC)
        await mail.send(envelope_sender(request.sender), address, message(request, address, firing, at))

    async def _server(self, request: EmailRequest) -> Server:
        """A login needs both user name and password, as upstream."""
        login = None
        if request.username and request.password is not None:
            login = request.username, await self.ctx.secrets.read(request.password)
        return Server(request.host, request.port, login)

    def _remember(self, firing: str, served: set[str]) -> None:
        self._served[firing] = served
        if len(self._served) > KEPT:
            del self._served[next(iter(self._served))]


def plain(address: str) -> bool:
    return ADDRESS.fullmatch(address) is not None


def envelope_sender(sender: str) -> str:
    """The address in `from`, which may carry a name: `CI <ci@example.com>`. Raises Permanent."""
    address = parseaddr(sender)[1]
    if not (plain(address) and sender.isprintable()):
        raise Permanent(f"from: {sender!r} is no address")
    return address


def message(request: EmailRequest, address: str, firing: str, at: datetime) -> EmailMessage:
    """The message for one recipient; its id is the same whenever the firing is repeated."""
    made = EmailMessage(policy=SMTP)
    domain = envelope_sender(request.sender).rpartition("@")[2]
    made["From"] = " ".join(request.sender.split())
    made["To"] = address
    made["Subject"] = request.subject
    made["Date"] = format_datetime(at)
    made["Message-ID"] = f"<{firing}.{hashlib.sha256(address.encode()).hexdigest()[:16]}@{domain}>"
    made["Auto-Submitted"] = "auto-generated"
    if request.body:
        made.set_content(request.body)
    if request.html:
        add = made.add_alternative if request.body else made.set_content
        add(request.html, subtype="html")
    return made

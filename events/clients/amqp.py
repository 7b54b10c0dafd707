"""AMQP 0.9.1 through aiormq: one connection with one channel, login, TLS, errors as ours.

Reconnects  none here: a lost connection is Retryable, and whoever holds it starts anew
Library     aiormq (extra `amqp`), the layer below aio-pika: what that adds are reconnects and retries
"""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import TYPE_CHECKING, Any, NamedTuple

from events.clients import amqp_values
from events.clients.http import Sessions
from events.clients.secrets import Ref, Secrets
from events.clients.streams import Stream, close_stream, open_stream
from events.clients.tls import TlsRefs, context_of
from events.errors import EventsError, Permanent, Retryable

if TYPE_CHECKING:
    from aiormq.abc import AbstractChannel, AbstractConnection
    from yarl import URL

HEARTBEAT = 10
"""Seconds, as upstream; a connection without a frame for three times as long is lost."""

TIMEOUT = 15.0
"""Seconds for connecting and for each answer."""

CLOSE_TIMEOUT = 2.0

PORTS = {"amqp": 5672, "amqps": 5671}


class Broker(NamedTuple):
    """Where, as whom. The URL, which may hold a password, is text or a secret."""

    url: str | Ref
    login: tuple[Ref, Ref] | None = None
    """User name and password, instead of those in the URL."""
    tls: TlsRefs | None = None

    def __repr__(self) -> str:
        return "<Broker>"

    async def address(self, secrets: Secrets) -> URL:
        """With user and password. Raises Permanent, without the URL: it may hold a password."""
        from yarl import URL

        text = self.url if isinstance(self.url, str) else (await secrets.read(self.url)).strip()
        try:
            url = URL(text)
            host, default = url.host, PORTS[url.scheme]
        except (ValueError, KeyError) as exc:
            raise Permanent("url: write amqp://host:5672/vhost or amqps://host:5671/vhost") from exc
        if not host:
            raise Permanent("url: names no host")
        url = url.with_port(url.port or default).update_query(heartbeat=str(HEARTBEAT))
        if self.login is None:
            return url
        user, password = [await secrets.read(ref) for ref in self.login]
        return url.with_user(user).with_password(password)


class Channel(NamedTuple):
    """An open channel of a connection of its own. `place` begins the text of errors."""

    use: AbstractChannel
    place: str

    async def lost(self) -> None:
        """Waits for its end, and raises why: Retryable or Permanent.

        RabbitMQ closes the channel of one that acknowledged nothing for half an hour (consumer_timeout).
        """
        from aiormq.exceptions import ChannelPreconditionFailed

        cancelled = asyncio.get_running_loop().create_future()

        async def tell(_: Any) -> None:
            if not cancelled.done():
                cancelled.set_result(None)

        self.use.on_consumer_cancel_callbacks.add(tell)
        with translated(self.place):
            await asyncio.wait([cancelled, self.use.closing], return_when=asyncio.FIRST_COMPLETED)
            try:
                if self.use.closing.done():
                    self.use.closing.result()
            except ChannelPreconditionFailed as exc:  # of time: what was declared did fit
                raise Retryable(f"{self.place}: {said_by(exc)}") from exc
        raise Retryable(f"{self.place}: the broker has ended the consumer; was the queue deleted?")


@asynccontextmanager
async def opened(broker: Broker, secrets: Secrets, sessions: Sessions) -> AsyncIterator[Channel]:
    """Connected and logged in. Raises Retryable, Permanent."""
    url = await broker.address(secrets)
    place = f"AMQP {url.host}:{url.port}"
    tls = broker.tls or (TlsRefs() if url.scheme == "amqps" else None)
    context = None if tls is None else await context_of(tls, secrets)
    connection, streams = made(url, place, sessions, context)
    try:
        with translated(place):
            async with asyncio.timeout(TIMEOUT):
                with vhost_told(place, url.path):
                    await connection.connect()
                channel = await connection.channel()
        yield Channel(channel, place)
    finally:
        with suppress(TimeoutError):  # what is not acknowledged goes back to the queue either way
            async with asyncio.timeout(CLOSE_TIMEOUT):
                await connection.close(None)
        for stream in streams:
            close_stream(stream)


def made(
    url: URL, place: str, sessions: Sessions, context: ssl.SSLContext | None
) -> tuple[AbstractConnection, list[Stream]]:
    """A connection that is not open yet, and the list that its stream will be in: we open it."""
    from aiormq.connection import Connection, TransportFactory

    logging.getLogger("aiormq").setLevel(logging.CRITICAL)  # whatever it logs is raised too
    amqp_values.install()

    class Guarded(TransportFactory):
        async def create(self, url: URL, **_: Any) -> Stream:
            streams.append(await open_stream(place, url.host or "", url.port or 0, sessions, context))
            return streams[-1]

    streams: list[Stream] = []
    return Connection(url, transport_factory=Guarded()), streams


@contextmanager
def vhost_told(place: str, path: str) -> Iterator[None]:
    """aiormq 7.2 does not say why a virtual host is refused. It may be made later: Retryable."""
    from aiormq.exceptions import InvalidFrameError

    try:
        yield
    except InvalidFrameError as exc:
        if "Connection.OpenOk" not in str(exc.args):
            raise
        hint = "does it exist, and may this user use it?"
        raise Retryable(f"{place}: virtual host {path[1:] or '/'!r} refused; {hint}") from exc


@contextmanager
def translated(place: str) -> Iterator[None]:
    """Errors of the library as Retryable or Permanent; `place` begins their text."""
    from aiormq.exceptions import AMQPError, ChannelInvalidStateError

    try:
        yield
    except EventsError:
        raise
    except TimeoutError as exc:
        raise Retryable(f"{place}: no answer in time") from exc
    except (AMQPError, ChannelInvalidStateError, OSError) as exc:
        raise meaning(place, exc) from exc


def meaning(place: str, exc: Exception) -> EventsError:
    """Whose fault it is: a lost connection and a queue in use pass, refusals do not."""
    from aiormq import exceptions as known

    said = said_by(exc)
    if isinstance(exc, (known.ProbableAuthenticationError, known.AuthenticationError)):
        return Permanent(f"{place}: login refused; check user and password")
    if isinstance(exc, known.ChannelAccessRefused) and "exclusive use" not in said:
        return Permanent(f"{place}: {said}; give the user this permission (rabbitmqctl set_permissions)")
    if isinstance(exc, known.ChannelPreconditionFailed):
        return Permanent(f"{place}: {said}; write the options that it was made with, or delete it")
    wrong = (known.ConnectionNotAllowed, known.ConnectionCommandInvalid, known.ChannelNotFoundEntity)
    if isinstance(exc, wrong):
        return Permanent(f"{place}: {said}")
    return Retryable(f"{place}: {said}")


def said_by(exc: Exception) -> str:
    return " ".join(str(part) for part in exc.args if part) or type(exc).__name__

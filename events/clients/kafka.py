"""Kafka through aiokafka: brokers and logins of manifests, a start that says why it failed, errors as ours.

Brokers   host:port, separated by commas; `kafka://` in front is allowed
Login     SASL PLAIN, SCRAM-SHA-256, SCRAM-SHA-512; secrets are read at every connect
Guard     every connection goes through a Gate (`clients/kafka_guard.py`)
Retries   the library's own until its request timeout; whoever calls decides about more
Log       the library logs every attempt of every connection; that is switched off, since its errors come as
          exceptions too, unless our own log is at debug
Library   aiokafka (extra `kafka`)
"""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, Protocol
from weakref import WeakKeyDictionary

import msgspec

from events.aio import finish, together
from events.clients.http import Refused
from events.clients.kafka_guard import Gate
from events.clients.secrets import Ref, Secrets, secret
from events.clients.tls import TlsRefs, context_of
from events.errors import EventsError, Permanent, Retryable

if TYPE_CHECKING:
    from aiokafka import AIOKafkaProducer
    from aiokafka.client import AIOKafkaClient

    from events.api.common import SASL, TLS

CONNECT_TIMEOUT = 20.0
"""Seconds until a client has to be connected and ready."""

CLOSE_TIMEOUT = 2.0
REQUEST_TIMEOUT_MS = 10_000

CONNECTION = frozenset({"security_protocol", "ssl_context", "request_timeout_ms"})
"""Settings of one connection; the logins' begin with `sasl_`."""

MECHANISMS = ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512")
"""Logins that user name and password are enough for."""


class Brokers(msgspec.Struct, frozen=True):
    """Where and as whom, without the secrets themselves. `mechanism` is empty without a login."""

    hosts: tuple[str, ...]
    tls: TlsRefs | None = None
    mechanism: str = ""
    user: Ref | None = None
    password: Ref | None = None

    @classmethod
    def of(cls, url: str, tls: TLS | None = None, sasl: SASL | None = None) -> Brokers:
        """Raises Permanent naming the field that cannot be followed."""
        hosts = tuple(host.strip() for host in url.removeprefix("kafka://").split(",") if host.strip())
        if not hosts:
            raise Permanent("url names no broker: write host:port, separated by commas")
        refs = TlsRefs.of(tls)
        if sasl is None:
            return cls(hosts, refs)
        mechanism = sasl.mechanism or "PLAIN"
        if mechanism not in MECHANISMS:
            raise Permanent(f"sasl.mechanism {mechanism!r} is not supported: write {', '.join(MECHANISMS)}")
        if not (sasl.user_secret and sasl.password_secret):
            raise Permanent("sasl needs both userSecret and passwordSecret")
        return cls(hosts, refs, mechanism, secret(sasl.user_secret), secret(sasl.password_secret))

    @property
    def place(self) -> str:
        return f"Kafka at {','.join(self.hosts)}"

    async def settings(self, secrets: Secrets) -> dict[str, Any]:
        """Keyword arguments for aiokafka's clients. Raises Permanent for a secret that is missing."""
        security = f"{'SASL_' if self.mechanism else ''}{'SSL' if self.tls else 'PLAINTEXT'}"
        made: dict[str, Any] = {
            "bootstrap_servers": list(self.hosts), "security_protocol": security,
            "request_timeout_ms": REQUEST_TIMEOUT_MS,
        }  # fmt: skip
        if self.tls is not None:
            made["ssl_context"] = await context_of(self.tls, secrets)
        if self.mechanism and self.user and self.password:
            made["sasl_mechanism"] = self.mechanism
            made["sasl_plain_username"] = await secrets.read(self.user)
            made["sasl_plain_password"] = await secrets.read(self.password)
        return made


GATES: WeakKeyDictionary[AIOKafkaClient, Gate] = WeakKeyDictionary()
"""What the clients that are open connect through."""


class Client(Protocol):
    """aiokafka's producer or consumer."""

    async def start(self) -> None: ...
    async def stop(self) -> None: ...


async def start(client: Client, what: str, settings: dict[str, Any], gate: Gate) -> None:
    """Connect a client made with these settings; `what` begins the text of errors: the brokers.

    Raises Retryable, Permanent, and has closed it then.
    """
    from aiokafka.errors import KafkaConnectionError

    tame()
    try:
        with translated(what):
            try:
                async with asyncio.timeout(CONNECT_TIMEOUT):
                    await begin(client, gate, what)
                    await asyncio.sleep(0)  # a consumer closed before its tasks ran leaves its connections
            except KafkaConnectionError:
                await reach(settings, gate)
                raise
    except BaseException:
        await stop(client)
        raise


async def begin(client: Client, gate: Gate, what: str) -> None:
    """Raises Permanent at once for a broker that is refused: the library would try it again and again."""
    gate.put_before(inner(client))
    GATES[inner(client)] = gate
    await together(start=client.start(), guard=gate.shut(what))


async def stop(client: Client) -> None:
    """Close a client; one that cannot say goodbye within CLOSE_TIMEOUT is hung up on."""
    from aiokafka.errors import KafkaError

    with suppress(KafkaError, OSError):
        try:
            await finish(client.stop(), CLOSE_TIMEOUT)  # half closed, it leaves its connections open
        except TimeoutError:
            await finish(hang_up(client), CLOSE_TIMEOUT)
    await close_gate(inner(client))


async def close_gate(client: AIOKafkaClient) -> None:
    gate = GATES.pop(client, None)
    if gate is not None:
        with suppress(TimeoutError):
            await finish(gate.aclose(), 2 * CLOSE_TIMEOUT)


async def hang_up(client: Any) -> None:
    """Close what a producer or a consumer would close after its goodbye: its worker, its connections."""
    worker = getattr(client, "_fetcher", None) or getattr(client, "_sender", None)
    if worker is not None:
        await worker.close()
    await inner(client).close()


def inner(client: Any) -> AIOKafkaClient:
    """The connections of a producer or a consumer."""
    return client.client if hasattr(client, "client") else client._client


async def abandon(producer: AIOKafkaProducer) -> None:
    """Close a producer without sending what it still holds: its `stop` would wait until that is stored."""
    from aiokafka.errors import KafkaError

    client, sender = producer.client, producer._sender
    producer._closed = True
    hush(producer)
    for connection in client._conns.values():
        connection.close()
    with suppress(TimeoutError, KafkaError):
        async with asyncio.timeout(CLOSE_TIMEOUT):
            await sender.close()  # raises what ended the sender meanwhile
    await client.close()
    await close_gate(client)
    if (update := client._md_update_fut) is not None:
        update.cancel()
    hush(producer)


def hush(producer: AIOKafkaProducer) -> None:
    """Look at the errors of what is not sent, now or later: asyncio would log each one that nobody saw.

    Batches that have failed are not known to the producer any more: call it when nobody waits for them.
    """
    accumulator, transactions = producer._message_accumulator, producer._txn_manager
    held = [batch for batches in accumulator._batches.values() for batch in batches]
    ends = [
        end for batch in (*held, *accumulator._pending_batches) for end in (batch.future, batch._drain_waiter)
    ]
    if transactions is not None:
        ends.append(transactions._transaction_waiter)
    for end in ends:
        if end is not None:
            end.add_done_callback(look)


def look(end: asyncio.Future[Any]) -> None:
    if not end.cancelled():
        end.exception()


async def reach(settings: dict[str, Any], gate: Gate) -> None:
    """Connect to one broker after the other, until one answers; raises what the last one failed with.

    The library tells of a failed start only that there was none. Refused is raised when the guard lets none
    of them be connected to.
    """
    from aiokafka.client import collect_hosts
    from aiokafka.errors import KafkaError

    given = {key: value for key, value in settings.items() if key in CONNECTION or key.startswith("sasl_")}
    failed: Exception | None = None
    for host, port, _ in collect_hosts(settings["bootstrap_servers"]):
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT):
                (await gate.connect(host, port, **given)).close()
        except Refused as exc:
            failed = failed or exc
        except (OSError, KafkaError) as exc:
            failed = exc
        else:
            return
    if failed is not None:
        raise failed


def tame() -> None:
    """Switch off the log of the library, unless our own is at debug."""
    library = logging.getLogger("aiokafka")
    if library.level == logging.NOTSET and not logging.getLogger("events").isEnabledFor(logging.DEBUG):
        library.setLevel(logging.CRITICAL)


@contextmanager
def translated(what: str, *passed: type[Exception]) -> Iterator[None]:
    """Errors of the library as Retryable or Permanent; `what` begins their text: brokers, and topic.

    Those of the classes `passed` come through as they are.
    """
    from aiokafka.errors import ConsumerStoppedError, IllegalOperation, KafkaError

    try:
        yield
    except passed:
        raise
    except (KafkaError, ConsumerStoppedError, IllegalOperation, OSError) as exc:
        raise meaning(what, exc) from exc


def meaning(what: str, exc: Exception) -> EventsError:
    """The error of the library in our tree: what passes by itself, and what somebody has to change."""
    from aiokafka.errors import NodeNotReadyError

    if isinstance(exc, ssl.SSLCertVerificationError):
        return Permanent(
            f"{what}: TLS: {getattr(exc, 'verify_message', exc)}: is tls.caCertSecret the authority?"
        )
    if isinstance(exc, Refused):
        return Permanent(f"{what}: {exc}")
    if isinstance(exc, TimeoutError):
        return Retryable(f"{what}: no answer in time")
    if isinstance(exc, OSError):
        return Retryable(f"{what}: {exc.strerror or exc}: is it up, and is the address right?")
    if isinstance(exc, NodeNotReadyError):
        return Retryable(f"{what}: a broker cannot be reached: is it up?")
    for known, advice in refusals().items():
        if isinstance(exc, known):
            return Permanent(f"{what}: {advice}")
    return Retryable(f"{what}: {text_of(exc)}")


def refusals() -> dict[type[Exception], str]:
    """Errors that trying again does not change, and what does."""
    from aiokafka import errors as known

    return {
        known.SaslAuthenticationFailed: "the login was refused: check the secrets of sasl",
        known.UnsupportedSaslMechanismError: "the broker does not know this sasl.mechanism",
        known.IllegalSaslStateError: "the broker expects no login here: check sasl and the port",
        known.TopicAuthorizationFailedError: "the topic is not allowed: grant Read, Write, Describe on it",
        known.GroupAuthorizationFailedError: "the consumer group is not allowed: grant Read on it",
        known.ClusterAuthorizationFailedError: "not allowed on the cluster: grant this user what it needs",
        known.TransactionalIdAuthorizationFailed: "the transactional id is not allowed: grant Write on it",
        known.UnknownTopicOrPartitionError: "there is no such topic: create it, or correct its name",
        known.InvalidTopicError: "this cannot be the name of a topic",
        known.MessageSizeTooLargeError: "the message is too large: raise max.message.bytes of the topic",
        known.RecordListTooLargeError: "the batch is too large: raise max.message.bytes of the topic",
        known.UnsupportedVersionError: "the broker is too old for this",
        known.IncompatibleBrokerVersion: "the broker is too old for this",
    }


def text_of(exc: Exception) -> str:
    """What the library describes it with, else what it says."""
    name = type(exc).__name__
    return getattr(exc, "description", "") or str(exc).removeprefix(f"{name}: ") or name

"""NATS through nats-py: servers, login, TLS, reconnects, errors as ours.

Login       the first of user and password, token, NKey seed, credentials file; or a YAML text that holds one
            of them (`username` and `password`, `token`, `nkey`, `credentials`), as EventBus accessSecret;
            else what stands before the `@` of the first URL
TLS         asked for by settings or a `tls://` URL: a server that does not offer it is refused before the
            login is sent, also at every reconnect (nats-py 2.16 goes on in plain text)
Guard       see nats_client.py; once it refuses all servers that are known the connection is given up
Reconnects  for ever, half a second apart; one log line when the servers are lost, one when they are back
Library     nats-py (extra `nats`)
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import unquote, urlsplit

import msgspec

from events.aio import strictly
from events.clients.http import Refused, Sessions, shown
from events.clients.nats_client import PORT, Sink, client_class, drop
from events.clients.secrets import Ref, Secrets, secret
from events.clients.tls import TlsRefs, context_of, read_pems
from events.errors import EventsError, Permanent, Retryable

if TYPE_CHECKING:
    from nats.aio.client import Client

    from events.api.common import TLS, NATSAuth, SecretKeySelector

logger = logging.getLogger(__name__)

CONNECT_TIMEOUT = 5.0
CLOSE_TIMEOUT = 5.0
RECONNECT_PAUSE = 0.5
PING_INTERVAL = 5.0
"""Seconds between pings; after two without an answer the connection counts as lost."""

REFUSALS_KEPT = 1000

WRITE_BUFFER = 8 << 20
"""Bytes of commands that wait for the socket before publishing waits."""


class Login(msgspec.Struct, frozen=True):
    """How to log in, without the secrets themselves; the first one given counts."""

    user: Ref | None = None
    password: Ref | None = None
    token: Ref | None = None
    nkey: Ref | None = None
    credentials: Ref | None = None
    yaml: Ref | None = None

    @classmethod
    def of(cls, auth: NATSAuth | None) -> Login:
        """The login of an event source or a trigger."""
        if auth is None:
            return cls()
        basic = auth.basic
        if basic is not None and basic.username is not None and basic.password is not None:
            return cls(user=secret(basic.username), password=secret(basic.password))
        given = {"token": auth.token, "nkey": auth.nkey, "credentials": auth.credential}
        return cls(**{key: secret(one) for key, one in given.items() if one is not None})

    @classmethod
    def in_yaml(cls, selector: SecretKeySelector | None) -> Login:
        """The login of an EventBus."""
        return cls() if selector is None else cls(yaml=secret(selector))

    async def read(self, secrets: Secrets) -> dict[str, Any]:
        """Options of nats-py. Raises Permanent for a secret that is missing or is not what it should be."""
        if self.user is not None and self.password is not None:
            return {"user": await secrets.read(self.user), "password": await secrets.read(self.password)}
        for ref, key in ((self.token, "token"), (self.nkey, "nkey"), (self.credentials, "credentials")):
            if ref is not None:
                return options({key: await secrets.read(ref)}, str(ref))
        if self.yaml is not None:
            return options(mapping(await secrets.read(self.yaml), str(self.yaml)), str(self.yaml))
        return {}


def mapping(text: str, name: str) -> dict[str, Any]:
    """Raises Permanent, without the text."""
    import yaml

    with suppress(yaml.YAMLError):
        found = yaml.safe_load(text)
        if isinstance(found, dict):
            return found
    raise Permanent(f"{name}: not YAML with username and password, token, nkey or credentials")


def options(given: dict[str, Any], name: str) -> dict[str, Any]:
    """Raises Permanent for an NKey seed or a credentials file that cannot be one."""
    from nats.aio.client import RawCredentials

    if "username" in given and "password" in given:
        return {"user": str(given["username"]), "password": str(given["password"])}
    if "token" in given:
        return {"token": str(given["token"])}
    if "nkey" in given:
        return {"nkeys_seed_str": checked_seed(str(given["nkey"]).strip(), name)}
    if "credentials" in given:
        text = str(given["credentials"]).replace("\r\n", "\n")
        if "BEGIN NATS USER JWT" not in text or "BEGIN USER NKEY SEED" not in text:
            raise Permanent(f"{name}: not a NATS credentials file: it holds no user JWT or no NKey seed")
        return {"user_credentials": RawCredentials(text + "\n")}
    raise Permanent(f"{name}: holds neither username and password nor token, nkey or credentials")


def checked_seed(seed: str, name: str) -> str:
    import nkeys

    try:
        nkeys.from_seed(bytearray(seed.encode())).wipe()
    except (nkeys.NkeysError, ValueError) as exc:
        raise Permanent(f"{name}: not an NKey seed (it begins with SU)") from exc
    return seed


class Servers(msgspec.Struct, frozen=True):
    """Which servers, as whom, with what certificates."""

    urls: tuple[str, ...]
    login: Login = Login()
    tls: TlsRefs | None = None

    @classmethod
    def of(cls, url: str, login: Login | None = None, tls: TLS | TlsRefs | None = None) -> Servers:
        """`url` may name several servers, separated by commas. Raises Permanent for what is no URL."""
        urls = tuple(checked_url(one.strip()) for one in url.split(",") if one.strip())
        if not urls:
            raise Permanent(f"{url!r} names no NATS server: write nats://host:4222")
        refs = tls if isinstance(tls, TlsRefs) else TlsRefs.of(tls)
        if refs is None and any(one.startswith("tls://") for one in urls):
            refs = TlsRefs()
        return cls(urls, login or Login(), refs)

    async def digest(self, secrets: Secrets) -> bytes:
        """Tells logins and certificates apart, without keeping them. Raises Permanent."""
        texts = [await secrets.read(ref) for ref in msgspec.structs.astuple(self.login) if ref is not None]
        pems = await read_pems(self.tls, secrets) if self.tls else ()
        return hashlib.sha256(msgspec.msgpack.encode([texts, tuple(pems)])).digest()

    @property
    def shown(self) -> str:
        """For messages: without user and password."""
        return ",".join(shown(url) for url in self.urls)

    @property
    def bare(self) -> list[str]:
        """Without user and password, which nats-py would not use for servers that it finds out about."""
        return [shown(url) for url in self.urls]

    def in_url(self) -> dict[str, str]:
        """The login in front of the first `@`."""
        for parts in map(urlsplit, self.urls):
            if parts.username is not None and parts.password is not None:
                return {"user": unquote(parts.username), "password": unquote(parts.password)}
            if parts.username is not None:
                return {"token": unquote(parts.username)}
        return {}


def checked_url(url: str) -> str:
    whole = url if "://" in url else f"nats://{url}"
    try:
        parts = urlsplit(whole)
        if parts.scheme not in {"nats", "tls"} or not parts.hostname:
            raise ValueError
        return whole if parts.port else f"{whole.rstrip('/:')}:{PORT}"
    except ValueError as exc:
        raise Permanent(f"not the URL of a NATS server: {shown(whole)}: write nats://host:4222") from exc


class Link:
    """One connection that mends itself. `up` says whether it works now; the watchers learn of changes.

    `ended` is set when it will not come back: closed by us, or by the server (then `trouble` says why).
    `quiet`: its owner tells users when it is lost and back, and the log has that at debug only.
    Without `sessions` there is no guard: for servers that the operator names, those of a bus.
    """

    def __init__(
        self, servers: Servers, name: str, sessions: Sessions | None, *, quiet: bool = False
    ) -> None:
        self.servers, self.name, self._sessions, self._quiet = servers, name, sessions, quiet
        self.client: Client
        self.up = False
        self.trouble = ""
        self.ended = asyncio.Event()
        self.watchers: list[Callable[[bool], None]] = []
        self._refusal: Permanent | None = None
        self.refusals: dict[str, tuple[float, Permanent]] = {}
        """When publishing to a subject (in lower case) was refused, and why; the newest `REFUSALS_KEPT`."""
        self._first: list[Exception] | None = []
        self._lost_at = 0.0

    async def open(self, secrets: Secrets) -> None:
        """Connect, also again after it ended: subscriptions are made anew by who had them.

        Raises Retryable (nobody there), Permanent (login, certificate, secret, address guard).
        """
        self._first, self.trouble = [], ""
        self.ended.clear()
        with translated(self.name, self.servers):
            given = self.servers.in_url() | await self.servers.login.read(secrets)
            context = None if self.servers.tls is None else await context_of(self.servers.tls, secrets)
            self.client = client_class()(self._sessions)
            try:
                await self._connect(given, context)
            except BaseException:
                await self._give_up()
                raise
        self._first, self.up = None, True

    async def _connect(self, given: dict[str, Any], context: ssl.SSLContext | None) -> None:
        limit = CONNECT_TIMEOUT * len(self.servers.urls) + 1.0
        seconds: dict[str, Any] = {
            "connect_timeout": CONNECT_TIMEOUT, "reconnect_time_wait": RECONNECT_PAUSE,
            "ping_interval": PING_INTERVAL,
            "flush_timeout": CONNECT_TIMEOUT,  # without one a publish waits for ever for a lost connection
        }  # fmt: skip
        async with asyncio.timeout(limit):
            await self.client.connect(
                self.servers.bare, name=self.name, tls=context,
                max_reconnect_attempts=-1, max_outstanding_pings=2, pending_size=WRITE_BUFFER,
                error_cb=self._on_error, disconnected_cb=self._on_lost, reconnected_cb=self._on_back,
                closed_cb=self._on_closed, **seconds, **given,
            )  # fmt: skip

    async def _give_up(self) -> None:
        self._first = None
        await self.aclose()

    async def aclose(self) -> None:
        """Send what waits, and close."""
        self._first, self.up = None, False
        self.ended.set()
        with suppress(TimeoutError, OSError):
            async with asyncio.timeout(CLOSE_TIMEOUT):
                await self.client.close()
        drop(self.client)

    def check(self) -> None:
        """Raises Permanent when the server refused something for want of a permission since the last call."""
        refusal, self._refusal = self._refusal, None
        if refusal is not None:
            raise refusal

    async def published(self, subject: str, since: float) -> None:
        """The server has taken what was published to the subject since then (`time.monotonic`).

        Raises Retryable, and Permanent when it refused this subject.
        """
        with translated(self.name, self.servers):
            await strictly(self.client.flush(CONNECT_TIMEOUT))  # type: ignore[arg-type]
        at, why = self.refusals.get(subject.lower(), (0.0, None))
        if why is not None and at >= since:
            raise why

    async def flushed(self, timeout: float = CONNECT_TIMEOUT) -> None:
        """The server has seen everything sent so far. Raises Retryable, and Permanent as `check` does."""
        with translated(self.name, self.servers):
            await strictly(self.client.flush(cast("int", timeout)))
        self.check()

    async def listen(self, subject: str, sink: Sink) -> Any:
        """Hand every message of a subject to the sink while it is being parsed: no queue, no task, no copy.

        The subscription outlives reconnects; `unsubscribe` ends it. Raises Retryable.
        """
        with translated(self.name, self.servers):
            waiting = asyncio.get_running_loop().create_future()
            made = await self.client.subscribe(subject, future=waiting)
        cast("Any", self.client).sinks[made._id] = sink  # its number on the wire
        return made

    def write(self, command: bytes) -> None:
        """Send protocol text with what else this turn of the loop sends. Raises Retryable: not connected."""
        if not self.up:
            raise Retryable(f"{self.name}: {self.servers.shown}: not connected")
        cast("Any", self.client).write(command)  # StrictClient's

    # what nats-py tells

    async def _on_error(self, error: Exception) -> None:
        if self._first is not None:
            self._tried(self._first, error)
            return
        self.trouble = str(error) or type(error).__name__
        if isinstance(error, Refused):
            cast("Any", self.client).check_refused(error)
        if "permissions violation" in self.trouble:
            self._refused(meaning(self.name, self.servers, error))  # type: ignore[arg-type]
        else:
            logger.debug("%s: %s", self.name, self.trouble)

    def _tried(self, failed: list[Exception], error: Exception) -> None:
        """One of the servers failed. Raises when there is no use in trying another one, or no other one."""
        failed.append(error)
        passing = isinstance(error, OSError | TimeoutError) and not isinstance(error, ssl.SSLError)
        if not passing:
            raise meaning(self.name, self.servers, error)
        if len(failed) >= len(self.servers.urls):
            mending = [one for one in failed if not isinstance(one, Refused)]
            raise meaning(self.name, self.servers, (mending or failed)[-1])

    def _refused(self, why: Permanent) -> None:
        self._tell(logging.WARNING, "%s", why)
        self._refusal = why
        _, found, rest = str(why).lower().partition('violation for publish to "')
        if found:
            self.refusals.pop(subject := rest.partition('"')[0], None)
            self.refusals[subject] = (time.monotonic(), why)
            if len(self.refusals) > REFUSALS_KEPT:
                del self.refusals[next(iter(self.refusals))]

    async def _on_lost(self) -> None:
        if self.ended.is_set() or not self.up:
            return
        self._lost_at = time.monotonic()
        reason = self.client.last_error
        self._tell(
            logging.WARNING, "%s: connection to %s lost%s; trying again",
            self.name, self.servers.shown, f" ({reason})" if reason else "",
        )  # fmt: skip
        self._turn(False)

    async def _on_back(self) -> None:
        away = time.monotonic() - self._lost_at
        self._tell(logging.INFO, "%s: %s is back after %.1f s", self.name, self.servers.shown, away)
        self.trouble = ""
        self._turn(True)

    async def _on_closed(self) -> None:
        if not self.ended.is_set():
            self.trouble = str(self.client.last_error or "the server closed the connection")
            self._tell(
                logging.WARNING, "%s: %s ended the connection: %s",
                self.name, self.servers.shown, self.trouble,
            )  # fmt: skip
            self._turn(False)
            self.ended.set()

    def _tell(self, level: int, text: str, *given: object) -> None:
        logger.log(logging.DEBUG if self._quiet else level, text, *given)

    def _turn(self, up: bool) -> None:
        self.up = up
        for watcher in list(self.watchers):
            watcher(up)


async def connect(
    servers: Servers, secrets: Secrets, name: str, sessions: Sessions | None, *, quiet: bool = False
) -> Link:
    """A connection that works. `name` is what messages and the server's monitoring call it.

    Without `sessions` there is no guard: for servers that the operator names, those of a bus.
    Raises Retryable (nobody there, no answer), Permanent (login, certificate, secret, address guard).
    """
    link = Link(servers, name, sessions, quiet=quiet)
    await link.open(secrets)
    return link


# errors


@contextmanager
def translated(what: str, servers: Servers) -> Iterator[None]:
    """Errors of nats-py and the network as Retryable or Permanent; `what` begins their text."""
    from nats.errors import Error

    try:
        yield
    except (Error, OSError, TimeoutError) as exc:
        raise meaning(what, servers, exc) from exc


def meaning(what: str, servers: Servers, error: Exception) -> EventsError:
    """What an error of nats-py means for whoever asked."""
    from nats import errors

    text = (str(error) or type(error).__name__).removeprefix("nats: ").strip("' ")
    start = f"{what}: {servers.shown}"
    lower = text.lower()
    if isinstance(error, Refused):
        return Permanent(f"{start}: {text}")
    if isinstance(error, ssl.SSLError):
        return Permanent(f"{start}: TLS: {error.reason or text}: check the certificates in tls")
    if isinstance(error, errors.SecureConnRequiredError):
        return Permanent(f"{start}: TLS is asked for, but the server does not offer it")
    if "authorization violation" in lower or "authentication" in lower:
        return Permanent(
            f"{start}: the server refuses the login: check user, password, token, nkey or credentials"
        )
    if "permissions violation" in lower:
        return Permanent(f"{start}: {text}: give this user the permission")
    if isinstance(error, errors.MaxPayloadError):
        return Permanent(f"{start}: the message is larger than the server takes (max_payload)")
    if isinstance(error, errors.NoRespondersError):
        return Retryable(f"{start}: nobody answers: is JetStream enabled (nats-server -js) for this account?")
    if isinstance(error, TimeoutError | errors.TimeoutError):
        return Retryable(f"{start}: no answer in time")
    if isinstance(error, OSError):
        return Retryable(f"{start}: cannot connect: {text}: is the server running?")
    return Retryable(f"{start}: {text}")

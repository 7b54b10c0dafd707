"""SFTP through asyncssh: login, host keys, folder listings, errors as ours.

Messages  name the Secrets that hold address and user, never what is in them
Settings  nothing is taken from ~/.ssh: neither keys nor an agent nor known_hosts
Library   asyncssh (extra `sftp`)
"""

from __future__ import annotations

import asyncio
import logging
import os
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

from events.clients.http import Refused, Sessions
from events.errors import Absent, EventsError, Permanent, Retryable

if TYPE_CHECKING:
    import asyncssh

CONNECT_TIMEOUT = 10.0
LOGIN_TIMEOUT = 20.0
LIST_TIMEOUT = 60.0
"""Seconds for one listing of a folder."""

CLOSE_TIMEOUT = 2.0
KEEPALIVE = 15
"""Seconds of silence after which the server is asked whether it lives; three times, then it is away."""

PORT = 22

PRIVATE_KEY = re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?-----END [A-Z ]*PRIVATE KEY-----", re.DOTALL)
PUBLIC_KEY = re.compile(r"^(?:ssh|ecdsa|sk)-\S+ \S+", re.MULTILINE)


class Login(NamedTuple):
    """Where and as whom. `server` is how messages name it; `key` may hold the host's public key too."""

    server: str
    address: str
    user: str
    password: str | None
    key: str | None
    known_hosts: str | None

    def __repr__(self) -> str:
        return f"<Login {self.server}>"


class HostKeys:
    """Which key the server has to show. `learned` was taken on trust, `fingerprint` is set if just now."""

    def __init__(self, login: Login, remembered: str = "") -> None:
        """Raises Permanent for keys that cannot be read."""
        import asyncssh

        self.learned, self.fingerprint = "", ""
        pinned = PUBLIC_KEY.search(PRIVATE_KEY.sub("", login.key)) if login.key else None
        self._trusting = login.known_hosts is None and pinned is None
        try:
            if login.known_hosts is not None:
                self.known: Any = asyncssh.import_known_hosts(login.known_hosts)
                return
            line = pinned.group() if pinned else remembered
            self.known = ([asyncssh.import_public_key(line)] if line else [], [], [])
        except ValueError as exc:
            hint = "knownHosts takes lines of a known_hosts file, as ssh-keyscan writes them"
            raise Permanent(f"{login.server}: its host keys cannot be read: {hint}") from exc
        self.learned = remembered if self._trusting else ""

    def client(self) -> type[asyncssh.SSHClient]:
        """Asked by asyncssh about a key that is not among the known ones."""
        import asyncssh

        keys = self

        class Client(asyncssh.SSHClient):
            def validate_host_public_key(self, host: str, addr: str, port: int, key: asyncssh.SSHKey) -> bool:
                return keys.trust(key)

        return Client

    def trust(self, key: asyncssh.SSHKey) -> bool:
        """The key of the first connection is taken on trust."""
        if not self._trusting or self.learned:
            return False
        self.learned = " ".join(key.export_public_key().decode().split()[:2])
        self.fingerprint = key.get_fingerprint()
        return True


@asynccontextmanager
async def connected(login: Login, hosts: HostKeys, sessions: Sessions) -> AsyncIterator[asyncssh.SFTPClient]:
    """A session, closed at the end. Raises Retryable (network), Permanent (login, host key)."""
    import asyncssh

    asyncssh.set_log_level(logging.WARNING)  # below, it writes addresses and user names
    host, port = address_of(login)
    key = private_key(login)
    with translated(login.server):
        async with asyncio.timeout(CONNECT_TIMEOUT):
            sock = await sessions.connect(host, port)
        with ExitStack() as unused:
            unused.callback(sock.close)
            connection = await asyncssh.connect(
                host, port, sock=sock, config=None, client_factory=hosts.client(), known_hosts=hosts.known,
                username=login.user, password=login.password, client_keys=[key] if key else None,
                agent_path=None, login_timeout=LOGIN_TIMEOUT, keepalive_interval=KEEPALIVE,
            )  # fmt: skip
            unused.pop_all()
    try:
        with translated(login.server):
            async with asyncio.timeout(LOGIN_TIMEOUT):
                client = await connection.start_sftp_client(path_errors="surrogateescape")
        yield client
    finally:
        await close(connection)


async def close(connection: asyncssh.SSHClientConnection) -> None:
    connection.close()
    try:
        async with asyncio.timeout(CLOSE_TIMEOUT):
            await connection.wait_closed()
    except TimeoutError:
        connection.abort()


def address_of(login: Login) -> tuple[str, int]:
    """Raises Permanent."""
    host, colon, port = login.address.rpartition(":")
    if not colon or login.address.endswith("]"):
        host, port = login.address, str(PORT)
    if not host or not port.isdigit() or not 0 < int(port) < 65536:
        raise Permanent(f"{login.server}: its address is not host:port")
    return host.strip("[]"), int(port)


def private_key(login: Login) -> asyncssh.SSHKey | None:
    """Raises Permanent."""
    import asyncssh

    if login.key is None:
        return None
    found = PRIVATE_KEY.search(login.key)
    if found is None:
        raise Permanent(f"{login.server}: sshKeySecret holds no private key in PEM or OpenSSH form")
    try:
        return asyncssh.import_private_key(f"{found.group()}\n")
    except (ValueError, asyncssh.KeyEncryptionError) as exc:
        raise Permanent(f"{login.server}: the private key in sshKeySecret cannot be used: {exc}") from exc


@contextmanager
def translated(server: str) -> Iterator[None]:
    """Errors on the way to a session as Retryable or Permanent."""
    import asyncssh

    try:
        yield
    except asyncssh.HostKeyNotVerifiable as exc:
        hint = "if it is right, write it to knownHosts"
        raise Permanent(f"{server}: it shows a host key that is not the expected one: {hint}") from exc
    except asyncssh.PermissionDenied as exc:
        hint = "check username and password or sshKeySecret"
        raise Permanent(f"{server}: it refuses the login: {hint}") from exc
    except (asyncssh.Error, OSError, TimeoutError) as exc:
        raise meaning(server, exc) from exc


def meaning(server: str, exc: Exception) -> EventsError:
    """What a fault of connection or session means; texts of the network are left out: they hold addresses."""
    if isinstance(exc, Refused):
        return Permanent(f"{server}: the address guard refuses its address: see --guard")
    if isinstance(exc, TimeoutError):
        return Retryable(f"{server}: no answer in time")
    if isinstance(exc, OSError):
        return Retryable(f"{server}: no connection: {reason(exc)}")
    return Retryable(f"{server}: {type(exc).__name__}: the session broke")


def reason(exc: OSError) -> str:
    """Of the number: the text may hold the address."""
    return type(exc).__name__ if exc.errno is None else os.strerror(exc.errno)


async def folder_listing(client: asyncssh.SFTPClient, folder: str, server: str) -> list[tuple[str, int, int]]:
    """(name, size in bytes, modified in seconds since 1970) of all but folders. Raises Retryable, Absent."""
    import asyncssh

    where = f"{server}: folder {folder}"
    try:
        async with asyncio.timeout(LIST_TIMEOUT):
            return [
                (str(entry.filename), entry.attrs.size or 0, int(entry.attrs.mtime or 0))
                async for entry in client.scandir(folder)
                if entry.attrs.type != asyncssh.FILEXFER_TYPE_DIRECTORY
            ]
    except (asyncssh.SFTPNoSuchFile, asyncssh.SFTPNoSuchPath) as exc:
        hint = "make it, or change watchPathConfig.directory"
        raise Absent(f"{where} does not exist: {hint}") from exc
    except asyncssh.SFTPPermissionDenied as exc:
        raise Retryable(f"{where} may not be read: give the user the rights r and x on it") from exc
    except (asyncssh.SFTPConnectionLost, asyncssh.SFTPNoConnection, asyncssh.DisconnectError) as exc:
        raise Retryable(f"{server}: the connection is lost") from exc
    except TimeoutError as exc:
        raise Retryable(f"{where}: no listing in {LIST_TIMEOUT:g} s") from exc
    except (asyncssh.Error, OSError) as exc:
        raise Retryable(f"{where} cannot be listed: {type(exc).__name__}") from exc

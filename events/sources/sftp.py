"""sftp: files that appear or vanish in a folder of an SFTP server.

Spec      EventSource.spec.sftp.<eventName>
Payload   {name, op, metadata}; op is 1 for CREATE (also of a file that changed), 4 for REMOVE; name is the
          base name
Delivery  at least once: what was seen of the folder is stored with the events, and what changed while the
          source was down is told when it starts again. Files that are there at the first start are not told;
          a folder that is not there then is taken for an empty one
Settling  CREATE comes once the file has kept its size and time for `settleDuration`
Host key  `knownHosts`, else the public key beside the private one in sshKeySecret, else the key of the first
          connection: it is stored, and a server with another one gets no login
Library   asyncssh (extra `sftp`)
Upstream  pkg/eventsources/sources/sftp/start.go
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from events.api.common import NonEmpty, Problem, SecretKeySelector, check_duration
from events.api.eventsource import FilteredSourceConfig, WatchPath
from events.clients.secrets import secret
from events.clients.sftp import HostKeys, Login, connected, folder_listing
from events.errors import Permanent
from events.sources._base import Emit, Replay, Source
from events.sources._folder import (
    Change,
    Entry,
    Ledger,
    Listing,
    empty_without,
    matcher,
    payload,
    seconds,
    tell,
)

if TYPE_CHECKING:
    import asyncssh

EVENT_TYPES = ("CREATE", "REMOVE")


class SFTPConfig(FilteredSourceConfig):
    """One folder."""

    event_type: NonEmpty = Field(description="CREATE or REMOVE")
    watch_path_config: WatchPath = Field(description="which files count")
    username: SecretKeySelector = Field(description="Secret key with the user name")
    password: SecretKeySelector | None = Field(None, description="Secret key with the password")
    ssh_key_secret: SecretKeySelector | None = Field(
        None, description="Secret key with the private key; wins over the password"
    )
    address: SecretKeySelector = Field(description="Secret key with host:port of the server")
    poll_interval_duration: str = Field("", description="time between two looks; 10s when empty")
    known_hosts: SecretKeySelector | None = Field(
        None, description="Secret key with lines of a known_hosts file: the server must have one of these "
        "keys [extension]",
    )  # fmt: skip
    settle_duration: str = Field(
        "", description="time that a file has to stay as it is before CREATE is told; 2s when empty, 0s for "
        "at once [extension]",
    )  # fmt: skip

    def problems(self) -> Iterable[Problem]:
        """A change that is noticed, a login, durations."""
        if self.event_type not in EVENT_TYPES:
            said = f"{self.event_type!r} is never noticed"
            yield Problem("eventType", said, "CREATE or REMOVE", "choice", "warning")
        if not (self.password or self.ssh_key_secret):
            yield Problem("", "has neither password nor sshKeySecret", "write one of them", "required")
        yield from check_duration(self.poll_interval_duration, "pollIntervalDuration")
        yield from check_duration(self.settle_duration, "settleDuration")


POLL = 10.0
"""Seconds between two looks."""

SHORTEST_POLL = 0.1
SETTLE = 2.0


class SFTPSource(Source[SFTPConfig]):
    """Lists the folder over one connection, again and again."""

    kind: ClassVar[str] = "sftp"
    extra: ClassVar[str | None] = "sftp"
    requires: ClassVar[tuple[str, ...]] = ("asyncssh",)
    replay: ClassVar[Replay] = "cursor"
    leader_only: ClassVar[bool] = True

    async def run(self, emit: Emit) -> None:
        """Raises Retryable (server, folder), Permanent (login, host key, pattern)."""
        cfg, clock = self.cfg, asyncio.get_running_loop().time
        poll = max(SHORTEST_POLL, seconds(cfg.poll_interval_duration, POLL))
        login = await self._login()
        ledger = self._ledger(login.address)
        ledger.restore(await self.ctx.cursor())
        hosts = HostKeys(login, ledger.peer)
        async with connected(login, hosts, self.ctx.sessions) as client:
            self._learn(ledger, hosts)
            while True:
                async with empty_without(self.ctx, emit, ledger):
                    listing = await self._listing(client, login.server)
                step = await asyncio.to_thread(ledger.look, listing, clock(), self.ctx.now_ns())
                if step is not None:
                    await tell(self.ctx, emit, ledger, step, self._event)
                self.ctx.ready()
                due = ledger.due(clock())
                await asyncio.sleep(poll if due is None else min(poll, due))

    def _ledger(self, address: str) -> Ledger:
        cfg, spec = self.cfg, self.cfg.watch_path_config
        settle = seconds(cfg.settle_duration, SETTLE) if cfg.event_type == "CREATE" else 0.0
        return Ledger((address, spec.directory, spec.path, spec.path_regexp), matcher(spec), settle)

    async def _login(self) -> Login:
        """Raises Permanent for a secret that is missing."""
        cfg, read = self.cfg, self.ctx.secrets.read
        server = f"SFTP server of {secret(cfg.address)}"
        key = await read(secret(cfg.ssh_key_secret)) if cfg.ssh_key_secret else None
        if key is None and cfg.password is None:
            raise Permanent(f"{server}: neither password nor sshKeySecret is given: write one of them")
        return Login(
            server=server,
            address=(await read(secret(cfg.address))).strip(),
            user=(await read(secret(cfg.username))).strip(),
            password=await read(secret(cfg.password)) if cfg.password and key is None else None,
            key=key,
            known_hosts=await read(secret(cfg.known_hosts)) if cfg.known_hosts else None,
        )

    def _learn(self, ledger: Ledger, hosts: HostKeys) -> None:
        if hosts.fingerprint:
            ledger.meet(hosts.learned)
            self.ctx.log.warning(
                "event source %s: the host key %s of the server is taken on trust and remembered: "
                "write knownHosts to have it checked from the start", self.ctx.label, hosts.fingerprint,
            )  # fmt: skip

    async def _listing(self, client: asyncssh.SFTPClient, server: str) -> Listing:
        found = await folder_listing(client, self.cfg.watch_path_config.directory, server)
        return {name: Entry(0, size, mtime * 1_000_000_000, 0) for name, size, mtime in found}

    def _event(self, change: Change) -> bytes | None:
        operation = "CREATE" if change.operation == "WRITE" else change.operation
        return (
            payload(change.name, operation, self.cfg.metadata) if operation == self.cfg.event_type else None
        )

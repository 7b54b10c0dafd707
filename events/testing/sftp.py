"""A real SFTP server over a folder, in this process: asyncssh's own, with logins and a locked folder.

Library   asyncssh (extra `sftp`)
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import asyncssh

USER, PASSWORD = "etl", "correct horse"
LOCKED = "locked"
"""A folder that no listing may be made of."""


class Files(asyncssh.SFTPServer):
    """The tree below a folder."""

    def scandir(self, path: bytes) -> Any:
        if path.strip(b"/") == LOCKED.encode():
            raise asyncssh.SFTPPermissionDenied("not yours")
        return super().scandir(path)


class SFTPServer:
    """`start` and `stop` keep the port; `renew` gives it another host key."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.port = 0
        self.user_key = asyncssh.generate_private_key("ssh-ed25519")
        self.logins = 0
        self.connections: set[asyncssh.SSHServerConnection] = set()
        self.renew()
        self._server: Any = None

    def renew(self) -> None:
        self.host_key = asyncssh.generate_private_key("ssh-ed25519")

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def host_line(self) -> str:
        """The public host key as in authorized_keys."""
        return self.host_key.export_public_key().decode().strip()

    async def start(self) -> None:
        self._server = await asyncssh.listen(
            "127.0.0.1", self.port, server_host_keys=[self.host_key], server_factory=lambda: Door(self),
            sftp_factory=lambda channel: Files(channel, chroot=str(self.root).encode()),
        )  # fmt: skip
        self.port = self._server.get_port()

    async def stop(self) -> None:
        """Listener and connections go away."""
        self._server.close()
        for connection in list(self.connections):
            connection.abort()
            await connection.wait_closed()
        await self._server.wait_closed()


class Door(asyncssh.SSHServer):
    """Lets one user in, by password or key."""

    def __init__(self, server: SFTPServer) -> None:
        self._server = server

    def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
        self._conn = conn
        self._server.connections.add(conn)

    def connection_lost(self, exc: Exception | None) -> None:
        self._server.connections.discard(self._conn)

    def begin_auth(self, username: str) -> bool:
        return True

    def password_auth_supported(self) -> bool:
        return True

    def validate_password(self, username: str, password: str) -> bool:
        self._server.logins += 1
        return (username, password) == (USER, PASSWORD)

    def public_key_auth_supported(self) -> bool:
        return True

    def validate_public_key(self, username: str, key: asyncssh.SSHKey) -> bool:
        self._server.logins += 1
        return username == USER and key == self._server.user_key.convert_to_public()


@asynccontextmanager
async def sftp_server(root: Path) -> AsyncIterator[SFTPServer]:
    """A server that listens, stopped at the end."""
    server = SFTPServer(root)
    await server.start()
    try:
        yield server
    finally:
        await server.stop()

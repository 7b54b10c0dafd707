"""redis: one Redis server, with an append-only file: data is there after a restart and after a kill."""

from __future__ import annotations

import socket
from contextlib import suppress

from events.testing.certificates import Pair
from events.testing.servers._cache import Apt
from events.testing.servers._process import Server

PACKAGE = Apt("redis", "redis-server")


class Redis(Server):
    """`extra` is text for the end of the settings file (`requirepass`, `user`, `maxmemory` ...).

    With `tls` there is a second port for TLS (`tls_port`). All keyspace events are on.
    """

    name = "redis"
    origin = PACKAGE
    port_count = 2

    def __init__(self, extra: str = "", *, tls: Pair | None = None) -> None:
        super().__init__()
        self.extra, self.tls = extra, tls

    @property
    def address(self) -> str:
        """host:port."""
        return f"127.0.0.1:{self.port}"

    @property
    def tls_port(self) -> int:
        return self.ports[1]

    def configure(self) -> None:
        text = (
            f"bind 127.0.0.1\nport {self.port}\ndir {self.folder}\ndaemonize no\n"
            'save ""\nappendonly yes\nappendfsync everysec\nnotify-keyspace-events KEA\n'
        )
        if self.tls is not None:
            pem = self.folder / "server.pem"
            pem.write_text(self.tls.cert + self.tls.key)
            text += (
                f"tls-port {self.tls_port}\ntls-cert-file {pem}\ntls-key-file {pem}\n"
                f"tls-ca-cert-file {pem}\ntls-auth-clients no\n"
            )
        (self.folder / "redis.conf").write_text(f"{text}{self.extra}\n")

    def command(self) -> list[str]:
        return [PACKAGE.path("usr/bin/redis-server"), str(self.folder / "redis.conf")]

    def environ(self) -> dict[str, str]:
        return PACKAGE.environ()

    def ready(self) -> bool:
        """A server with a password refuses the question, and that is an answer too."""
        with suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1) as sock:
            sock.sendall(b"PING\r\n")
            return sock.recv(16).startswith((b"+PONG", b"-NOAUTH"))
        return False

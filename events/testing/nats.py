"""What arrives at subjects of a NATS server: a subscriber that needs no event loop."""

from __future__ import annotations

import json
import socket
from typing import NamedTuple, Self

from events.testing.servers.nats import Nats


class Arrived(NamedTuple):
    """One message. The values of a header are joined by commas."""

    subject: str
    headers: dict[str, str]
    data: bytes


class Listener:
    """Everything that the server passes on. What a publisher knows to be taken is there at once."""

    def __init__(self, server: Nats, subject: str = ">", **login: str) -> None:
        self._sock = socket.create_connection(("127.0.0.1", server.port), 5)
        self._file = self._sock.makefile("rwb")
        options = {"verbose": False, "headers": True, "no_responders": True, **login}
        self._file.write(f"CONNECT {json.dumps(options)}\r\nSUB {subject} 1\r\n".encode())
        self._seen: list[Arrived] = []
        self.all()

    def all(self) -> list[Arrived]:
        """In order."""
        self._file.write(b"PING\r\n")
        self._file.flush()
        while not (line := self._file.readline()).startswith(b"PONG"):
            assert line, "the server closed the connection"
            assert not line.startswith(b"-ERR"), line
            self._take(line.decode().split())
        return self._seen

    def _take(self, words: list[str]) -> None:
        if words[0] not in {"MSG", "HMSG"}:
            return
        size = int(words[-1])
        head = int(words[-2]) if words[0] == "HMSG" else 0
        body = self._file.read(size + 2)[:size]
        lines = body[:head].decode().split("\r\n")[1:]
        headers = dict(line.split(": ", 1) for line in lines if line)
        self._seen.append(Arrived(words[1], headers, body[head:]))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()
        self._sock.close()

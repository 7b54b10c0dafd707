"""The data folder of an instance: a lock, the store of each bus, the local objects, the socket of the API."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from events.errors import Permanent

DEFAULT = ".events"
SOCKET_NAME_LIMIT = 100
"""Bytes of a path that a unix socket can be bound to, with some room."""


class DataFolder:
    """`--data`: everything an instance keeps. One instance owns it while it runs."""

    def __init__(self, path: str | Path = DEFAULT) -> None:
        self.path = Path(path).absolute()
        self._lock: int | None = None
        self._directory: int | None = None

    @property
    def socket(self) -> Path:
        return self.path / "api.sock"

    @property
    def objects(self) -> Path:
        return self.path / "objects.sqlite"

    def bus(self, namespace: str, name: str) -> Path:
        return self.path / "bus" / f"{namespace}.{name}.sqlite"

    def buses(self) -> list[tuple[str, str, Path]]:
        """(namespace, EventBus name, file) of every store that is there."""
        found = []
        for file in sorted((self.path / "bus").glob("*.sqlite")):
            namespace, _, name = file.stem.partition(".")
            found.append((namespace, name, file))
        return found

    def acquire(self) -> None:
        """Make the folder and take its lock. Raises Permanent naming the process that has it."""
        self.path.mkdir(parents=True, exist_ok=True)
        (self.path / "bus").mkdir(exist_ok=True)
        lock = os.open(self.path / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as exc:
            owner = os.read(lock, 32).decode(errors="replace").strip()
            os.close(lock)
            raise Permanent(
                f"data folder {self.path} is in use by the instance with pid {owner or 'unknown'}; "
                "stop it, or give this one another folder with --data"
            ) from exc
        os.ftruncate(lock, 0)
        os.pwrite(lock, f"{os.getpid()}\n".encode(), 0)
        self._lock = lock
        self.socket.unlink(missing_ok=True)

    def release(self) -> None:
        if self._lock is not None:
            self.socket.unlink(missing_ok=True)
            os.close(self._lock)
            self._lock = None
        self.release_directory()

    def release_directory(self) -> None:
        """What `socket_address` may have opened."""
        if self._directory is not None:
            os.close(self._directory)
            self._directory = None

    @property
    def in_use(self) -> bool:
        """Whether an instance runs on this folder now."""
        try:
            lock = os.open(self.path / "lock", os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return False
        try:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError:
            return True
        finally:
            os.close(lock)
        return False

    def socket_address(self) -> str:
        """A path short enough for a unix socket, whatever the folder's own path is."""
        if len(os.fsencode(self.socket)) <= SOCKET_NAME_LIMIT:
            return str(self.socket)
        if self._directory is None:
            self._directory = os.open(self.path, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        return f"/proc/self/fd/{self._directory}/{self.socket.name}"

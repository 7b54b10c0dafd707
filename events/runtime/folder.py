"""The data folder of an instance: a lock, the store of each bus, the local objects, the socket of the API."""

from __future__ import annotations

import fcntl
import os
import time
from pathlib import Path

from events.errors import Permanent

DEFAULT = ".events"
SOCKET_NAME_LIMIT = 100
"""Bytes of a path that a unix socket can be bound to, with some room."""

PATIENCE = 1.0
"""Seconds to wait for the lock: a tool that looks into the folder has it for a moment."""


def bus_file(folder: Path, namespace: str, name: str) -> Path:
    """The store of a bus in a folder of stores. Raises Permanent for names that cannot be a file's."""
    if not (namespace and name) or "." in namespace or {"/", "\0"} & {*namespace, *name}:
        raise Permanent(f"{namespace}/{name} cannot be the name of a bus")
    return folder / f"{namespace}.{name}.sqlite"


class InUse(Permanent):
    """Another process has the data folder."""


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

    @property
    def is_ours(self) -> bool:
        """Whether an instance has made this folder."""
        return (self.path / "lock").is_file() and (self.path / "bus").is_dir()

    def bus(self, namespace: str, name: str) -> Path:
        """The store of a bus. Raises Permanent for names that cannot be a file's."""
        return bus_file(self.path / "bus", namespace, name)

    def buses(self) -> list[tuple[str, str, Path]]:
        """(namespace, EventBus name, file) of every store that is there."""
        found = []
        for file in sorted((self.path / "bus").glob("*.sqlite")):
            namespace, _, name = file.stem.partition(".")
            found.append((namespace, name, file))
        return found

    def acquire(self, patience: float = PATIENCE) -> None:
        """Make the folder and take its lock. Raises InUse naming the process that has it, Permanent."""
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            (self.path / "bus").mkdir(exist_ok=True)
            lock = os.open(self.path / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as exc:
            raise Permanent(f"{self.path} cannot be the data folder: {exc.strerror}") from exc
        try:
            self._wait_for(lock, time.monotonic() + patience)
            os.ftruncate(lock, 0)
            os.pwrite(lock, f"{os.getpid()}\n".encode(), 0)
            self.socket.unlink(missing_ok=True)
        except OSError as exc:
            os.close(lock)
            raise Permanent(f"{self.path} cannot be the data folder: {exc.strerror}") from exc
        except InUse:
            os.close(lock)
            raise
        self._lock = lock

    def _wait_for(self, lock: int, end: float) -> None:
        while True:
            try:
                return fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as exc:
                if time.monotonic() >= end:
                    raise InUse(self._told(lock)) from exc
            time.sleep(0.02)

    def _told(self, lock: int) -> str:
        owner = os.pread(lock, 32, 0).decode(errors="replace").strip()
        return (
            f"data folder {self.path} is in use by the instance with pid {owner or 'unknown'}; "
            "stop it, or give this one another folder with --data"
        )

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

    def socket_address(self) -> str:
        """A path short enough for a unix socket, whatever the folder's own path is. Raises OSError."""
        if len(os.fsencode(self.socket)) <= SOCKET_NAME_LIMIT:
            return str(self.socket)
        if self._directory is None:
            self._directory = os.open(self.path, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        return f"/proc/self/fd/{self._directory}/{self.socket.name}"

"""A real server as a child process, in a folder of its own, on free ports of 127.0.0.1.

Sync on purpose: a session fixture starts it once per worker. An async test: `await asyncio.to_thread(...)`.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
import urllib.request
from abc import ABC, abstractmethod
from base64 import b64encode
from contextlib import suppress
from pathlib import Path
from typing import ClassVar, Self

from events.testing.servers._cache import Origin
from events.testing.servers._ports import free_ports

PROBE_EVERY = 0.05
STOPS_WITHIN = 10.0
"""Seconds, from the polite signal to the other one."""
TAIL = 4000
"""Characters of the log that an error shows."""


class ServerError(Exception):
    """A server did not start; the text has the end of its log."""


class Absent(ServerError):
    """This machine has not what the server needs."""


class Ended(ServerError):
    """Its process ended before it was ready."""


class Server(ABC):
    """`start` picks ports and a folder the first time; later starts use the same, data included.

    A subclass says where the program is from (`origin`), how many ports it wants, and defines `configure`,
    `command` and `ready`.
    """

    name: ClassVar[str]
    origin: ClassVar[Origin]
    port_count: ClassVar[int] = 1
    starts_within: ClassVar[float] = 25.0
    """Seconds."""

    def __init__(self) -> None:
        self.ports: list[int] = []
        self.folder = Path()
        self._process: subprocess.Popen[bytes] | None = None
        self._old_log = 0

    @property
    def port(self) -> int:
        """The port that clients use."""
        return self.ports[0]

    @property
    def pid(self) -> int:
        assert self._process is not None, f"{self.name} was not started"
        return self._process.pid

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def log(self) -> str:
        """The end of what it wrote."""
        path = self.folder / "log"
        return path.read_text(errors="replace")[-TAIL:] if self.folder.name and path.exists() else ""

    def start(self) -> Self:
        """Until it is ready. Raises ServerError, with the end of its log."""
        if self.ports:
            self.spawn()
            self.wait_ready()
        else:
            self._start_first()
        return self

    def _start_first(self) -> None:
        try:
            self._attempt()
        except Ended:  # someone else may have taken a port in between
            self._attempt()

    def _attempt(self) -> None:
        try:
            self.settle()
            self.spawn()
            self.wait_ready()
        except BaseException:
            self.close()
            raise

    def settle(self) -> None:
        """Ports, folder and settings, without a start."""
        if (reason := self.origin.missing()) is not None:
            raise Absent(f"{self.name} is not there: {reason}")
        self.folder = Path(tempfile.mkdtemp(prefix=f"events-{self.name}-"))
        self.ports = free_ports(self.port_count)
        self.configure()

    def spawn(self) -> None:
        """Start the process, and do not wait for it."""
        assert not self.running, f"{self.name} runs already"
        path = self.folder / "log"
        self._old_log = path.stat().st_size if path.exists() else 0
        with path.open("ab") as log:
            self._process = subprocess.Popen(
                [*tied(), *self.command()], cwd=self.folder, env={**os.environ, **self.environ()},
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip

    def wait_ready(self) -> None:
        """Raises Ended or ServerError."""
        deadline = time.monotonic() + self.starts_within
        while not self.ready():
            if not self.running:
                raise Ended(f"{self.name} has ended before it was ready:\n{self.log}")
            if time.monotonic() > deadline:
                told = self.log
                self.kill()
                raise ServerError(f"{self.name} is not ready after {self.starts_within:g} s:\n{told}")
            time.sleep(PROBE_EVERY)

    def stop(self) -> None:
        """The polite way; the data stays."""
        if self._process is None:
            return
        self.resume()
        self._process.terminate()
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(STOPS_WITHIN)
        self.kill()

    def kill(self) -> None:
        """At once, with all of its own children; the data stays."""
        if self._process is None:
            return
        self._signal(signal.SIGKILL)
        self._process.wait()
        self._process = None

    def restart(self) -> None:
        """The same ports, the same data."""
        self.stop()
        self.start()

    def pause(self) -> None:
        """Connections stay open and nothing moves."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        self._signal(signal.SIGCONT)

    def close(self) -> None:
        """Gone, and its data too."""
        self.kill()
        if self.folder.name:
            shutil.rmtree(self.folder, ignore_errors=True)
        self.folder, self.ports = Path(), []

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.close()

    def _signal(self, number: int) -> None:
        with suppress(ProcessLookupError):  # all of them have ended
            os.killpg(self.pid, number)

    @property
    def new_log(self) -> str:
        """What it wrote since its last start."""
        with (self.folder / "log").open("rb") as log:
            log.seek(self._old_log)
            return log.read().decode(errors="replace")

    @abstractmethod
    def configure(self) -> None:
        """Write the settings into `folder`; called once, when `ports` are known."""

    @abstractmethod
    def command(self) -> list[str]:
        """The program and its arguments: its process is the server, not a wrapper."""

    @abstractmethod
    def ready(self) -> bool:
        """Whether it serves clients; asked every 50 ms."""

    def environ(self) -> dict[str, str]:
        """Variables beside those of this process."""
        return {}


def tied() -> list[str]:
    """Words before a command that end it with this process, however that ends.

    The system counts the thread that started the child, so a child of another thread than the main one is not
    tied: that thread may end long before the process.
    """
    setpriv = shutil.which("setpriv")
    main = threading.current_thread() is threading.main_thread()
    return [setpriv, "--pdeathsig", "KILL", "--"] if setpriv and main else []


def page(url: str, user: str = "", password: str = "") -> bytes | None:
    """What a page answers; None when it does not, or with an error status."""
    login = b64encode(f"{user}:{password}".encode()).decode()
    request = urllib.request.Request(url, headers={"Authorization": f"Basic {login}"} if user else {})  # noqa: S310
    try:
        with urllib.request.urlopen(request, timeout=2) as answer:  # noqa: S310 - our own URL
            body: bytes = answer.read()
    except OSError:  # refused, reset, or an error status
        return None
    return body


def listens(port: int) -> bool:
    """Whether something accepts connections there."""
    with socket.socket() as sock:
        sock.settimeout(1)
        return sock.connect_ex(("127.0.0.1", port)) == 0

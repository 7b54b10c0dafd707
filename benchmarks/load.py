"""A load generator in a process of its own, CPU time and memory of any process, how results are printed.

The generator sends prepared requests over keep-alive connections: closed loop (as fast as answers come) or
open loop (at a fixed rate). It runs on the second processor where there is one; what is measured runs on the
first.
"""

from __future__ import annotations

import asyncio
import hmac
import json
import os
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

SECRET = "bench-secret"
ROOT = Path(__file__).resolve().parent.parent


def push_body(size: int = 10_000) -> bytes:
    """A push as GitHub sends it, padded with commits to `size` bytes."""
    commit = {
        "id": "0f1e2d3c4b5a69788796a5b4c3d2e1f00f1e2d3c", "message": "Fix rounding of totals",
        "distinct": True,
        "timestamp": "2026-01-15T09:30:00+01:00", "url": "https://git.example.test/acme/shop/commit/0f1e2d3c",
        "author": {"name": "Ada Example", "email": "ada@example.test", "username": "ada"},
        "committer": {"name": "Ada Example", "email": "ada@example.test", "username": "ada"},
        "added": [], "removed": [], "modified": ["shop/totals.py", "tests/test_totals.py"],
    }  # fmt: skip
    push: dict[str, Any] = {
        "ref": "refs/heads/main", "before": "0" * 40, "after": commit["id"], "created": False,
        "forced": False,
        "repository": {"id": 1, "name": "shop", "full_name": "acme/shop", "private": True},
        "pusher": {"name": "ada"}, "head_commit": commit, "commits": [], "padding": "",
    }  # fmt: skip
    while len(json.dumps(push, separators=(",", ":"))) < size - 600:
        push["commits"].append(commit)
    push["padding"] = "x" * (size - len(json.dumps(push, separators=(",", ":"))))
    return json.dumps(push, separators=(",", ":")).encode()


def request_bytes(port: int, path: str, body: bytes, delivery: str) -> bytes:
    signature = hmac.digest(SECRET.encode(), body, "sha256").hex()
    head = (
        f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUser-Agent: GitHub-Hookshot/bench\r\n"
        f"Content-Type: application/json\r\nX-GitHub-Event: push\r\nX-GitHub-Delivery: {delivery}\r\n"
        f"X-Hub-Signature-256: sha256={signature}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


class Connection(asyncio.Protocol):
    """One keep-alive connection; `answered` is called with the status of each answer."""

    def __init__(self, answered: Callable[[Connection, int], None]) -> None:
        self._answered, self._buffer = answered, b""
        self.due = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport: Any = transport

    def send(self, data: bytes, due: float) -> None:
        self.due = due
        self.transport.write(data)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while (end := self._buffer.find(b"\r\n\r\n")) >= 0:
            head = self._buffer[:end].lower()
            start = head.find(b"content-length:")
            length = int(head[start + 15 :].split(b"\r\n", 1)[0]) if start >= 0 else 0
            if len(self._buffer) < end + 4 + length:
                return
            self._buffer = self._buffer[end + 4 + length :]
            self._answered(self, int(head[9:12]))


class Tally:
    """What came back, and how long after the due time it did [s]."""

    def __init__(self) -> None:
        self.statuses: dict[int, int] = {}
        self.latencies: list[float] = []
        self.began = time.time()
        self.ended = asyncio.get_running_loop().create_future()

    def count(self, connection: Connection, status: int, of: int) -> None:
        self.statuses[status] = self.statuses.get(status, 0) + 1
        self.latencies.append(time.time() - connection.due)
        if len(self.latencies) == of:
            self.ended.set_result(None)

    async def result(self) -> dict[str, Any]:
        async with asyncio.timeout(300):
            await self.ended
        seconds = time.time() - self.began
        return {
            "statuses": self.statuses, "latencies": self.latencies, "began": self.began, "seconds": seconds
        }  # fmt: skip


async def connect(port: int, answered: Callable[[Connection, int], None]) -> Connection:
    loop = asyncio.get_running_loop()
    return (await loop.create_connection(lambda: Connection(answered), "127.0.0.1", port))[1]


async def closed_loop(port: int, path: str, body: bytes, connections: int, requests: int) -> dict[str, Any]:
    """As fast as answers come, over so many connections."""
    numbers = iter(range(requests))
    tally = Tally()

    def more(connection: Connection) -> None:
        number = next(numbers, None)
        if number is not None:
            connection.send(request_bytes(port, path, body, f"{os.getpid()}-{number}"), time.time())

    def answered(connection: Connection, status: int) -> None:
        tally.count(connection, status, requests)
        more(connection)

    made = [await connect(port, answered) for _ in range(connections)]
    tally.began = time.time()
    for connection in made:
        more(connection)
    return await tally.result()


async def open_loop(port: int, path: str, body: bytes, rate: float, seconds: float) -> dict[str, Any]:
    """At a fixed rate; the delivery id carries the scheduled time in nanoseconds."""
    free: list[Connection] = []
    total = max(1, int(rate * seconds))
    tally = Tally()

    def answered(connection: Connection, status: int) -> None:
        tally.count(connection, status, total)
        free.append(connection)

    free.extend([await connect(port, answered) for _ in range(64)])
    started = time.time_ns()
    for number in range(total):
        due = started + int(number * 1e9 / rate)
        while (rest := (due - time.time_ns()) / 1e9) > 0:
            await asyncio.sleep(rest)
        connection = free.pop() if free else await connect(port, answered)
        connection.send(request_bytes(port, path, body, f"{due}-{number}"), due / 1e9)
    return await tally.result()


def main() -> None:
    """Child process: a JSON line of arguments on stdin, a JSON line of results on stdout."""
    given = json.loads(sys.stdin.readline())
    body = push_body(given["size"])
    if "rate" in given:
        work = open_loop(given["port"], given["path"], body, given["rate"], given["seconds"])
    else:
        work = closed_loop(given["port"], given["path"], body, given["connections"], given["requests"])
    print(json.dumps(asyncio.run(work)))


def generate(**given: Any) -> dict[str, Any]:
    """Run the generator in a process of its own, on the second processor.

    Gives statuses (counts), latencies [s], began [s since 1970] and seconds (to the last answer).
    """
    given.setdefault("size", 10_000)
    done = subprocess.run(
        [*pinned(1), sys.executable, "-m", "benchmarks.load"], input=json.dumps(given) + "\n",
        capture_output=True, text=True, check=True, timeout=400, cwd=ROOT,
    )  # fmt: skip
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def pinned(cpu: int) -> list[str]:
    return ["taskset", "-c", str(cpu)] if (os.cpu_count() or 1) > cpu else []


def cpu_seconds(pid: int) -> float:
    """Time on a processor of all threads that a process has now, to the nanosecond."""
    tasks = Path(f"/proc/{pid}/task").iterdir()
    return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks) / 1e9


def resident_mib(pid: int) -> float:
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


@contextmanager
def process(*command: str, port: int, cpu: int = 0) -> Iterator[int]:
    """A server on one processor, from when its port answers until it is stopped; gives its process id."""
    with tempfile.TemporaryFile() as errors:
        child = subprocess.Popen([*pinned(cpu), *command], stdout=subprocess.DEVNULL, stderr=errors, cwd=ROOT)
        try:
            if not answers(port, child):
                errors.seek(0)
                raise RuntimeError(f"{command} does not listen on {port}: {errors.read().decode()}")
            yield child.pid
        finally:
            stop(child)


def answers(port: int, child: subprocess.Popen[bytes]) -> bool:
    """Wait until something listens on the port; False when the process ends or takes too long."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and child.poll() is None:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return True
        time.sleep(0.02)
    return False


def stop(child: subprocess.Popen[bytes]) -> None:
    child.send_signal(signal.SIGTERM)
    try:
        child.wait(30)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()


def percentile(values: list[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


def ratio(ours: Sequence[float], theirs: Sequence[float]) -> float:
    """Median of the ratios of runs that were made in turn: what slows both down drops out."""
    return statistics.median(a / b for a, b in zip(ours, theirs, strict=True))


def tell(what: str, value: float, aim: float | None, detail: str, unit: str = "x") -> None:
    """One line: the figure, its aim and whether it is kept, and what it was made of."""
    kept = "" if aim is None else "ok" if value <= aim else "MISSED"
    wanted = "no aim" if aim is None else f"<= {aim:g}{unit}"
    print(f"{what:56} {f'{value:.2f}{unit}':>10}  {wanted:>9}  {kept:6}  {detail}", flush=True)


def micro(seconds: Sequence[float]) -> str:
    return f"{statistics.median(seconds) * 1e6:.0f} us"


if __name__ == "__main__":
    main()

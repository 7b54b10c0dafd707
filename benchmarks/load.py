"""A load generator and an HTTP sink in processes of their own, and CPU time of any process.

The generator sends prepared requests over keep-alive connections: closed loop (as fast as answers come) or open
loop (at a fixed rate). It runs on the second processor where there is one; what is measured runs on the first.
"""

from __future__ import annotations

import asyncio
import hmac
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

SECRET = "bench-secret"
TICKS = os.sysconf("SC_CLK_TCK")


def push_body(size: int = 10_000) -> bytes:
    """A push as GitHub sends it, padded with commits to `size` bytes."""
    commit = {
        "id": "0f1e2d3c4b5a69788796a5b4c3d2e1f00f1e2d3c", "message": "Fix rounding of totals", "distinct": True,
        "timestamp": "2026-01-15T09:30:00+01:00", "url": "https://git.example.test/acme/shop/commit/0f1e2d3c",
        "author": {"name": "Ada Example", "email": "ada@example.test", "username": "ada"},
        "committer": {"name": "Ada Example", "email": "ada@example.test", "username": "ada"},
        "added": [], "removed": [], "modified": ["shop/totals.py", "tests/test_totals.py"],
    }  # fmt: skip
    push: dict[str, Any] = {
        "ref": "refs/heads/main", "before": "0" * 40, "after": commit["id"], "created": False, "forced": False,
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
        self.sent_at = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport: Any = transport

    def send(self, data: bytes) -> None:
        self.sent_at = time.perf_counter()
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


async def closed_loop(port: int, path: str, body: bytes, connections: int, requests: int) -> dict[str, Any]:
    """As fast as answers come, over so many connections. Returns counts, seconds and latencies [s]."""
    loop = asyncio.get_running_loop()
    done = loop.create_future()
    state = {"sent": 0, "answered": 0}
    statuses: dict[int, int] = {}
    latencies: list[float] = []

    def more(connection: Connection) -> None:
        if state["sent"] < requests:
            state["sent"] += 1
            connection.send(request_bytes(port, path, body, f"{os.getpid()}-{state['sent']}"))

    def answered(connection: Connection, status: int) -> None:
        latencies.append(time.perf_counter() - connection.sent_at)
        statuses[status] = statuses.get(status, 0) + 1
        state["answered"] += 1
        if state["answered"] == requests and not done.done():
            done.set_result(None)
        more(connection)

    made = [
        (await loop.create_connection(lambda: Connection(answered), "127.0.0.1", port))[1]
        for _ in range(connections)
    ]
    started = time.perf_counter()
    for connection in made:
        more(connection)
    async with asyncio.timeout(300):
        await done
    seconds = time.perf_counter() - started
    for connection in made:
        connection.transport.close()
    return {"statuses": statuses, "seconds": seconds, "latencies": latencies}


async def open_loop(port: int, path: str, body: bytes, rate: float, seconds: float) -> dict[str, Any]:
    """At a fixed rate; the delivery id carries the scheduled time in nanoseconds."""
    loop = asyncio.get_running_loop()
    free: list[Connection] = []
    statuses: dict[int, int] = {}

    def answered(connection: Connection, status: int) -> None:
        statuses[status] = statuses.get(status, 0) + 1
        free.append(connection)

    async def connect() -> Connection:
        return (await loop.create_connection(lambda: Connection(answered), "127.0.0.1", port))[1]

    free.extend([await connect() for _ in range(64)])
    total, started = int(rate * seconds), time.time_ns()
    for number in range(total):
        due = started + int(number * 1e9 / rate)
        while (rest := (due - time.time_ns()) / 1e9) > 0:
            await asyncio.sleep(rest)
        connection = free.pop() if free else await connect()
        connection.send(request_bytes(port, path, body, f"{due}-{number}"))
    await asyncio.sleep(1.0)
    return {"statuses": statuses, "sent": total}


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
    """Run the generator in a process of its own, on the second processor."""
    given.setdefault("size", 10_000)
    done = subprocess.run(
        [*pinned(1), sys.executable, "-m", "benchmarks.load"], input=json.dumps(given) + "\n",
        capture_output=True, text=True, check=True, timeout=400,
    )  # fmt: skip
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def pinned(cpu: int) -> list[str]:
    return ["taskset", "-c", str(cpu)] if (os.cpu_count() or 1) > cpu else []


def cpu_seconds(pid: int) -> float:
    """User and system time of a process and its ended children so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def resident_mib(pid: int) -> float:
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def process(
    *command: str, ports: tuple[int, ...], cwd: Path | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """A server on the first processor, from when its ports answer until it is stopped."""
    child = subprocess.Popen(
        [*pinned(0), *command], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, cwd=cwd
    )
    try:
        for port in ports:
            wait_for(port, child)
        yield child
    finally:
        child.send_signal(signal.SIGTERM)
        try:
            child.wait(30)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
        if child.stderr:
            child.stderr.close()


def wait_for(port: int, child: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        if child.poll() is not None:
            raise RuntimeError((child.stderr.read() if child.stderr else b"").decode())
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.02)
    raise TimeoutError(f"nothing listens on {port}")


def percentile(values: list[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


if __name__ == "__main__":
    main()

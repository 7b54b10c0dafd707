"""The way of the tools to an instance: its socket when it runs, else its stores."""

from __future__ import annotations

import http.client
import json
import socket
import time
from pathlib import Path
from typing import Any

from events.cli._shared import FAILED, UNREACHABLE, USAGE, fail
from events.runtime.folder import DataFolder, InUse

TIMEOUT = 30.0
"""Seconds for one answer."""

PATIENCE = 3.0
"""Seconds to wait for an instance that starts or stops, or for another tool that has the folder."""


class SocketConnection(http.client.HTTPConnection):
    """HTTP over a unix socket that is connected already."""

    def __init__(self, connected: socket.socket) -> None:
        super().__init__("localhost")
        self.sock = connected


def call(data: Path, operation: str, given: dict[str, Any]) -> Any:
    """One operation, on the instance or on its stores. Raises Exit with a text for the user, EventsError."""
    folder = DataFolder(data)
    end = time.monotonic() + PATIENCE
    while True:
        connected = connect(folder)
        if connected is not None:
            return call_running(folder, connected, operation, given)
        try:
            return call_stores(folder, operation, given)
        except InUse as exc:
            if time.monotonic() > end:
                fail(UNREACHABLE, f"nothing answers on {folder.socket}, but {exc}")
        time.sleep(0.05)


def connect(folder: DataFolder) -> socket.socket | None:
    """The instance's socket; None when nobody listens there. Raises Exit."""
    connected = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connected.settimeout(TIMEOUT)
    try:
        connected.connect(folder.socket_address())
    except (FileNotFoundError, NotADirectoryError, ConnectionRefusedError):
        connected.close()
        return None
    except OSError as exc:
        connected.close()
        fail(UNREACHABLE, f"the instance on {folder.path} does not answer: {exc.strerror or exc}")
    finally:
        folder.release_directory()
    return connected


def call_running(folder: DataFolder, connected: socket.socket, operation: str, given: dict[str, Any]) -> Any:
    connection = SocketConnection(connected)
    try:
        connection.request(
            "POST", f"/v1/{operation}", json.dumps(given), {"Content-Type": "application/json"}
        )
        answer = connection.getresponse()
        text = answer.read()
    except (OSError, http.client.HTTPException) as exc:
        fail(UNREACHABLE, f"the instance on {folder.path} does not answer: {exc or type(exc).__name__}")
    finally:
        connection.close()
    return understood(answer.status, text)


def understood(status: int, text: bytes) -> Any:
    """The value of an answer. Raises Exit for the instance's own errors."""
    try:
        value = json.loads(text)
    except ValueError:
        fail(FAILED, f"the instance answered {status}; its log says why")
    if status != 200:
        fail(exit_code(status), str(value.get("error", f"status {status}")))
    return value


def exit_code(status: int) -> int:
    return {404: FAILED, 409: FAILED, 500: FAILED, 503: UNREACHABLE}.get(status, USAGE)


def call_stores(folder: DataFolder, operation: str, given: dict[str, Any]) -> Any:
    from events.runtime.offline import call as call_offline

    try:
        return call_offline(folder, operation, given)
    except ValueError as exc:
        fail(USAGE, str(exc))

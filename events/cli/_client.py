"""The way of the tools to an instance: its socket when it runs, else its stores."""

from __future__ import annotations

import http.client
import json
import socket
from pathlib import Path
from typing import Any

from events.cli._shared import FAILED, UNREACHABLE, USAGE, fail
from events.runtime.folder import DataFolder

TIMEOUT = 60.0
"""Seconds for one answer."""


class SocketConnection(http.client.HTTPConnection):
    """HTTP over a unix socket."""

    def __init__(self, path: str) -> None:
        super().__init__("localhost", timeout=TIMEOUT)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(TIMEOUT)
        self.sock.connect(self._path)


def call(data: Path, operation: str, given: dict[str, Any]) -> Any:
    """One operation. Raises Exit with a text for the user."""
    folder = DataFolder(data)
    if folder.in_use:
        return call_running(folder, operation, given)
    return call_stores(folder, operation, given)


def call_running(folder: DataFolder, operation: str, given: dict[str, Any]) -> Any:
    connection = SocketConnection(folder.socket_address())
    try:
        connection.request(
            "POST", f"/v1/{operation}", json.dumps(given), {"Content-Type": "application/json"}
        )
        answer = connection.getresponse()
        value = json.loads(answer.read())
    except (OSError, http.client.HTTPException, ValueError) as exc:
        fail(UNREACHABLE, f"the instance on {folder.path} does not answer: {exc}")
    finally:
        connection.close()
        folder.release_directory()
    if answer.status != 200:
        fail(exit_code(answer.status), value.get("error", f"status {answer.status}"))
    return value


def exit_code(status: int) -> int:
    return {404: FAILED, 409: FAILED, 503: UNREACHABLE}.get(status, USAGE)


def call_stores(folder: DataFolder, operation: str, given: dict[str, Any]) -> Any:
    from events.errors import EventsError, NotThere, Retryable
    from events.runtime.offline import call as call_offline

    try:
        return call_offline(folder, operation, given)
    except NotThere as exc:
        fail(FAILED, str(exc))
    except Retryable as exc:
        fail(UNREACHABLE, str(exc))
    except EventsError as exc:
        fail(FAILED, str(exc))
    except ValueError as exc:
        fail(USAGE, str(exc))

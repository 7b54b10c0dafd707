"""What the network said, without what libraries put around it."""

from __future__ import annotations

import errno
import os
import socket
import ssl
from types import SimpleNamespace

import aiohttp
import pytest

from events.clients.network import reason

KEY = SimpleNamespace(host="h", port=80, ssl=True, is_ssl=False)


def wrapped(error: OSError) -> aiohttp.ClientConnectorError:
    return aiohttp.ClientConnectorError(KEY, error)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (wrapped(OSError(errno.ECONNREFUSED, "Connect call failed ('127.0.0.1', 80)")), "Connection refused"),
        (OSError(errno.EADDRINUSE, "error while attempting to bind on address"), "Address already in use"),
        (
            wrapped(socket.gaierror(socket.EAI_NONAME, "Name or service not known")),
            "Name or service not known",
        ),
        (ssl.SSLError(1, "[SSL: WRONG_VERSION_NUMBER] wrong version number"), "[SSL: WRONG_VERSION_NUMBER]"),
        (TimeoutError(), "no answer in time"),
        (OSError(errno.ETIMEDOUT, "x"), "Connection timed out"),
        (OSError("Multiple exceptions: a, b"), "Multiple exceptions: a, b"),
        (aiohttp.ServerDisconnectedError(), "Server disconnected"),
        (aiohttp.ClientError(), "ClientError"),
    ],
)
def test_the_reason_is_what_a_user_looks_for(error: Exception, said: str):
    assert reason(error).startswith(said)


def test_only_the_reason_is_left():
    assert reason(wrapped(OSError(errno.EHOSTUNREACH, "x"))) == os.strerror(errno.EHOSTUNREACH)

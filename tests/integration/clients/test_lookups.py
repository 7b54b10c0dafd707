"""Names whose resolver is silent: who asks for them waits, and nobody else."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from events.aio import Group
from events.clients.lookups import Lookups, connected
from events.testing.mail import MailHandler, mail_server
from events.testing.triggers import Target, dead_port, rigged, serving


@contextmanager
def silence(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """The names that were asked for; there is no answer for those below `silent.test`."""
    real, over, asked = socket.getaddrinfo, threading.Event(), []

    def look(host: str, *args: Any, **given: Any) -> Any:
        asked.append(host)
        if host.endswith("silent.test"):
            over.wait(20)
            raise socket.gaierror(socket.EAI_AGAIN, "no answer")
        return real(host, *args, **given)

    monkeypatch.setattr(socket, "getaddrinfo", look)
    try:
        yield asked
    finally:
        over.set()


async def test_a_silent_resolver_of_one_target_delays_no_other(monkeypatch: pytest.MonkeyPatch):
    """All that a trigger has in flight asks for the same name."""
    target, group = Target(), Group(lambda *_: None)
    raw = {"url": "http://silent.test/", "timeout": 10}
    with silence(monkeypatch) as asked:
        async with rigged() as rig, serving(target.handle) as url:
            for number in range(64):
                group.start("waiting", rig.run("http", raw, event=f"e{number}"))
            async with asyncio.timeout(5):
                while "silent.test" not in asked:
                    await asyncio.sleep(0.01)
                await rig.run("http", {"url": url.replace("127.0.0.1", "localhost")})
            await group.aclose()
    assert asked.count("silent.test") == 1
    assert len(target.seen) == 1


async def test_who_gives_up_does_not_end_the_question_of_others(monkeypatch: pytest.MonkeyPatch):
    lookups, group = Lookups(), Group(lambda *_: None)
    with silence(monkeypatch) as asked:
        first, second = (group.start("ask", lookups.find("localhost", 80)) for _ in range(2))
        await asyncio.sleep(0)
        first.cancel()
        assert (await second)[0][4][1] == 80
        assert asked == ["localhost"]
        assert (await lookups.find("localhost", 80))[0][4][1] == 80, "the next one asks anew"
        assert asked == ["localhost", "localhost"]
        assert (await lookups.find("127.0.0.1", 80))[0][4] == ("127.0.0.1", 80)
    await group.aclose()
    await lookups.aclose()


class Loop:
    """Makes an address swallow what is sent to it, and gives names two addresses: that one first."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        loop = asyncio.get_running_loop()
        real = loop.sock_connect

        async def sock_connect(sock: socket.socket, address: Any) -> None:
            if address[0] == "127.0.0.2":
                await asyncio.sleep(60)
            await real(sock, address)

        async def getaddrinfo(host: Any, port: int, **_: Any) -> list[Any]:
            return [(*TCP, ("127.0.0.2", port)), (*TCP, ("127.0.0.1", port))]

        monkeypatch.setattr(loop, "sock_connect", sock_connect)
        monkeypatch.setattr(loop, "getaddrinfo", getaddrinfo)


TCP = (socket.AF_INET, socket.SOCK_STREAM, 6, "")


async def test_an_address_that_is_silent_keeps_nobody_from_the_next(monkeypatch: pytest.MonkeyPatch):
    target, handler = Target(), MailHandler()
    async with rigged() as rig, serving(target.handle) as url, mail_server(handler) as port:
        Loop(monkeypatch)
        async with asyncio.timeout(10):
            await rig.run("http", {"url": url.replace("127.0.0.1", "two.test")})
            mail = {"from": "ci@example.com", "to": ["a@x.io"], "subject": "s", "body": "b"}
            await rig.run("email", {**mail, "host": "two.test", "port": port})
    assert (len(target.seen), len(handler.mails)) == (1, 1)


async def test_what_went_wrong_first_is_told():
    """When no address answers."""

    def make(info: Any) -> socket.socket:
        if info[4][1] == 0:
            raise PermissionError("not this one")
        return socket.socket(*info[:3])

    with dead_port() as port, pytest.raises(ConnectionRefusedError):
        await connected([(*TCP, ("127.0.0.1", 0)), (*TCP, ("127.0.0.1", port))], make)
    with pytest.raises(PermissionError):
        await connected([(*TCP, ("127.0.0.1", 0))], make)
    with pytest.raises(OSError, match="no address"):
        await connected([], make)

"""sftp: changes in a folder of a real SFTP server, logins, host keys, and what goes wrong."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import asyncssh
import pytest

import events.clients.sftp
from events.clients.http import Sessions
from events.errors import Permanent, Retryable
from events.testing.proxy import Proxy
from events.testing.sftp import LOCKED, PASSWORD, USER, SFTPServer, sftp_server
from events.testing.sources import rigged
from events.testing.triggers import dead_port, silent_port

SERVER = "SFTP server of secret 'sftp', key 'address'"


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[SFTPServer]:
    (tmp_path / "in").mkdir()
    (tmp_path / LOCKED).mkdir()
    async with sftp_server(tmp_path) as one:
        yield one


def secrets(server: SFTPServer, **more: str) -> dict[str, str]:
    known = {"user": USER, "password": PASSWORD, "address": server.address, **more}
    return {f"sftp/{key}": text for key, text in known.items()}


def selector(key: str) -> dict[str, str]:
    return {"name": "sftp", "key": key}


def config(event: str = "CREATE", folder: str = "/in", **more: Any) -> dict[str, Any]:
    return {
        "eventType": event, "pollIntervalDuration": "100ms", "settleDuration": "50ms",
        "watchPathConfig": {"directory": folder, "pathRegexp": r"\.csv$"},
        "username": selector("user"), "password": selector("password"),
        "address": selector("address"), **more,
    }  # fmt: skip


async def refused(kind: type[Exception], secrets: dict[str, str], raw: dict[str, Any]) -> str:
    async with rigged(secrets) as rig:
        with pytest.raises(kind) as caught:
            await rig.start("sftp", raw)
    text = str(caught.value)
    assert not [value for value in secrets.values() if value in text]
    return text


# changes


async def test_new_and_changed_files_in_upstream_s_shape(server: SFTPServer):
    folder = server.root / "in"
    (folder / "old.csv").write_text("x")
    async with rigged(secrets(server)) as rig:
        await rig.start("sftp", config(metadata={"team": "etl"}))
        (folder / "new.csv").write_text("x")
        (folder / "new.txt").write_text("x")
        (folder / "sub.csv").mkdir()
        await rig.until(1)
        (folder / "old.csv").write_text("longer")
        await rig.until(2)
        assert rig.data == [
            {"name": name, "op": 1, "metadata": {"team": "etl"}} for name in ("new.csv", "old.csv")
        ]
        assert len({payload.id for payload in rig.emitted}) == 2


async def test_files_that_left_also_while_the_source_was_down(server: SFTPServer):
    folder = server.root / "in"
    for name in ("a.csv", "b.csv"):
        (folder / name).write_text("x")
    async with rigged(secrets(server)) as rig:
        await rig.start("sftp", config("REMOVE"))
        (folder / "a.csv").unlink()
        await rig.until(1)
        await rig.stop()
        (folder / "b.csv").unlink()
        await rig.start("sftp", config("REMOVE"))
        await rig.until(2)
        assert [data["name"] for data in rig.data] == ["a.csv", "b.csv"]
        assert {data["op"] for data in rig.data} == {4}


async def test_a_file_that_is_uploaded_slowly_is_told_when_it_is_whole(server: SFTPServer):
    async with rigged(secrets(server)) as rig:
        await rig.start("sftp", config(settleDuration="2s"))
        with (server.root / "in" / "big.csv").open("w") as stream:
            for _ in range(5):
                stream.write("x" * 1000)
                stream.flush()
                await asyncio.sleep(0.1)
                assert rig.emitted == []
        await rig.until(1)


async def test_one_connection_serves_many_looks(server: SFTPServer):
    async with rigged(secrets(server)) as rig:
        await rig.start("sftp", config())
        for number in range(3):
            (server.root / "in" / f"{number}.csv").write_text("x")
            await rig.until(number + 1)
        assert server.logins == 1


# logins and host keys


async def test_login_with_a_key_and_the_host_key_beside_it(server: SFTPServer):
    key = server.user_key.export_private_key().decode()
    raw = config(sshKeySecret=selector("key"))
    async with rigged(secrets(server, key=f"{key}{server.host_line}\n")) as rig:
        await rig.start("sftp", raw)
        (server.root / "in" / "a.csv").write_text("x")
        await rig.until(1)
    other = asyncssh.generate_private_key("ssh-ed25519").export_public_key().decode()
    text = await refused(Permanent, secrets(server, key=f"{key}{other}"), raw)
    assert text.startswith(f"{SERVER}: it shows a host key that is not the expected one")


async def test_known_hosts_decide(server: SFTPServer):
    raw = config(knownHosts=selector("hosts"))
    right = f"[127.0.0.1]:{server.port} {server.host_line}\n"
    async with rigged(secrets(server, hosts=right)) as rig:
        await rig.start("sftp", raw)
    text = await refused(Permanent, secrets(server, hosts=f"elsewhere {server.host_line}\n"), raw)
    assert "host key that is not the expected one: if it is right, write it to knownHosts" in text
    assert "cannot be read" in await refused(Permanent, secrets(server, hosts="garbage"), raw)


async def test_the_first_host_key_is_remembered(server: SFTPServer, caplog: pytest.LogCaptureFixture):
    async with rigged(secrets(server)) as rig:
        await rig.start("sftp", config())
        assert "is taken on trust and remembered: write knownHosts" in caplog.text
        caplog.clear()
        await rig.stop()
        await rig.start("sftp", config())
        assert caplog.text == ""
        await rig.stop()
        await server.stop()
        server.renew()
        await server.start()
        tried = server.logins
        with pytest.raises(Permanent, match="host key that is not the expected one"):
            await rig.start("sftp", config())
        assert server.logins == tried, "the password went to a server that nobody knows"


# what goes wrong


async def test_wrong_credentials(server: SFTPServer):
    text = await refused(Permanent, secrets(server, password="wrong horse"), config())
    assert text == f"{SERVER}: it refuses the login: check username and password or sshKeySecret"


async def test_a_server_that_is_down(server: SFTPServer):
    with dead_port() as port:
        text = await refused(Retryable, secrets(server, address=f"127.0.0.1:{port}"), config())
    assert text == f"{SERVER}: no connection: Connection refused"


async def test_a_server_that_says_nothing(server: SFTPServer, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(events.clients.sftp, "LOGIN_TIMEOUT", 0.5)
    with silent_port() as port:
        text = await refused(Retryable, secrets(server, address=f"127.0.0.1:{port}"), config())
    assert text == f"{SERVER}: ConnectionLost: the session broke"


async def test_what_comes_with_a_folder_that_was_missing_is_told(server: SFTPServer):
    folder = server.root / "later"
    async with rigged(secrets(server)) as rig:
        await rig.start("sftp", config(folder="/later"), wait=False, supervised=True)
        async with asyncio.timeout(10):
            while not rig.failures:
                await asyncio.sleep(0.01)
        folder.mkdir()
        (folder / "a.csv").write_text("x")
        await rig.until(1)
        assert [data["name"] for data in rig.data] == ["a.csv"]


async def test_a_folder_that_is_missing(server: SFTPServer):
    text = await refused(Retryable, secrets(server), config(folder="/gone"))
    assert text == f"{SERVER}: folder /gone does not exist: make it, or change watchPathConfig.directory"


async def test_a_folder_that_may_not_be_read(server: SFTPServer):
    text = await refused(Retryable, secrets(server), config(folder=f"/{LOCKED}"))
    assert text == f"{SERVER}: folder /{LOCKED} may not be read: give the user the rights r and x on it"


@pytest.mark.parametrize(
    ("given", "raw", "said"),
    [
        ({"address": "nowhere:port"}, {}, "its address is not host:port"),
        ({"key": "no key"}, {"sshKeySecret": selector("key")}, "sshKeySecret holds no private key"),
        ({}, {"sshKeySecret": selector("missing")}, "no secret 'sftp', key 'missing'"),
    ],
)
async def test_settings_that_cannot_work(server: SFTPServer, given: Any, raw: Any, said: str):
    assert said in await refused(Permanent, secrets(server, **given), config(**raw))


async def test_an_encrypted_key_is_told(server: SFTPServer):
    key = server.user_key.export_private_key(passphrase="secret").decode()
    text = await refused(Permanent, secrets(server, key=key), config(sshKeySecret=selector("key")))
    assert "the private key in sshKeySecret cannot be used" in text


async def test_the_address_guard_holds(server: SFTPServer):
    async with rigged(secrets(server)) as rig:
        await rig.sessions.aclose()
        rig.sessions = Sessions("strict")
        with pytest.raises(Permanent, match="the address guard refuses its address"):
            await rig.start("sftp", config())


async def test_connections_that_break_or_fall_silent_are_made_anew(
    server: SFTPServer, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(events.clients.sftp, "LIST_TIMEOUT", 0.5)
    monkeypatch.setattr(events.clients.sftp, "CLOSE_TIMEOUT", 0.2)
    folder = server.root / "in"
    async with Proxy(server.port) as proxy, rigged(secrets(server, address=f"127.0.0.1:{proxy.port}")) as rig:
        await rig.start("sftp", config(), supervised=True)
        proxy.cut()
        (folder / "1.csv").write_text("x")
        await rig.until(1)
        assert str(rig.failures[-1]) == f"{SERVER}: the connection is lost"
        proxy.black_hole()
        (folder / "2.csv").write_text("x")
        async with asyncio.timeout(10):
            while "no listing in 0.5 s" not in str(rig.failures[-1]):
                await asyncio.sleep(0.05)
        await proxy.heal()
        await rig.until(2, 20)
        assert [data["name"] for data in rig.data] == ["1.csv", "2.csv"]

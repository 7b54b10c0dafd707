"""The NATS client against real servers: logins, TLS, refusals, outages."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from events.clients.http import Sessions
from events.clients.nats import Link, Login, Servers, connect
from events.clients.secrets import LocalSecrets, Ref
from events.clients.tls import TlsRefs
from events.errors import EventsError, Permanent, Retryable
from events.testing.certificates import Authority
from events.testing.natskeys import NKey, credentials
from events.testing.servers import free_port
from events.testing.servers.nats import Nats

pytestmark = pytest.mark.servers("nats")

Serve = Callable[..., Nats]
SESSIONS = Sessions("allow-private")
USER, PASSWORD, YAML = Ref("login", "user"), Ref("login", "password"), Ref("login", "yaml")


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Starts servers with this configuration; all stop at the end."""
    started: list[Nats] = []

    def start(more: str = "") -> Nats:
        server = Nats(more)
        started.append(server)
        return server.start()

    yield start
    for server in started:
        server.close()


def secrets(**values: str) -> LocalSecrets:
    """Keys of the secret `login`."""
    return LocalSecrets(
        lambda: {Ref("login", key): value.encode() for key, value in values.items()}, environ={}
    )


async def talks(servers: Servers, known: LocalSecrets) -> None:
    """Connects, and a message comes back."""
    link = await connect(servers, known, "test", SESSIONS)
    try:
        inbox = await link.client.subscribe("a.b")
        await link.client.publish("a.b", b"hello")
        assert (await inbox.next_msg(timeout=5)).data == b"hello"
        await link.flushed()
    finally:
        await link.aclose()


async def refused(servers: Servers, known: LocalSecrets) -> EventsError:
    with pytest.raises(EventsError) as caught:
        await connect(servers, known, "test", SESSIONS)
    return caught.value


# logins


async def test_without_a_login(serve: Serve):
    await talks(Servers.of(serve().url), secrets())


async def test_user_and_password(serve: Serve):
    url = serve('authorization { user: ann, password: "p w" }').url
    login = Login(user=USER, password=PASSWORD)
    await talks(Servers.of(url, login), secrets(user="ann", password="p w\n"))
    await talks(Servers.of(url, Login(yaml=YAML)), secrets(yaml="username: ann\npassword: p w\n"))
    await talks(Servers.of(url.replace("//", "//ann:p%20w@")), secrets())
    error = await refused(Servers.of(url, login), secrets(user="ann", password="wrong-one"))
    assert isinstance(error, Permanent)
    assert "refuses the login: check user, password" in str(error)
    assert url in str(error)
    assert "wrong-one" not in str(error)
    assert isinstance(await refused(Servers.of(url), secrets()), Permanent)


async def test_a_token(serve: Serve):
    url = serve('authorization { token: "s3cr3t" }').url
    await talks(Servers.of(url, Login(token=Ref("login", "token"))), secrets(token="s3cr3t"))
    await talks(Servers.of(url, Login(yaml=YAML)), secrets(yaml="token: s3cr3t"))
    await talks(Servers.of(url.replace("//", "//s3cr3t@")), secrets())
    assert "s3cr3t" not in Servers.of(url.replace("//", "//s3cr3t@")).shown
    assert isinstance(await refused(Servers.of(url), secrets()), Permanent)


async def test_an_nkey(serve: Serve):
    ann, bob = NKey("U", b"ann"), NKey("U", b"bob")
    url = serve(f"authorization {{ users: [ {{ nkey: {ann.public} }} ] }}").url
    login = Login(nkey=Ref("login", "nkey"))
    await talks(Servers.of(url, login), secrets(nkey=ann.seed))
    error = await refused(Servers.of(url, login), secrets(nkey=bob.seed))
    assert isinstance(error, Permanent)
    assert "login" in str(error)
    error = await refused(Servers.of(url, login), secrets(nkey="SUnonsense"))
    assert "not an NKey seed" in str(error)
    assert "nonsense" not in str(error)


async def test_a_credentials_file(serve: Serve):
    config, file = credentials()
    url = serve(config).url
    login = Login(credentials=Ref("login", "file"))
    await talks(Servers.of(url, login), secrets(file=file))
    await talks(Servers.of(url, login), secrets(file=file.replace("\n", "\r\n")))
    error = await refused(Servers.of(url, login), secrets(file="something else"))
    assert "not a NATS credentials file" in str(error)


@pytest.mark.parametrize("text", ["- a", "{", "user: ann", "just text"])
async def test_an_access_secret_that_holds_no_login(text: str):
    error = await refused(Servers.of("nats://127.0.0.1:1", Login(yaml=YAML)), secrets(yaml=text))
    assert isinstance(error, Permanent)
    assert str(YAML) in str(error)


async def test_a_missing_secret_is_named():
    error = await refused(Servers.of("nats://127.0.0.1:1", Login(token=Ref("login", "token"))), secrets())
    assert isinstance(error, Permanent)
    assert "key 'token'" in str(error)


# TLS


def tls_config(folder: Path, authority: Authority, more: str = "") -> str:
    pair = authority.pair()
    (folder / "cert.pem").write_text(pair.cert)
    (folder / "key.pem").write_text(pair.key)
    return f'tls {{ cert_file: "{folder}/cert.pem", key_file: "{folder}/key.pem" {more} }}'


CA = TlsRefs(ca=Ref("login", "ca"))


def encrypted(link: Link) -> bool:
    return link.client._transport._io_writer.get_extra_info("ssl_object") is not None


@pytest.mark.parametrize("more", ["", "allow_non_tls: true"])
async def test_tls_is_used_when_it_is_asked_for(serve: Serve, tmp_path: Path, more: str):
    authority = Authority()
    server = serve(tls_config(tmp_path, authority) + "\n" + more)
    link = await connect(Servers.of(server.url, tls=CA), secrets(ca=authority.cert), "test", SESSIONS)
    assert encrypted(link)
    server.stop()
    server.start()
    await until(lambda: link.up)
    assert encrypted(link)
    await link.aclose()


async def test_a_server_without_tls_is_refused_before_the_login_is_sent(serve: Serve):
    server = serve('authorization { user: ann, password: "pw" }\ntrace: true')
    error = await refused(
        Servers.of(server.url.replace("nats:", "tls:").replace("//", "//ann:pw@")), secrets()
    )
    assert isinstance(error, Permanent)
    assert "does not offer it" in str(error)
    assert "CONNECT" not in server.log


async def test_a_certificate_of_somebody_else_is_refused(serve: Serve, tmp_path: Path):
    server = serve(tls_config(tmp_path, Authority()))
    error = await refused(Servers.of(server.url, tls=CA), secrets(ca=Authority().cert))
    assert isinstance(error, Permanent)
    assert "check the certificates" in str(error)
    await talks(Servers.of(server.url, tls=TlsRefs(verify=False)), secrets())


async def test_a_client_certificate_is_shown(serve: Serve, tmp_path: Path):
    authority = Authority()
    (tmp_path / "ca.pem").write_text(authority.cert)
    server = serve(tls_config(tmp_path, authority, f', ca_file: "{tmp_path}/ca.pem", verify: true'))
    pair = authority.pair("client")
    refs = TlsRefs(ca=Ref("login", "ca"), cert=Ref("login", "cert"), key=Ref("login", "key"))
    known = secrets(ca=authority.cert, cert=pair.cert, key=pair.key)
    await talks(Servers.of(server.url, tls=refs), known)
    assert isinstance(await refused(Servers.of(server.url, tls=CA), known), EventsError)


# what goes wrong


async def test_nobody_there():
    url = f"nats://127.0.0.1:{free_port()}"
    error = await refused(Servers.of(url), secrets())
    assert isinstance(error, Retryable)
    assert f"{url}: cannot connect" in str(error)
    assert "is the server running?" in str(error)


async def test_the_second_server_of_a_list_is_tried(serve: Serve):
    await talks(Servers.of(f"127.0.0.1:{free_port()}, {serve().url}"), secrets())


async def test_somebody_who_is_silent_is_no_answer_in_time(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("events.clients.nats.CONNECT_TIMEOUT", 0.3)
    writers: list[asyncio.StreamWriter] = []
    server = await asyncio.start_server(lambda _, writer: writers.append(writer), "127.0.0.1", 0)
    url = f"nats://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    error = await refused(Servers.of(url), secrets())
    assert isinstance(error, Retryable)
    assert "no answer in time" in str(error)
    for writer in writers:
        writer.close()
    server.close()


@pytest.mark.parametrize("url", ["http://x:1", "nats://", "", "nats://x:port"])
def test_what_is_no_url_is_refused(url: str):
    with pytest.raises(Permanent, match="nats://host:4222"):
        Servers.of(url)


def test_urls_without_scheme_or_port():
    assert Servers.of("a, nats://b:1,tls://c/").urls == ("nats://a:4222", "nats://b:1", "tls://c:4222")
    assert Servers.of("tls://c").tls == TlsRefs()


async def test_a_permission_that_is_missing(serve: Serve):
    users = 'users: [ { user: ann, password: pw, permissions: { publish: "a.>", subscribe: "a.>" } } ]'
    url = serve(f"authorization {{ {users} }}").url.replace("//", "//ann:pw@")
    link = await connect(Servers.of(url), secrets(), "test", SESSIONS)
    await link.client.subscribe("b.c")
    with pytest.raises(Permanent, match=r"(?i)permissions violation for subscription to .*b\.c"):
        await link.flushed()
    await link.flushed()
    await link.aclose()


async def until(holds: Callable[[], bool], seconds: float = 10.0) -> None:
    async with asyncio.timeout(seconds):
        while not holds():
            await asyncio.sleep(0.01)


async def test_an_outage_is_two_lines_and_subscriptions_come_back(
    serve: Serve, caplog: pytest.LogCaptureFixture
):
    server = serve()
    caplog.set_level(logging.INFO)
    link = await connect(Servers.of(server.url), secrets(), "test", SESSIONS)
    turns: list[bool] = []
    link.watchers.append(turns.append)
    inbox = await link.client.subscribe("a.b")
    server.kill()
    await until(lambda: not link.up)
    await asyncio.sleep(1.5)  # several attempts
    server.start()
    await until(lambda: link.up)
    await link.client.publish("a.b", b"again")
    assert (await inbox.next_msg(timeout=5)).data == b"again"
    assert turns == [False, True]
    lines = [record.getMessage() for record in caplog.records if record.name.startswith(("events", "nats"))]
    assert len(lines) == 2
    assert "lost" in lines[0]
    assert "is back after" in lines[1]
    await link.aclose()


async def test_a_server_that_froze_is_noticed(serve: Serve, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("events.clients.nats.PING_INTERVAL", 0.2)
    monkeypatch.setattr("events.clients.nats.CONNECT_TIMEOUT", 0.2)
    server = serve()
    link = await connect(Servers.of(server.url), secrets(), "test", SESSIONS)
    server.pause()
    for _ in range(70):
        await link.client.publish("a.b", bytes(100_000))  # more than the sockets take
    await until(lambda: not link.up)
    server.resume()
    await until(lambda: link.up)
    await link.aclose()


async def test_closing_while_the_server_is_away(serve: Serve):
    server = serve()
    link = await connect(Servers.of(server.url), secrets(), "test", SESSIONS)
    server.kill()
    await until(lambda: not link.up)
    await asyncio.wait_for(link.aclose(), 5)
    assert link.ended.is_set()

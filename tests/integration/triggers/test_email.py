"""email: against a real SMTP server."""

from __future__ import annotations

from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

import pytest

import events.triggers.email
from events.clients.http import Sessions
from events.clients.smtp import Server
from events.errors import EvaluationError, Permanent, Retryable
from events.testing.certificates import Authority
from events.testing.mail import MailHandler, mail_server
from events.testing.triggers import NOW, dead_port, firing_of, parameter, rendered, rigged

BASE: dict[str, Any] = {
    "host": "127.0.0.1", "from": "CI <ci@example.com>", "to": ["a@x.io"],
    "subject": "built", "body": "done\n",
}  # fmt: skip
LOGIN = {"username": "ci", "smtpPassword": {"name": "smtp", "key": "password"}}
SECRETS = {"smtp/password": "pa55"}


async def test_the_message_as_it_arrives():
    handler = MailHandler()
    async with rigged() as rig, mail_server(handler) as port:
        rig.now_ns = lambda: NOW
        outcome = await rig.run(
            "email", {**BASE, "port": port, "subject": "gebaut: \u2713", "body": "gr\u00fcn\n"}
        )
    (mail,) = handler.mails
    message = mail.message
    assert (mail.sender, mail.recipients) == ("ci@example.com", ["a@x.io"])
    assert message["From"] == "CI <ci@example.com>"
    assert message["To"] == "a@x.io"
    assert message["Subject"] == "gebaut: \u2713"
    assert message.get_content_type() == "text/plain"
    assert message.get_content().replace("\r\n", "\n") == "gr\u00fcn\n"
    assert parsedate_to_datetime(message["Date"]).timestamp() == NOW // 1_000_000_000
    assert firing_of().id in message["Message-ID"]
    assert outcome.detail == "127.0.0.1 took the message for 1 recipient"


@pytest.mark.parametrize(
    ("given", "types"),
    [
        ({"html": "<p>gr\u00fcn</p>"}, ["text/plain", "text/html"]),
        ({"html": "<p>gr\u00fcn</p>", "body": ""}, ["text/html"]),
    ],
)
async def test_html_beside_the_text_or_instead_of_it(given: dict[str, str], types: list[str]):
    handler = MailHandler()
    async with rigged() as rig, mail_server(handler) as port:
        await rig.run("email", {**BASE, "port": port, **given})
    parts = [part for part in handler.mails[0].message.walk() if not part.is_multipart()]
    assert [part.get_content_type() for part in parts] == types
    assert parts[-1].get_content().strip() == "<p>gr\u00fcn</p>"


async def test_each_recipient_gets_a_message_of_his_own_over_one_connection():
    handler = MailHandler()
    to = ["a@x.io", "b+tag@sub.example.com", "root@localhost", "a@x.io"]
    async with rigged() as rig, mail_server(handler) as port:
        await rig.run("email", {**BASE, "port": port, "to": to})
    assert [mail.recipients for mail in handler.mails] == [
        ["a@x.io"],
        ["b+tag@sub.example.com"],
        ["root@localhost"],
    ]
    assert [mail.message["To"] for mail in handler.mails] == [
        "a@x.io",
        "b+tag@sub.example.com",
        "root@localhost",
    ]
    assert len({mail.message["Message-ID"] for mail in handler.mails}) == 3
    assert handler.connections == 1


async def test_a_retry_goes_only_to_those_who_have_not_got_it():
    handler = MailHandler()
    handler.refuse = {"b@x.io": ["450 later", "451 later"]}
    raw = {**BASE, "to": ["a@x.io", "b@x.io", "c@x.io"]}
    async with rigged() as rig, mail_server(handler) as port:
        for _ in range(2):
            with pytest.raises(Retryable, match=r"b@x\.io: 45"):
                await rig.run("email", {**raw, "port": port})
        await rig.run("email", {**raw, "port": port})
        assert [mail.recipients[0] for mail in handler.mails] == ["a@x.io", "c@x.io", "b@x.io"]
        await rig.run("email", {**raw, "port": port}, event="another")
    assert len(handler.mails) == 6


async def test_a_connection_that_breaks_in_between_resends_to_nobody():
    handler = MailHandler()
    handler.hang_up = 1
    raw = {**BASE, "to": ["a@x.io", "b@x.io", "c@x.io"]}
    async with rigged() as rig, mail_server(handler) as port:
        with pytest.raises(Retryable):
            await rig.run("email", {**raw, "port": port})
        await rig.run("email", {**raw, "port": port})
    assert [mail.recipients[0] for mail in handler.mails] == ["a@x.io", "b@x.io", "c@x.io"]


async def test_who_is_refused_for_good_is_named_and_keeps_nobody_from_his_message():
    handler = MailHandler()
    handler.refuse = {"b@x.io": ["550 no such user"]}
    raw = {**BASE, "to": ["a@x.io", "b@x.io", "not an address", "x@y\r\nRCPT TO:<z@x.io>", "c@x.io"]}
    async with rigged() as rig, mail_server(handler) as port:
        with pytest.raises(Permanent, match="550 no such user") as caught:
            await rig.run("email", {**raw, "port": port})
        assert "'not an address' is no address" in str(caught.value)
        assert [mail.recipients[0] for mail in handler.mails] == ["a@x.io", "c@x.io"]
        with pytest.raises(Permanent):
            await rig.run("email", {**raw, "port": port})
    assert [mail.recipients[0] for mail in handler.mails] == ["a@x.io", "c@x.io", "b@x.io"]


async def test_only_so_many_unfinished_firings_are_remembered(monkeypatch: pytest.MonkeyPatch):
    """And those alone of which somebody has got the message."""
    monkeypatch.setattr(events.triggers.email, "KEPT", 2)
    async with rigged() as rig, mail_server(MailHandler()) as port:
        for number in range(5):
            with pytest.raises(Permanent):
                await rig.run("email", {**BASE, "port": port, "to": ["a@x.io", "-"]}, event=f"e{number}")
        assert len(rig.trigger("email")._served) == 2
    async with rigged() as rig:
        with dead_port() as port, pytest.raises(Retryable):
            await rig.run("email", {**BASE, "port": port})
        assert not rig.trigger("email")._served


@pytest.mark.parametrize(
    ("answer", "error"), [("554 spam", Permanent), ("452 full", Retryable), ("421 going away", Retryable)]
)
async def test_what_the_server_says_to_the_message(answer: str, error: type[Exception]):
    handler = MailHandler()
    handler.data_answers = [answer]
    async with rigged() as rig, mail_server(handler) as port:
        with pytest.raises(error, match=answer[:3]):
            await rig.run("email", {**BASE, "port": port})


@pytest.mark.parametrize("field", ["to", "subject", "body"])
def test_what_is_missing_is_an_evaluation_error(field: str):
    with pytest.raises(EvaluationError, match=field):
        rendered("email", {key: value for key, value in BASE.items() if key != field})


def test_own_parameters_edit_the_config_and_the_last_recipient_can_be_added():
    raw = {**BASE, "to": [], "parameters": [parameter("to", "to.-1"), parameter("t", "subject")]}
    request = rendered("email", raw, {"to": "l@x.io", "t": "two\nlines\r\nX-Evil: 1"})
    assert request.recipients == ["l@x.io"]
    assert request.subject == "two lines X-Evil: 1"
    assert (request.host, request.port) == ("127.0.0.1", 25)


@pytest.mark.parametrize("sender", ["", "nobody", "a@b\nBcc: c@d", "<>"])
async def test_a_sender_that_is_no_address_is_permanent(sender: str):
    handler = MailHandler()
    async with rigged() as rig, mail_server(handler) as port:
        with pytest.raises(Permanent, match="from"):
            await rig.run("email", {**BASE, "port": port, "from": sender})
    assert not handler.mails
    assert not handler.connections


# TLS and login


@pytest.fixture
def authority(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Authority:
    """An authority that this process trusts."""
    made = Authority()
    (tmp_path / "roots.pem").write_text(made.cert)
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "roots.pem"))
    return made


async def test_starttls_then_login(tmp_path: Path, authority: Authority):
    handler, context = MailHandler(), authority.server_context(tmp_path)
    async with rigged(SECRETS) as rig, mail_server(handler, tls=context, login=("ci", "pa55")) as port:
        await rig.run("email", {**BASE, **LOGIN, "port": port})
    assert [(mail.encrypted, mail.user) for mail in handler.mails] == [(True, "ci")]


async def test_tls_from_the_start_on_its_port(
    tmp_path: Path, authority: Authority, monkeypatch: pytest.MonkeyPatch
):
    handler, context = MailHandler(), authority.server_context(tmp_path)
    serving = mail_server(handler, tls=context, login=("ci", "pa55"), implicit=True)
    async with rigged(SECRETS) as rig, serving as port:
        monkeypatch.setattr("events.clients.smtp.IMPLICIT_TLS", port)
        await rig.run("email", {**BASE, **LOGIN, "port": port})
    assert [mail.user for mail in handler.mails] == ["ci"]


async def test_a_server_of_an_unknown_authority_gets_nothing(tmp_path: Path):
    handler, context = MailHandler(), Authority("unknown").server_context(tmp_path)
    async with rigged(SECRETS) as rig, mail_server(handler, tls=context, login=("ci", "pa55")) as port:
        with pytest.raises(Permanent, match="TLS"):
            await rig.run("email", {**BASE, **LOGIN, "port": port})
    assert not handler.mails


async def test_a_wrong_password_is_permanent_and_not_shown():
    handler = MailHandler()
    async with rigged({"smtp/password": "wr0ng"}) as rig, mail_server(handler, login=("ci", "pa55")) as port:
        with pytest.raises(Permanent, match="535") as caught:
            await rig.run("email", {**BASE, **LOGIN, "port": port})
    assert "wr0ng" not in str(caught.value)


async def test_no_login_with_half_of_it():
    handler = MailHandler()
    async with rigged() as rig, mail_server(handler) as port:
        await rig.run("email", {**BASE, "port": port, "username": "ci"})
    assert handler.mails[0].user is None


async def test_a_password_is_not_sent_in_the_clear_to_another_machine(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("events.clients.smtp.LOCAL", frozenset())
    handler = MailHandler()
    async with rigged(SECRETS) as rig, mail_server(handler, login=("ci", "pa55")) as port:
        with pytest.raises(Permanent, match="in the clear"):
            await rig.run("email", {**BASE, **LOGIN, "port": port})
    assert not handler.mails


async def test_the_guard_refuses_for_good():
    async with rigged() as rig, mail_server(MailHandler()) as port:
        await rig.sessions.aclose()
        rig.sessions = Sessions("strict")
        with pytest.raises(Permanent, match="address guard"):
            await rig.run("email", {**BASE, "port": port})


def test_a_server_shows_no_password():
    assert "pa55" not in repr(Server("h", 25, ("ci", "pa55")))

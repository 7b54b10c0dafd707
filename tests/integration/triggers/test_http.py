"""http: what goes over the wire, and what comes of the answers."""

from __future__ import annotations

import asyncio
from base64 import b64encode
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from events.clients.http import Sessions
from events.errors import EvaluationError, ExpressionError, Permanent, Retryable
from events.event import Outcome
from events.testing.certificates import Authority
from events.testing.triggers import Rig, Target, compiled, firing_of, parameter, rendered, rigged, serving

METHODS = ("GET", "DELETE", "PATCH", "POST", "PUT")
BODY = [parameter("n", "n", useRawData=True)]


async def sent(raw: dict[str, Any], data: Any = None, secrets: Any = None, **given: Any) -> Any:
    """The request that a config makes; `url` is filled in."""
    target = Target()
    async with rigged(secrets) as rig, serving(target.handle) as url:
        await rig.run("http", {"url": url, **raw}, {"n": 7} if data is None else data, **given)
    return target.seen[0]


@pytest.mark.parametrize("method", METHODS)
async def test_the_body_goes_with_every_method(method: str):
    seen = await sent({"method": method, "payload": BODY})
    assert (seen.method, seen.body) == (method, b'{"n":7}')


@pytest.mark.parametrize("method", METHODS)
async def test_without_payload_there_is_no_body(method: str):
    assert (await sent({"method": method})).body == b""


async def test_post_is_the_method_when_none_is_named():
    assert (await sent({})).method == "POST"


@pytest.mark.parametrize("raw", [{}, {"payload": BODY}])
async def test_no_content_type_is_added(raw: dict[str, Any]):
    assert (await sent(raw)).header("content-type") == []


async def test_bytes_that_are_no_utf8_arrive_as_they_are():
    payload = [parameter("inner", "", useRawData=True)]
    data = b'{"inner":{"text":"\xff\xc3\xa9"}}'
    assert (await sent({"payload": payload}, data)).body == b'{"text":"\xff\xc3\xa9"}'
    request = rendered("http", {"url": "http://h", "payload": payload}, data)
    assert request.body == '{"text":"\ufffd\u00e9"}'


async def test_names_of_headers_are_sent_as_they_are_written():
    seen = await sent({"headers": {"x-lOwEr": "1", "X-UPPER": "2"}})
    assert {("x-lOwEr", "1"), ("X-UPPER", "2")} <= set(seen.headers)


async def test_later_kinds_of_headers_replace_earlier_ones():
    secure = [
        {"name": "C", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}},
        {"name": "D", "valueFrom": {"configMapKeyRef": {"name": "m", "key": "k"}}},
        {"name": "Authorization", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}},
    ]
    raw = {
        "headers": {"A": "headers", "B": "headers", "C": "headers", "authorization": "headers"},
        "dynamicHeaders": [parameter("b", "B"), parameter("b", "C"), parameter("b", "D")],
        "secureHeaders": secure,
        "basicAuth": {"username": {"name": "s", "key": "user"}},
    }
    secrets = {"s/k": "secret\n", "s/user": "ann", "configmap:m/k": "map"}
    seen = await sent(raw, {"b": "dynamic"}, secrets)
    assert {name: text for name, text in seen.headers if name in "ABCD"} == {
        "A": "headers", "B": "dynamic", "C": "secret", "D": "map",
    }  # fmt: skip
    assert seen.header("Authorization") == ["Basic " + b64encode(b"ann:").decode()]


async def test_half_of_a_basic_login_is_empty_text():
    raw = {"basicAuth": {"password": {"name": "s", "key": "k"}}}
    assert (await sent(raw, secrets={"s/k": "pass"})).header("Authorization") == [
        "Basic " + b64encode(b":pass").decode()
    ]


async def test_a_target_that_tells_what_it_was_sent_tells_no_secret():
    async def echo(request: web.BaseRequest) -> web.Response:
        token = request.headers["Authorization"].partition(" ")[2]
        return web.json_response({"headers": dict(request.headers), "token": token})

    header = {"name": "X-Key", "valueFrom": {"secretKeyRef": {"name": "s", "key": "key"}}}
    login = {"username": {"name": "s", "key": "user"}, "password": {"name": "s", "key": "key"}}
    async with rigged({"s/key": "k3y-of-s", "s/user": "me"}) as rig, serving(echo) as url:
        raw = {"url": url, "secureHeaders": [header], "basicAuth": login, "headers": {"X-Open": "shown"}}
        outcome = await rig.run("http", raw)
    assert "shown" in outcome.detail
    assert '"X-Key": "***"' in outcome.detail
    assert "k3y-of-s" not in outcome.detail
    assert b64encode(b"me:k3y-of-s").decode() not in outcome.detail


async def test_host_and_length_cannot_be_set_by_headers():
    raw = {
        "headers": {"host": "other", "Content-Length": "1", "Transfer-Encoding": "chunked"},
        "payload": BODY,
    }
    seen = await sent({**raw, "dynamicHeaders": [parameter("n", "HOST")]})
    assert seen.header("host")[0].startswith("127.0.0.1:")
    assert seen.header("content-length") == ["7"]
    assert seen.header("transfer-encoding") == []


async def test_host_has_a_field_of_its_own():
    assert (await sent({"host": "shop.example"})).header("host") == ["shop.example"]


async def test_the_idempotency_key_can_be_set_by_the_user():
    assert (await sent({"headers": {"idempotency-key": "mine"}})).header("Idempotency-Key") == ["mine"]


async def test_user_and_password_of_the_url_are_a_login_and_in_no_record():
    target = Target()
    async with rigged() as rig, serving(target.handle) as url:
        aimed = url.replace("//", "//ann:pa55%40@") + "/x?token=t0ken"
        outcome = await rig.run("http", {"url": aimed})
        assert outcome.link == f"{url}/x"
        headed = {"url": aimed, "headers": {"Authorization": "Bearer b"}}
        await rig.run("http", headed)
    assert target.seen[0].header("Authorization") == ["Basic " + b64encode(b"ann:pa55@").decode()]
    assert target.seen[0].path == "/x?token=t0ken"
    assert target.seen[1].header("Authorization") == ["Bearer b"]


@pytest.mark.parametrize("text", ["a\r\nX-Evil: 1", "a\nb", "\x00", b"\xff"])
def test_a_value_that_cannot_be_sent_in_a_header_is_an_evaluation_error(text: Any):
    raw = {"url": "http://h", "dynamicHeaders": [parameter("t", "X-T")]}
    data = b'{"t":"' + text + b'"}' if isinstance(text, bytes) else {"t": text}
    with pytest.raises(EvaluationError, match="X-T"):
        rendered("http", raw, data)


async def test_a_secret_that_cannot_be_sent_is_named_and_not_shown():
    header = {"name": "X", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}
    async with rigged({"s/k": "two\nlines"}) as rig:
        with pytest.raises(Permanent, match="secret 's', key 'k'") as caught:
            await rig.run("http", {"url": "http://h", "secureHeaders": [header]})
    assert "lines" not in str(caught.value)


@pytest.mark.parametrize(
    "url", ["h", "ftp://h", "http://", "http://h:x", "http://h:99999", "file:///etc/passwd"]
)
def test_a_url_that_can_never_be_called_is_told_at_load(url: str):
    with pytest.raises(ExpressionError):
        compiled("http", {"url": url})


@pytest.mark.parametrize("name", ["a b", "ü", "a:", "a\n"])
def test_a_name_that_no_header_can_have_is_told_at_load(name: str):
    with pytest.raises(ExpressionError):
        compiled("http", {"url": "http://h", "headers": {name: "x"}})


def test_a_url_made_of_an_event_is_judged_for_each_firing():
    render = compiled("http", {"url": "http://h"}, [parameter("u", "http.url")])
    assert getattr(render(firing_of({"u": "http://other/x"})), "url") == "http://other/x"  # noqa: B009
    with pytest.raises(EvaluationError, match="cannot be called"):
        render(firing_of({"u": "gopher://x"}))


def test_what_parameters_break_is_told_without_the_values():
    render = compiled("http", {"url": "http://h"}, [parameter("m", "http.method")])
    with pytest.raises(EvaluationError, match="unknown method") as caught:
        render(firing_of({"m": "BREW"}))
    assert "\n" not in str(caught.value)
    assert "pydantic" not in str(caught.value)


@pytest.mark.parametrize("status", [200, 204, 304, 404, 429, 500, 503])
async def test_every_answer_is_an_outcome(status: int):
    target = Target()
    target.answers = [web.Response(status=status, headers={"Retry-After": "7"})]
    async with rigged() as rig, serving(target.handle) as url:
        assert (await rig.run("http", {"url": url})).status == status


@pytest.mark.parametrize(
    ("given", "seconds"), [({}, 60), ({"timeout": 0}, 60), ({"timeout": -5}, 60), ({"timeout": 7}, 7)]
)
def test_the_limit_of_an_exchange(given: dict[str, int], seconds: int):
    assert rendered("http", {"url": "http://x/", **given}).timeout == seconds


async def test_a_target_slower_than_its_limit_is_tried_again():
    async def slow(_: web.BaseRequest) -> web.Response:
        await asyncio.sleep(20)
        return web.Response()

    async with rigged() as rig, serving(slow) as url:
        with pytest.raises(Retryable, match="no answer in 1 s"):
            await rig.run("http", {"url": url, "timeout": 1})


async def test_the_outcome_keeps_the_beginning_of_the_answer_only():
    target = Target()
    target.answers = [web.Response(body=b"x" * 1_000_000)]
    async with rigged() as rig, serving(target.handle) as url:
        outcome = await rig.run("http", {"url": url})
    assert outcome.detail == "200 " + "x" * 2048


async def endless(request: web.BaseRequest) -> web.StreamResponse:
    answer = web.StreamResponse()
    await answer.prepare(request)
    await answer.write(b"begun")
    await asyncio.sleep(60)
    return answer


async def test_an_answer_whose_body_does_not_end_is_an_answer(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("events.clients.exchange.BODY_WAIT", 0.2)
    async with rigged() as rig, serving(endless) as url:
        assert (await rig.run("http", {"url": url})).status == 200


async def torn(request: web.BaseRequest) -> web.StreamResponse:
    answer = web.StreamResponse(headers={"Content-Length": "10"})
    await answer.prepare(request)
    await answer.write(b"beg")
    assert request.transport is not None
    request.transport.close()
    return answer


async def test_an_answer_whose_body_is_torn_is_an_answer():
    async with rigged() as rig, serving(torn) as url:
        assert (await rig.run("http", {"url": url})).status == 200


async def hanging_up(request: web.BaseRequest) -> web.StreamResponse:
    assert request.transport is not None
    request.transport.close()
    return web.Response()


async def test_a_connection_that_breaks_before_the_answer_is_tried_again():
    async with rigged() as rig, serving(hanging_up) as url:
        with pytest.raises(Retryable):
            await rig.run("http", {"url": url})


async def test_a_hundred_firings_use_one_connection():
    target = Target()
    async with rigged() as rig, serving(target.handle) as url:
        for number in range(100):
            await rig.run("http", {"url": url, "payload": BODY}, {"n": number}, event=f"e{number}")
    assert len(target.seen) == 100
    assert len(target.connections) == 1


async def test_refusing_answers_leave_the_connection_usable():
    target = Target()
    target.answers = [web.Response(status=500, body=b"x" * 50_000) for _ in range(10)]
    async with rigged() as rig, serving(target.handle) as url:
        for _ in range(20):
            await rig.run("http", {"url": url})
    assert len(target.connections) == 1


# redirects


def leading(status: int, where: str) -> web.Response:
    return web.Response(status=status, headers={"Location": where})


@pytest.mark.parametrize("status", [301, 302, 303])
@pytest.mark.parametrize("method", METHODS)
async def test_most_redirects_make_a_get_without_body(status: int, method: str):
    target = Target()
    target.answers = [leading(status, "/other")]
    raw = {"method": method, "payload": BODY, "headers": {"Content-Type": "application/json", "X-Kept": "1"}}
    async with rigged() as rig, serving(target.handle) as url:
        assert (await rig.run("http", {"url": url, **raw}, {"n": 7})).status == 200
    seen = target.seen[1]
    assert (seen.method, seen.path, seen.header("X-Kept")) == ("GET", "/other", ["1"])
    if method != "GET":
        assert (seen.body, seen.header("Content-Type")) == (b"", [])


@pytest.mark.parametrize("status", [307, 308])
async def test_the_other_redirects_keep_method_and_body(status: int):
    target = Target()
    target.answers = [leading(status, "/other")]
    async with rigged() as rig, serving(target.handle) as url:
        await rig.run("http", {"url": url, "method": "PUT", "payload": BODY}, {"n": 7})
    assert [(seen.method, seen.body) for seen in target.seen] == [("PUT", b'{"n":7}')] * 2


@pytest.mark.parametrize(("redirects", "good"), [(9, True), (10, False)])
async def test_the_tenth_redirect_is_too_many(redirects: int, good: bool):
    target = Target()
    target.answers = [leading(302, f"/{n}") for n in range(redirects)]
    async with rigged() as rig, serving(target.handle) as url:
        if good:
            assert (await rig.run("http", {"url": url})).status == 200
        else:
            with pytest.raises(Permanent, match="redirects"):
                await rig.run("http", {"url": url})


async def test_a_redirect_without_a_place_is_an_answer():
    target = Target()
    target.answers = [web.Response(status=302)]
    async with rigged() as rig, serving(target.handle) as url:
        assert (await rig.run("http", {"url": url})).status == 302


async def test_another_party_gets_no_credentials():
    other, target = Target(), Target()
    raw = {
        "basicAuth": {"password": {"name": "s", "key": "k"}},
        "secureHeaders": [{"name": "X-Key", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}],
        "headers": {"X-Open": "1"},
        "host": "shop.example",
    }
    async with rigged({"s/k": "pass"}) as rig, serving(other.handle) as there, serving(target.handle) as url:
        target.answers = [leading(307, "/again"), leading(307, there + "/x")]
        await rig.run("http", {"url": url, **raw})
        again = target.seen[1]
        assert again.header("X-Key") == ["pass"]
        assert again.header("Authorization")
        assert again.header("Host") == ["shop.example"]
        (seen,) = other.seen
        assert seen.header("X-Key") == seen.header("Authorization") == []
        assert seen.header("X-Open") == ["1"]
        assert seen.header("Host") == [there.removeprefix("http://")]


async def test_a_redirect_to_what_is_no_http_is_permanent():
    target = Target()
    target.answers = [leading(302, "file:///etc/passwd")]
    async with rigged() as rig, serving(target.handle) as url:
        with pytest.raises(Permanent):
            await rig.run("http", {"url": url})


# addresses


async def test_the_guard_refuses_for_good_and_also_behind_a_redirect(monkeypatch: pytest.MonkeyPatch):
    target = Target()
    async with rigged() as rig, serving(target.handle) as url:
        await guarded(rig, "allow-private")
        target.answers = [leading(302, "http://169.254.169.254/latest/meta-data")]
        with pytest.raises(Permanent, match="address guard"):
            await rig.run("http", {"url": url})
        await guarded(rig, "strict")
        for one in (
            url,
            url.replace("127.0.0.1", "localhost"),
            "http://[::1]:9/",
            "http://[::ffff:127.0.0.1]:9/",
        ):
            with pytest.raises(Permanent, match="address guard"):
                await rig.run("http", {"url": one})
    assert len(target.seen) == 1


async def guarded(rig: Rig, guard: Any) -> None:
    await rig.sessions.aclose()
    rig.sessions = Sessions(guard)
    rig._made.clear()


# TLS


def tls(**names: str) -> dict[str, Any]:
    return {name: {"name": "tls", "key": key} for name, key in names.items()}


async def over_tls(
    folder: Path,
    spec: dict[str, Any],
    secrets: dict[str, str],
    server: Authority,
    clients: Authority | None = None,
) -> Outcome:
    context = server.server_context(folder, clients=clients)
    async with rigged(secrets) as rig, serving(Target().handle, context) as url:
        return await rig.run("http", {"url": url, "tls": spec})


async def test_a_server_of_the_given_authority_is_verified(tmp_path: Path):
    ours = Authority()
    secrets = {"tls/ca": "# gr\u00fcn\n" + ours.cert}
    assert (await over_tls(tmp_path, tls(caCertSecret="ca"), secrets, ours)).status == 200


@pytest.mark.parametrize("spec", [tls(caCertSecret="ca"), {"enabled": True}])
async def test_a_server_of_another_authority_is_refused_for_good(tmp_path: Path, spec: dict[str, Any]):
    with pytest.raises(Permanent, match=r"certificate|issuer|signature"):
        await over_tls(tmp_path, spec, {"tls/ca": Authority("other").cert}, Authority())


async def test_an_unknown_authority_is_refused_without_tls_settings_too(tmp_path: Path):
    context = Authority().server_context(tmp_path)
    async with rigged() as rig, serving(Target().handle, context) as url:
        with pytest.raises(Permanent, match="TLS"):
            await rig.run("http", {"url": url})


async def test_verification_can_be_switched_off(tmp_path: Path):
    assert (await over_tls(tmp_path, {"insecureSkipVerify": True}, {}, Authority())).status == 200


async def test_client_certificates(tmp_path: Path):
    ours = Authority()
    pair = ours.pair("client")
    secrets = {"tls/ca": ours.cert, "tls/cert": pair.cert, "tls/key": pair.key}
    full = tls(caCertSecret="ca", clientCertSecret="cert", clientKeySecret="key")
    assert (await over_tls(tmp_path, full, secrets, ours, ours)).status == 200
    with pytest.raises((Permanent, Retryable)):
        await over_tls(tmp_path, tls(caCertSecret="ca"), secrets, ours, ours)


@pytest.mark.parametrize(
    "ca", ["", "\n", "no certificate", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----"]
)
async def test_an_authority_that_is_none_never_means_the_roots_of_the_system(tmp_path: Path, ca: str):
    with pytest.raises(Permanent, match=r"PEM|certificates cannot be used"):
        await over_tls(tmp_path, tls(caCertSecret="ca"), {"tls/ca": ca}, Authority())


async def test_a_renewed_certificate_is_used_from_the_next_firing_on(tmp_path: Path):
    old, new = Authority("old"), Authority("new")
    context = new.server_context(tmp_path)
    async with rigged({"tls/ca": old.cert}) as rig, serving(Target().handle, context) as url:
        raw = {"url": url, "tls": tls(caCertSecret="ca")}
        with pytest.raises(Permanent):
            await rig.run("http", raw)
        rig.secrets.update({ref: new.cert.encode() for ref in rig.secrets})
        assert (await rig.run("http", raw)).status == 200


async def test_tls_to_a_plain_port_is_a_mismatch():
    async with rigged() as rig, serving(Target().handle) as url:
        with pytest.raises(Permanent, match="TLS"):
            await rig.run("http", {"url": url.replace("http:", "https:")})

"""awsLambda: against moto (no code runs there), and a stand-in for what moto cannot answer."""

from __future__ import annotations

import io
import zipfile
from base64 import b64decode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import orjson
import pytest
from aiohttp import web

from events.clients import aws
from events.clients.aws import Account, ClientPool, Clients
from events.clients.http import Sessions
from events.clients.secrets import Ref
from events.errors import EvaluationError, ExpressionError, Permanent, Retryable
from events.testing.servers.fixtures import Own
from events.testing.servers.moto import Moto
from events.testing.triggers import Rig, Target, compiled, firing_of, parameter, rendered, rigged, serving

SECRETS = {"aws/id": "AKIAIOSFODNN7EXAMPLE", "aws/key": "wJalrXUtnFEMI"}
KEYS = {"accessKey": {"name": "aws", "key": "id"}, "secretKey": {"name": "aws", "key": "key"}}
BASE: dict[str, Any] = {
    "functionName": "hello", "region": "us-east-1", "payload": [parameter("name", "name")],
}  # fmt: skip
DATA = {"name": "foo"}


@pytest.fixture(autouse=True)
def no_settings_of_this_machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("AWS_PROFILE", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))


@asynccontextmanager
async def standing_in(**config: Any) -> AsyncIterator[tuple[Rig, Target, dict[str, Any]]]:
    target = Target()
    async with rigged(SECRETS) as rig, serving(target.handle) as url:
        yield rig, target, {**BASE, **KEYS, "endpoint": url, **config}


def test_the_request_says_what_will_be_invoked():
    request = rendered("awsLambda", {**BASE, **KEYS, "invocationType": "Event"}, DATA)
    assert (request.function_name, request.region) == ("hello", "us-east-1")
    assert (request.invocation_type, request.payload) == ("Event", '{"name":"foo"}')
    assert request.account.access_key == Ref("aws", "id")


def test_a_value_that_is_missing_is_an_evaluation_error():
    with pytest.raises(EvaluationError):
        rendered("awsLambda", BASE, {"other": 1})


def test_half_a_pair_of_keys_can_never_work_but_with_a_role_keys_do_not_count():
    half = {**BASE, "accessKey": KEYS["accessKey"]}
    with pytest.raises(ExpressionError, match="go together"):
        compiled("awsLambda", half)
    assert rendered("awsLambda", {**half, "roleARN": "arn:aws:iam::1:role/r"}, DATA).account.role_arn


def test_a_type_of_invocation_that_is_none():
    with pytest.raises(ExpressionError, match="invocationType"):
        compiled("awsLambda", {**BASE, "invocationType": "Later"})


async def test_an_error_of_the_function_is_a_failure_with_its_text():
    async with standing_in() as (rig, target, raw):
        body = b'{"errorMessage":"no stock","errorType":"OrderError","stackTrace":[]}'
        target.answers = [web.Response(body=body, headers={"X-Amz-Function-Error": "Unhandled"})]
        with pytest.raises(Permanent, match=r"the function failed \(Unhandled\): OrderError: no stock"):
            await rig.run("awsLambda", raw, DATA)
    assert len(target.seen) == 1


async def test_an_answer_that_is_cut_off_is_tried_again():
    async def handle(request: web.BaseRequest) -> web.StreamResponse:
        answer = web.StreamResponse(headers={"Content-Length": "100"})
        await answer.prepare(request)
        await answer.write(b'{"stock":')
        assert request.transport is not None
        request.transport.close()
        return answer

    async with rigged(SECRETS) as rig, serving(handle) as url:
        with pytest.raises(Retryable, match="Lambda us-east-1/hello: the answer was cut off"):
            await rig.run("awsLambda", {**BASE, **KEYS, "endpoint": url}, DATA)


@pytest.mark.parametrize(
    ("status", "code", "error"),
    [
        (404, "ResourceNotFoundException", Permanent),
        (403, "AccessDeniedException", Permanent),
        (413, "RequestTooLargeException", Permanent),
        (429, "TooManyRequestsException", Retryable),
        (500, "ServiceException", Retryable),
        (502, "EC2ThrottledException", Retryable),
        (400, "ThrottlingException", Retryable),
        (409, "ResourceConflictException", Retryable),
        (408, "EFSMountTimeoutException", Retryable),
        (409, "SnapStartNotReadyException", Retryable),
    ],
)
async def test_errors_of_the_service(status: int, code: str, error: type[Exception]):
    async with standing_in() as (rig, target, raw):
        headers = {"x-amzn-ErrorType": code, "Retry-After": "3"}
        target.answers = [web.json_response({"Message": "so it is"}, status=status, headers=headers)]
        with pytest.raises(error, match=code) as caught:
            await rig.run("awsLambda", raw, DATA)
        assert len(target.seen) == 1, "it is our policy that repeats, not the library's"
        if isinstance(caught.value, Retryable):
            assert caught.value.after == 3.0


@pytest.mark.parametrize("kind", ["RequestResponse", "Event", "DryRun"])
async def test_what_is_sent(kind: str):
    async with standing_in(invocationType=kind) as (rig, target, raw):
        await rig.run("awsLambda", raw, DATA)
    (seen,) = target.seen
    assert (seen.method, seen.path) == ("POST", "/2015-03-31/functions/hello/invocations")
    assert seen.header("X-Amz-Invocation-Type") == [kind]
    assert seen.body == b'{"name":"foo"}'
    assert "Credential=AKIAIOSFODNN7EXAMPLE/" in seen.header("Authorization")[0]
    contexts = [orjson.loads(b64decode(text)) for text in seen.header("X-Amz-Client-Context")]
    assert contexts == ([{"custom": {"firing": firing_of().id}}] if kind == "RequestResponse" else [])


async def test_a_hundred_firings_use_one_client_and_one_connection():
    async with standing_in() as (rig, target, raw):
        for number in range(100):
            await rig.run("awsLambda", raw, DATA, event=f"e{number}")
        assert len(target.seen) == 100
        assert len(target.connections) == 1


async def test_renewed_keys_are_used_from_the_next_firing_on():
    async with standing_in() as (rig, target, raw):
        await rig.run("awsLambda", raw, DATA)
        rig.secrets[Ref("aws", "id")] = b"AKIARENEWED\n"
        await rig.run("awsLambda", raw, DATA)
        assert "Credential=AKIARENEWED/" in target.seen[1].header("Authorization")[0]


async def test_clients_of_old_keys_are_closed_when_nobody_uses_them(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(aws, "CLIENTS_KEPT", 2)
    async with standing_in() as (rig, target, raw):
        pool = rig.shared.get(ClientPool, lambda: ClientPool(rig.sessions))
        for number in range(4):
            rig.secrets[Ref("aws", "id")] = f"AKIA{number}".encode()
            await rig.run("awsLambda", raw, DATA)
        assert len(pool._made) == 4, "what was used lately may be in use"
        monkeypatch.setattr(aws, "UNUSED", -1.0)
        rig.secrets[Ref("aws", "id")] = b"AKIA4"
        await rig.run("awsLambda", raw, DATA)
        assert len(pool._made) == 2
        rig.secrets[Ref("aws", "id")] = b"AKIA3"
        await rig.run("awsLambda", raw, DATA)
        assert len(pool._made) == 2, "the ones used last were kept"
    assert len(target.seen) == 6


async def test_without_keys_the_default_credentials_count(monkeypatch: pytest.MonkeyPatch):
    async with rigged() as rig:
        with pytest.raises(Retryable, match=r"no AWS credentials here: write accessKey and secretKey, or"):
            await rig.run("awsLambda", {**BASE, "endpoint": "http://127.0.0.1:9"}, DATA)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAAMBIENT")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "ambient")
    async with standing_in() as (rig, target, raw):
        await rig.run("awsLambda", {key: text for key, text in raw.items() if key not in KEYS}, DATA)
    assert "Credential=AKIAAMBIENT/" in target.seen[0].header("Authorization")[0]


async def test_the_guard_refuses_for_good():
    async with standing_in() as (rig, target, raw):
        await rig.sessions.aclose()
        rig.sessions = Sessions("strict")
        with pytest.raises(Permanent, match="address guard"):
            await rig.run("awsLambda", raw, DATA)
    assert not target.seen


# moto


def code() -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("main.py", "def handler(event, context):\n    return event\n")
    return packed.getvalue()


@asynccontextmanager
async def moto(server: Moto, patch: pytest.MonkeyPatch) -> AsyncIterator[Rig]:
    """A rig whose AWS is moto, with the function `hello`; the environment says where it is."""
    async with rigged(SECRETS) as rig:
        async with rig.sessions.get().post(
            f"{server.url}/moto-api/config", json={"lambda": {"use_docker": False}}
        ) as answer:
            assert answer.status == 201
        patch.setenv("AWS_ENDPOINT_URL", server.url)
        patch.setenv("AWS_ACCESS_KEY_ID", "AKIAAMBIENT")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "ambient")
        await install(rig)
        yield rig


async def install(rig: Rig) -> None:
    clients = Clients(rig.context().secrets, rig.sessions)
    account = Account("us-east-1", Ref("aws", "id"), Ref("aws", "key"))
    iam = await clients.get("iam", account)
    role = await iam.create_role(RoleName="r", AssumeRolePolicyDocument="{}", Path="/")
    await (await clients.get("lambda", account)).create_function(
        FunctionName="hello", Runtime="python3.11", Role=role["Role"]["Arn"], Handler="main.handler",
        Code={"ZipFile": code()},
    )  # fmt: skip
    await clients.aclose()


@pytest.mark.servers("moto")
async def test_a_function_of_moto(own: Own[Moto], monkeypatch: pytest.MonkeyPatch):
    server = own(Moto())
    async with moto(server, monkeypatch) as rig:
        outcome = await rig.run("awsLambda", {**BASE, **KEYS}, DATA)
        assert outcome.status == 200
        assert outcome.link == "lambda:us-east-1/hello"
        assert (await rig.run("awsLambda", {**BASE, **KEYS, "invocationType": "Event"}, DATA)).status == 202
        assert (await rig.run("awsLambda", {**BASE, **KEYS, "invocationType": "DryRun"}, DATA)).status == 204
        assert (await rig.run("awsLambda", BASE, DATA)).status == 200
        role = {**BASE, "roleARN": "arn:aws:iam::123456789012:role/r"}
        assert (await rig.run("awsLambda", role, DATA)).status == 200
    log = server.new_log
    assert log.count("/2015-03-31/functions/hello/invocations") == 5
    assert log.count('"POST / HTTP') == 2, "IAM once, STS once"

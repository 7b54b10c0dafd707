"""awsLambda: one invocation of an AWS Lambda function per firing.

Spec      Sensor.spec.triggers[].template.awsLambda
Sends     the document built from `payload`; synchronous invocations also carry the firing id, in the
          client context under custom.firing
Outcome   the status of the invocation (`policy.status` judges it). An error of the function itself is
          Permanent: it has run, and whether it may run again is for the user to say
Repeats   Lambda cannot recognise a repeated invocation: one whose answer was lost is made again
Upstream  pkg/sensors/triggers/aws-lambda/aws-lambda.go
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterable
from functools import partial
from typing import Any, ClassVar

import orjson
from pydantic import Field

from events.api.common import NonEmpty, Problem, SecretKeySelector, check_choice
from events.api.sensor import Parameters, TriggerConfig, check_parameters
from events.clients.aws import Account, ClientPool, Clients, reference, translated
from events.clients.http import BODY_KEPT, check_url
from events.errors import ExpressionError, Permanent, shorten
from events.event import Firing, Outcome, Request
from events.sensors.parameters import compile_payload
from events.triggers._base import Render, Trigger, TriggerContext
from events.triggers._text import Body

INVOCATION_TYPES = ("RequestResponse", "Event", "DryRun")


class AWSLambdaConfig(TriggerConfig):
    """One function."""

    function_name: NonEmpty = Field(description="name or ARN of the function")
    access_key: SecretKeySelector | None = Field(
        None, description="Secret key with the access key id; without it the default credentials are used"
    )
    secret_key: SecretKeySelector | None = Field(None, description="Secret key with the secret access key")
    region: NonEmpty = Field(description="AWS region of the function")
    payload: Parameters = Field(description="builds the document from values of the events")
    invocation_type: str = Field(
        "", description=f"one of {', '.join(INVOCATION_TYPES)}; RequestResponse when empty"
    )
    role_arn: str = Field("", alias="roleARN", description="role to assume")
    endpoint: str = Field("", description="URL of the service; that of the region when empty [extension]")

    def problems(self) -> Iterable[Problem]:
        """Whole parameters and payload entries, a known type of invocation."""
        yield from check_parameters(self.parameters, "parameters")
        yield from check_parameters(self.payload, "payload")
        yield from check_choice(self.invocation_type, "invocationType", INVOCATION_TYPES, "warning")


READ_TIMEOUT = 910.0
"""Seconds. A function runs for 900 at most; giving up before it has ended would run it twice."""


class LambdaRequest(Request, kw_only=True):
    """One invocation."""

    function_name: str
    region: str
    content: Body
    invocation_type: str
    account: Account

    @property
    def payload(self) -> str:
        """The document as text."""
        return self.content.text


class AWSLambdaTrigger(Trigger[AWSLambdaConfig, LambdaRequest]):
    """Invokes over pooled connections."""

    kind: ClassVar[str] = "awsLambda"
    extra: ClassVar[str | None] = "aws"
    requires: ClassVar[tuple[str, ...]] = ("aiobotocore",)
    request: ClassVar[type[Request]] = LambdaRequest

    def __init__(self, ctx: TriggerContext) -> None:
        super().__init__(ctx)
        self._clients = Clients(
            ctx.secrets, ctx.sessions, ctx.shared.get(ClientPool, partial(ClientPool, ctx.sessions))
        )

    @classmethod
    def compile(cls, cfg: AWSLambdaConfig) -> Render:
        payload, account = compile_payload(cfg.payload), account_of(cfg)
        kind = cfg.invocation_type or "RequestResponse"
        if kind not in INVOCATION_TYPES:
            raise ExpressionError(f"invocationType has to be one of {', '.join(INVOCATION_TYPES)}", kind)

        def render(firing: Firing) -> LambdaRequest:
            return LambdaRequest(
                function_name=cfg.function_name, region=cfg.region, content=Body.of(payload(firing) or ""),
                invocation_type=kind, account=account,
            )  # fmt: skip

        return render

    async def fire(self, request: LambdaRequest, firing: str) -> Outcome:
        """Raises Retryable (network, throttling, AWS's trouble), Permanent (refused, function's error)."""
        name = f"Lambda {request.region}/{request.function_name}"
        client = await self._clients.get("lambda", request.account, read_timeout=READ_TIMEOUT)
        with translated(name):
            answer = await client.invoke(**arguments(request, firing))
            async with answer["Payload"] as stream:
                text = (await stream.read()).decode(errors="replace")
        if "FunctionError" in answer:
            raise Permanent(f"{name}: the function failed ({answer['FunctionError']}): {failure(text)}")
        status = answer["StatusCode"]
        return Outcome(status=status, detail=f"{status} {text[:BODY_KEPT]}".rstrip(), link=link_of(request))


def account_of(cfg: AWSLambdaConfig) -> Account:
    """Raises ExpressionError."""
    try:
        endpoint = check_url(cfg.endpoint) if cfg.endpoint else ""
        return Account(
            cfg.region, reference(cfg.access_key), reference(cfg.secret_key), cfg.role_arn, endpoint
        )
    except ValueError as exc:
        raise ExpressionError(str(exc), cfg.function_name) from exc


def arguments(request: LambdaRequest, firing: str) -> dict[str, Any]:
    """The arguments of Invoke. Only a synchronous one hands the client context to the function."""
    found = {
        "FunctionName": request.function_name,
        "InvocationType": request.invocation_type,
        "Payload": request.content.encode(),
    }
    if request.invocation_type == "RequestResponse":
        found["ClientContext"] = b64encode(orjson.dumps({"custom": {"firing": firing}})).decode()
    return found


def failure(text: str) -> str:
    """`errorType: errorMessage` of what the function raised."""
    try:
        found = orjson.loads(text)
    except orjson.JSONDecodeError:
        return shorten(text)
    if not isinstance(found, dict):
        return shorten(text)
    said = [str(found[key]) for key in ("errorType", "errorMessage") if found.get(key)]
    return shorten(": ".join(said) or text, 500)


def link_of(request: LambdaRequest) -> str:
    name = request.function_name
    return name if name.startswith("arn:") else f"lambda:{request.region}/{name}"

"""Amazon Web Services through aiobotocore: credentials, roles, pooled clients, errors as ours.

Credentials  a role (assumed with the default credentials), else the given pair of keys, else the default
             chain of the AWS SDKs (environment, shared files, container, instance)
Endpoint     AWS_ENDPOINT_URL and AWS_ENDPOINT_URL_<SERVICE> count, as in the SDKs; `endpoint` wins
Retries      none here: whoever calls decides, by Retryable and Permanent
Library      aiobotocore (extra `aws`)
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import time
from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager
from functools import cache
from typing import TYPE_CHECKING, Any

import msgspec

from events.clients.http import Sessions, refusal, retry_after
from events.clients.secrets import Ref, Secrets
from events.errors import Absent, EventsError, Permanent, Retryable

if TYPE_CHECKING:
    from events.api.common import SecretKeySelector

CONNECT_TIMEOUT = 10
CONNECTIONS = 64
"""Connections per client: the default `maxInFlight` of one trigger."""

CLIENTS_KEPT, UNUSED = 16, 1200.0
"""Clients that a pool keeps in any case, and seconds after which others are closed: longer than any request
takes. Each one is some megabytes, and keys that are renewed every hour make one every hour.
"""

PASSING = frozenset({
    "EC2ThrottledException", "EFSIOException", "EFSMountConnectivityException",
    "EFSMountTimeoutException", "InternalFailure", "KmsThrottled", "OverLimit", "PriorRequestNotComplete",
    "ProvisionedThroughputExceededException",
    "RequestLimitExceeded", "RequestThrottled", "RequestThrottledException", "RequestTimeout",
    "RequestTimeoutException", "ResourceConflictException", "ServiceUnavailable", "SlowDown",
    "SnapStartNotReadyException", "SnapStartTimeoutException", "Throttling", "ThrottledException",
    "ThrottlingException", "TooManyRequestsException", "TransactionInProgressException",
})  # fmt: skip
"""Error codes after which the same request may be taken, whatever their HTTP status."""


Keys = tuple[str | None, str | None, str | None]
"""Access key id, secret access key, session token."""

LOGIN = "check accessKey, secretKey and sessionToken"
DENIED = "allow it in the policy of this login"
EXPIRED = "renew sessionToken"
MISSING = "create it, or correct its name and region"
BUCKET = "create the bucket, or correct bucket, region and endpoint"
QUEUE = "create the queue, or correct its name, region and account"
CLOCK = "set the clock of this machine"
NEXT_STEP = {
    "AccessDenied": DENIED, "AccessDeniedException": DENIED, "AuthorizationError": DENIED,
    "ExpiredToken": EXPIRED, "ExpiredTokenException": EXPIRED,
    "InvalidAccessKeyId": LOGIN, "InvalidClientTokenId": LOGIN, "InvalidToken": LOGIN,
    "SignatureDoesNotMatch": LOGIN, "UnrecognizedClientException": LOGIN,
    "AWS.SimpleQueueService.NonExistentQueue": QUEUE, "QueueDoesNotExist": QUEUE,
    "NoSuchBucket": BUCKET,
    "RequestExpired": CLOCK, "RequestTimeTooSkewed": CLOCK,
    "NotFound": MISSING, "ResourceNotFoundException": MISSING,
}  # fmt: skip
"""What a user does about an error code. What is missing or expired, and a clock that is wrong, passes."""

PASSED_BY = (EXPIRED, CLOCK)

SKEWED = ("Signature expired", "Signature not yet current")
"""How the services that are not S3 begin to tell of a wrong clock, under codes of a wrong key."""


class Account(msgspec.Struct, frozen=True):
    """Where and as whom, without the secrets themselves."""

    region: str
    access_key: Ref | None = None
    secret_key: Ref | None = None
    role_arn: str = ""
    endpoint: str = ""
    session_token: Ref | None = None

    def __post_init__(self) -> None:
        """Raises ValueError for half a pair of keys."""
        if not self.role_arn and (self.access_key is None) != (self.secret_key is None):
            raise ValueError("accessKey and secretKey go together")


def reference(selector: SecretKeySelector | None) -> Ref | None:
    return None if selector is None else Ref(selector.name, selector.key)


class Made:
    """A client, and when it was asked for last (monotonic)."""

    def __init__(self, client: Any, stack: AsyncExitStack) -> None:
        self.client, self.stack, self.used = client, stack, time.monotonic()


class ClientPool:
    """Clients of AWS services, made at first use and kept; renewed keys make new ones."""

    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions
        self._made: dict[Any, Made] = {}
        self._making = asyncio.Lock()

    async def get(self, service: str, account: Account, keys: Keys | None, read_timeout: float) -> Any:
        """The client of a service. Raises Retryable, Permanent."""
        digest = hashlib.sha256(msgspec.msgpack.encode(keys)).digest()
        place = (service, account, digest, read_timeout)
        if place not in self._made:
            async with self._making:
                if place not in self._made:
                    with translated(f"AWS {service}"):
                        self._made[place] = await self._make(service, account, keys, read_timeout)
                    await self._let_go()
        made = self._made[place]
        made.used = time.monotonic()
        return made.client

    async def _let_go(self) -> None:
        """Close what was asked for long ago, where there are too many clients."""
        for place, made in sorted(self._made.items(), key=lambda item: item[1].used)[:-CLIENTS_KEPT]:
            if time.monotonic() - made.used > UNUSED:
                await self._made.pop(place).stack.aclose()

    async def _make(self, service: str, account: Account, keys: Keys | None, read_timeout: float) -> Made:
        from aiobotocore.config import AioConfig

        session = await asyncio.to_thread(prepared, service, account.role_arn)
        if keys is None:
            await known_credentials(session, account)
        if account.role_arn:
            await assume(session, account, self._sessions)
        config = AioConfig(
            connect_timeout=CONNECT_TIMEOUT, read_timeout=read_timeout, max_pool_connections=CONNECTIONS,
            retries={"total_max_attempts": 1}, tcp_keepalive=True,
            connector_args={"socket_factory": self._sessions.make_socket},
            s3={"addressing_style": "path"} if account.endpoint else None,
        )  # fmt: skip
        access, secret, token = keys or (None, None, None)
        stack = AsyncExitStack()
        client = await stack.enter_async_context(
            session.create_client(
                service, region_name=account.region, endpoint_url=account.endpoint or None, config=config,
                aws_access_key_id=access, aws_secret_access_key=secret, aws_session_token=token,
            )
        )  # fmt: skip
        return Made(client, stack)

    async def aclose(self) -> None:
        made, self._made = list(self._made.values()), {}
        for one in made:
            await one.stack.aclose()


class Clients:
    """Clients with the keys of one namespace, out of a pool that it may share."""

    def __init__(self, secrets: Secrets, sessions: Sessions, pool: ClientPool | None = None) -> None:
        self._secrets, self._pool = secrets, pool or ClientPool(sessions)
        self._own = pool is None

    async def get(self, service: str, account: Account, *, read_timeout: float = 60.0) -> Any:
        """The client of a service. `read_timeout` is in seconds. Raises Retryable, Permanent."""
        return await self._pool.get(service, account, await self._keys(account), read_timeout)

    async def _keys(self, account: Account) -> Keys | None:
        if account.role_arn or account.access_key is None or account.secret_key is None:
            return None
        refs = (account.access_key, account.secret_key, account.session_token)
        access, secret, token = [None if ref is None else await self._read(ref) for ref in refs]
        return access, secret, token

    async def _read(self, ref: Ref) -> str:
        return (await self._secrets.read(ref)).strip()

    async def aclose(self) -> None:
        """Closes the pool, unless others share it."""
        if self._own:
            await self._pool.aclose()


def prepared(service: str, role_arn: str) -> Any:
    """A session that has read its descriptions of the services: for a thread, it is a quarter of a second."""
    from aiobotocore.session import get_session

    quiet()
    session = get_session()
    loader = descriptions(session.get_config_variable("data_path"))
    session.register_component("data_loader", loader)
    for name in (service, "sts") if role_arn else (service,):
        loader.load_service_model(name, "service-2")
        loader.load_service_model(name, "endpoint-rule-set-1")
    loader.load_data("endpoints")
    return session


@cache
def descriptions(search_path: str | None) -> Any:
    """The library's descriptions of services, which every session would read again: 8 MB and 40 ms each."""
    from botocore.loaders import create_loader

    return create_loader(search_path)


def quiet() -> None:
    """Its debug log has session tokens and whole payloads: only who asks for it by name gets it."""
    for name in ("botocore", "aiobotocore"):
        library = logging.getLogger(name)
        if library.level == logging.NOTSET:
            library.setLevel(logging.INFO)


async def assume(session: Any, account: Account, sessions: Sessions) -> None:
    """The session's credentials become those of the role, renewed before they expire."""
    from aiobotocore.config import AioConfig
    from aiobotocore.credentials import AioAssumeRoleCredentialFetcher, AioDeferredRefreshableCredentials

    config = AioConfig(connector_args={"socket_factory": sessions.make_socket})

    def create_client(service: str, **given: Any) -> Any:
        return session.create_client(service, region_name=account.region, config=config, **given)

    source = await known_credentials(session, account)
    fetcher = AioAssumeRoleCredentialFetcher(
        create_client, source, account.role_arn, extra_args={"RoleSessionName": "events-trigger"}
    )
    session._credentials = AioDeferredRefreshableCredentials(fetcher.fetch_credentials, "assume-role")


async def first_bytes(body: Any, limit: int) -> bytes:
    """The first `limit` bytes of a streaming body; one `read` gives only what has arrived by then."""
    kept = b""
    while len(kept) < limit and (chunk := await body.read(limit - len(kept))):
        kept += chunk
    return kept


async def known_credentials(session: Any, account: Account) -> Any:
    """Those of the default chain. Raises Retryable: a service that lends them may come up after us."""
    found = await session.get_credentials()
    if found is None:
        what = f"to assume {account.role_arn} with" if account.role_arn else "here"
        hint = "write accessKey and secretKey, or give this process AWS credentials"
        raise Retryable(f"there are no AWS credentials {what}: {hint}")
    return found


@contextmanager
def translated(what: str) -> Iterator[None]:
    """Errors of botocore as Retryable or Permanent; `what` begins their text."""
    import aiohttp
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        yield
    except ClientError as exc:
        raise answered(what, exc.response) from exc
    except aiohttp.ClientPayloadError as exc:
        raise Retryable(f"{what}: the answer was cut off") from exc
    except BotoCoreError as exc:
        raise meaning(what, exc) from exc
    except TimeoutError as exc:
        raise Retryable(f"{what}: no answer in time") from exc
    except (OSError, ValueError) as exc:
        raise Permanent(f"{what}: {exc}") from exc


def answered(what: str, response: Any) -> EventsError:
    """An error that the service answered with."""
    error, meta = response.get("Error", {}), response.get("ResponseMetadata", {})
    code, status = error.get("Code", "unknown"), meta.get("HTTPStatusCode", 0)
    message = error.get("Message") or ""
    step = CLOCK if message.startswith(SKEWED) else NEXT_STEP.get(code, "")
    said = f"{what}: {code}: {message}".rstrip(": ")
    text = f"{said}; {step}" if step else said
    if step in (QUEUE, BUCKET):
        return Absent(text)
    if status >= 500 or status == 429 or code in PASSING or step in PASSED_BY:
        return Retryable(
            text, retry_after(meta.get("HTTPHeaders", {}).get("retry-after", ""), time.time_ns())
        )
    return Permanent(text)


def meaning(what: str, exc: Exception) -> EventsError:
    """An error without an answer: the network's passes, that of certificates or settings does not."""
    from botocore import exceptions as known

    refused = refusal(exc) or refusal(exc.kwargs.get("error") or exc if hasattr(exc, "kwargs") else exc)
    if refused is not None:
        return Permanent(f"{what}: {refused}")
    if isinstance(exc, known.SSLError):
        return Permanent(f"{what}: TLS: {exc}")
    network = (known.HTTPClientError, known.ConnectionError, known.CredentialRetrievalError)
    passing = isinstance(exc, (*network, known.MetadataRetrievalError))
    return Retryable(f"{what}: {exc}") if passing else Permanent(f"{what}: {exc}")

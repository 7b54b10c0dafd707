"""GitHub's REST API, as far as webhooks need it: a token or an App's installation, hooks.

Spec      docs.github.com/rest: repository webhooks, organization webhooks, authenticating as a GitHub App
"""

from __future__ import annotations

import time
from base64 import urlsafe_b64encode
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson

from events.clients.http import refusal
from events.clients.network import reason
from events.errors import MissingExtra, Permanent, Retryable

if TYPE_CHECKING:
    import aiohttp

PUBLIC = "https://api.github.com/"
PAGE = 100
TIMEOUT = 10.0
"""Seconds for one call."""

EARLY = 60
"""Seconds before its end at which an installation token is renewed."""

Token = Callable[[], Awaitable[str]]


class App(NamedTuple):
    """A GitHub App's installation."""

    private_key: str
    app_id: int
    installation_id: int


class Hooks(NamedTuple):
    """Whose hooks: `repos/owner/name` or `orgs/name`."""

    path: str

    @property
    def label(self) -> str:
        return self.path.partition("/")[2]


class GitHub:
    """One API, one identity."""

    def __init__(self, session: aiohttp.ClientSession, base: str, token: Token) -> None:
        self._session, self._token = session, token
        self.base = base.rstrip("/") + "/"

    async def call(self, method: str, path: str, body: Any = None) -> Any:
        """The decoded answer. Raises Retryable (network, 5xx, rate limit), Permanent (other refusals)."""
        url = path if path.startswith("http") else self.base + path
        answer, text = await request(self._session, method, url, await self._token(), body)
        return checked(answer, text, f"{method} {url}")

    async def hooks(self, of: Hooks) -> AsyncIterator[dict[str, Any]]:
        """All hooks, page by page."""
        page = 1
        while True:
            found = await self.call("GET", f"{of.path}/hooks?per_page={PAGE}&page={page}")
            for hook in found:
                yield hook
            if len(found) < PAGE:
                return
            page += 1

    async def create(self, of: Hooks, hook: dict[str, Any]) -> int:
        made = await self.call("POST", f"{of.path}/hooks", {"name": "web", **hook})
        number: int = made["id"]
        return number

    async def update(self, of: Hooks, number: int, hook: dict[str, Any]) -> None:
        await self.call("PATCH", f"{of.path}/hooks/{number}", hook)

    async def delete(self, of: Hooks, number: int) -> None:
        await self.call("DELETE", f"{of.path}/hooks/{number}")


async def request(
    session: aiohttp.ClientSession, method: str, url: str, token: str, body: Any
) -> tuple[aiohttp.ClientResponse, bytes]:
    import aiohttp

    headers = {
        "Authorization": token,
        "Accept": "application/vnd.github+json",
        "X-GitHub-Api-Version": "2022-11-28",
    }
    data = None if body is None else orjson.dumps(body)
    limit = aiohttp.ClientTimeout(total=TIMEOUT)
    try:
        async with session.request(method, url, data=data, headers=headers, timeout=limit) as answer:
            return answer, await answer.read()
    except aiohttp.InvalidURL as exc:
        raise Permanent(f"not a URL: {url!r}") from exc
    except (aiohttp.ClientError, TimeoutError) as exc:
        failure = Permanent if refusal(exc) else Retryable
        raise failure(f"{method} {url}: {refusal(exc) or reason(exc)}") from exc


def checked(answer: aiohttp.ClientResponse, text: bytes, what: str) -> Any:
    """The answer's JSON. Raises Retryable, Permanent with GitHub's own message."""
    if answer.status < 300:
        return orjson.loads(text) if text else None
    message = f"{what}: {answer.status} {told(text)}".rstrip()
    after = answer.headers.get("Retry-After", "")  # with a 403 too: the secondary rate limit
    limited = answer.status == 429 or after or answer.headers.get("X-RateLimit-Remaining") == "0"
    if answer.status >= 500 or limited:
        raise Retryable(message, float(after) if after.isdigit() else None)
    raise Permanent(message)


def told(text: bytes) -> str:
    try:
        body = orjson.loads(text)
    except ValueError:
        return text[:200].decode(errors="replace")
    return str(body.get("message", "")) if isinstance(body, dict) else ""


def fixed_token(token: str) -> Token:
    async def give() -> str:
        return f"token {token}"

    return give


class AppToken:
    """Tokens of an App's installation, renewed before they end."""

    def __init__(self, session: aiohttp.ClientSession, base: str, app: App) -> None:
        self._session, self._app = session, app
        self._url = f"{base.rstrip('/')}/app/installations/{app.installation_id}/access_tokens"
        self._token, self._ends = "", 0.0

    async def __call__(self) -> str:
        now = time.time()
        if now > self._ends - EARLY:
            bearer = f"Bearer {app_jwt(self._app, int(now))}"
            answer, text = await request(self._session, "POST", self._url, bearer, None)
            self._token = checked(answer, text, f"POST {self._url}")["token"]
            self._ends = now + 3600
        return f"token {self._token}"


def app_jwt(app: App, now: int) -> str:
    """A JSON Web Token (RFC 7519) that says "I am this App", signed with RS256, good for nine minutes."""
    try:
        from cryptography.hazmat.primitives import hashes, serialization
        from cryptography.hazmat.primitives.asymmetric import padding, rsa
    except ImportError as exc:
        raise MissingExtra("githubApp", "crypto") from exc
    claims = {"iat": now - 60, "exp": now + 540, "iss": str(app.app_id)}
    signed = b".".join(part64(orjson.dumps(part)) for part in ({"alg": "RS256", "typ": "JWT"}, claims))
    try:
        key = serialization.load_pem_private_key(app.private_key.encode(), None)
    except ValueError as exc:
        raise Permanent("the private key of the GitHub App is not a PEM key") from exc
    if not isinstance(key, rsa.RSAPrivateKey):
        raise Permanent("the private key of the GitHub App is not an RSA key")
    signature = key.sign(signed, padding.PKCS1v15(), hashes.SHA256())
    return (signed + b"." + part64(signature)).decode()


def part64(data: bytes) -> bytes:
    return urlsafe_b64encode(data).rstrip(b"=")

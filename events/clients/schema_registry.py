"""A Confluent schema registry, and Avro values in the form that it defines.

Wire      one byte 0, the number of the schema in four bytes, Avro binary
Kept      schemas by number: a number never changes its meaning
Spec      docs.confluent.io/platform/current/schema-registry/fundamentals/serdes-develop (wire format)
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import msgspec

from events.clients.avro import NotAvro, compiled, from_json, to_json
from events.clients.exchange import Answer, Sending, exchange
from events.clients.http import Sessions, check_url, retry_after, shown
from events.clients.secrets import Ref, Secrets, secret
from events.errors import Permanent, Retryable

if TYPE_CHECKING:
    from events.api.common import SchemaRegistry

TIMEOUT = 10.0
"""Seconds for one schema."""

MAX_SCHEMA = 1 << 20
KEPT = 1000
"""Schemas that are kept."""


class Registry(msgspec.Struct, frozen=True):
    """Where and as whom, without the secrets themselves."""

    url: str
    user: Ref | None = None
    password: Ref | None = None

    @classmethod
    def of(cls, spec: SchemaRegistry) -> Registry:
        """Raises ValueError for a URL that cannot be called."""
        auth = spec.auth
        if auth is None or not (auth.username and auth.password):
            return cls(check_url(spec.url).rstrip("/"))
        return cls(check_url(spec.url).rstrip("/"), secret(auth.username), secret(auth.password))


class Found(msgspec.Struct):
    """A schema as the registry tells it."""

    text: str = msgspec.field(name="schema")
    kind: str = msgspec.field(name="schemaType", default="AVRO")


class Schemas:
    """Schemas of one registry, fetched once."""

    def __init__(self, registry: Registry, secrets: Secrets, sessions: Sessions) -> None:
        self._registry, self._secrets, self._sessions = registry, secrets, sessions
        self._known: dict[int, Any] = {}

    async def get(self, number: int) -> Any:
        """The schema, ready for use. Raises Retryable, Permanent, NotAvro for a number that nobody knows."""
        if number not in self._known:
            if len(self._known) >= KEPT:
                self._known.clear()
            self._known[number] = await self._fetch(number)
        return self._known[number]

    async def _fetch(self, number: int) -> Any:
        url = f"{self._registry.url}/schemas/ids/{number}"
        place = f"schema registry {shown(url)}"
        headers = {"Accept": "application/vnd.schemaregistry.v1+json"} | await self._login()
        sending = Sending("GET", url, headers, None, TIMEOUT, frozenset({"authorization"}))
        return self._read(await exchange(self._sessions.get(), sending, kept=MAX_SCHEMA), number, place)

    def _read(self, answer: Answer, number: int, place: str) -> Any:
        if answer.status == 404:
            raise NotAvro(f"{place}: there is no schema {number}")
        if answer.status in (401, 403):
            raise Permanent(f"{place}: the login was refused: check the secrets of schemaRegistry.auth")
        if answer.status != 200:
            raise Retryable(f"{place}: it answered {answer.status}", retry_after(
                answer.headers.get("retry-after", ""), time.time_ns()))  # fmt: skip
        return schema_of(answer.text, place)

    async def _login(self) -> dict[str, str]:
        registry = self._registry
        if registry.user is None or registry.password is None:
            return {}
        import aiohttp

        user, password = await self._secrets.read(registry.user), await self._secrets.read(registry.password)
        return {"Authorization": aiohttp.encode_basic_auth(user, password)}

    async def decode(self, value: bytes) -> bytes:
        """The JSON text of a value. Raises NotAvro, Retryable, Permanent."""
        if len(value) < 5 or value[0]:
            raise NotAvro("the value is not Avro with the number of a schema before it")
        return to_json(value[5:], await self.get(int.from_bytes(value[1:5], "big")))

    async def encode(self, text: str, number: int) -> bytes:
        """The value for a JSON text. Raises NotAvro, Retryable, Permanent."""
        return b"\0" + number.to_bytes(4, "big") + from_json(text, await self.get(number))


def schema_of(text: bytes, place: str) -> Any:
    """The schema in an answer. Raises NotAvro for one of another kind, Retryable for another answer.

    A topic may have values of several schemas: one that cannot be used is no fault of the others.
    """
    try:
        found = msgspec.json.decode(text, type=Found)
    except msgspec.DecodeError as exc:
        raise Retryable(f"{place}: the answer is none of a schema registry: {exc}") from exc
    if found.kind != "AVRO":
        raise NotAvro(f"{place}: the schema is {found.kind}, not Avro")
    try:
        return compiled(found.text)
    except ValueError as exc:
        raise NotAvro(f"{place}: the schema cannot be used: {exc}") from exc

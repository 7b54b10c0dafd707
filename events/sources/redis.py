"""redis: messages of Redis pub/sub channels.

Spec      EventSource.spec.redis.<eventName>
Payload   {channel, pattern, body, metadata}; body is text
Delivery  at most once: Redis keeps nothing for a source that is away
Upstream  pkg/eventsources/sources/redis/start.go
"""

from __future__ import annotations

from collections.abc import Iterable

from pydantic import Field

from events.api.common import TLS, Int32, NonEmpty, Problem, SecretKeySelector, Strings, check_tls
from events.api.eventsource import BodySourceConfig


class RedisConfig(BodySourceConfig):
    """Some channels of one server."""

    host_address: NonEmpty = Field(description="host:port of the server")
    password: SecretKeySelector | None = Field(None, description="Secret key with the password")
    namespace: str = Field("", description="not used; upstream wants it beside a password")
    db: Int32 = Field(0, description="number of the database")
    channels: Strings = Field(description="names of the channels")
    tls: TLS | None = Field(None, description="certificates of the connection")
    username: str = Field("", description="user name")

    def problems(self) -> Iterable[Problem]:
        """Whole certificates."""
        if self.password and not self.namespace:
            hint = "write the namespace of the Secret; upstream refuses a password without it"
            yield Problem("namespace", "is empty", hint, "upstream-refuses", "warning")
        yield from check_tls(self.tls)

"""redisStream: entries of Redis streams, read as a consumer group.

Spec      EventSource.spec.redisStream.<eventName>
Payload   {stream, message_id, values, metadata}; values is a map of text
Delivery  at least once: an entry is acknowledged only after the bus has stored the event
Upstream  pkg/eventsources/sources/redis_stream/start.go
"""

from __future__ import annotations

from collections.abc import Iterable

from pydantic import Field

from events.api.common import TLS, Int32, NonEmpty, Problem, SecretKeySelector, Strings, check_tls
from events.api.eventsource import FilteredSourceConfig


class RedisStreamConfig(FilteredSourceConfig):
    """Some streams of one server."""

    host_address: NonEmpty = Field(description="host:port of the server")
    password: SecretKeySelector | None = Field(None, description="Secret key with the password")
    db: Int32 = Field(0, description="number of the database")
    streams: Strings = Field(description="names of the streams")
    max_msg_count_per_read: Int32 = Field(0, description="entries asked for at once; 10 when 0")
    consumer_group: str = Field("", description="name of the group; argo-events-cg when empty")
    tls: TLS | None = Field(None, description="certificates of the connection")
    username: str = Field("", description="user name")

    def problems(self) -> Iterable[Problem]:
        """Whole certificates."""
        return check_tls(self.tls)

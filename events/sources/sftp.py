"""sftp: files that appear or vanish in a folder of an SFTP server.

Spec      EventSource.spec.sftp.<eventName>
Payload   {name, op, metadata}; op is 1 for CREATE, 4 for REMOVE
Delivery  at least once: what was seen is remembered only after the bus has stored the event
Upstream  pkg/eventsources/sources/sftp/start.go
"""

from __future__ import annotations

from collections.abc import Iterable

from pydantic import Field

from events.api.common import NonEmpty, Problem, SecretKeySelector, check_duration
from events.api.eventsource import FilteredSourceConfig, WatchPath

EVENT_TYPES = ("CREATE", "REMOVE")


class SFTPConfig(FilteredSourceConfig):
    """One folder."""

    event_type: NonEmpty = Field(description="CREATE or REMOVE")
    watch_path_config: WatchPath = Field(description="which files count")
    username: SecretKeySelector = Field(description="Secret key with the user name")
    password: SecretKeySelector | None = Field(None, description="Secret key with the password")
    ssh_key_secret: SecretKeySelector | None = Field(
        None, description="Secret key with the private key; wins over the password"
    )
    address: SecretKeySelector = Field(description="Secret key with host:port of the server")
    poll_interval_duration: str = Field("", description="time between two looks; 10s when empty")

    def problems(self) -> Iterable[Problem]:
        """A change that is noticed, a login, a duration."""
        if self.event_type not in EVENT_TYPES:
            said = f"{self.event_type!r} is never noticed"
            yield Problem("eventType", said, "CREATE or REMOVE", "choice", "warning")
        if not (self.password or self.ssh_key_secret):
            yield Problem("", "has neither password nor sshKeySecret", "write one of them", "required")
        yield from check_duration(self.poll_interval_duration, "pollIntervalDuration")

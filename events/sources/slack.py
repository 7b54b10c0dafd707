"""slack: events, commands and interactions of a Slack app.

Spec      EventSource.spec.slack.<eventName>
Payload   what Slack sent: {type, Data} of an event, the fields of a command, or an interaction
Delivery  at least once: 200 is answered only after the bus has stored the event
Upstream  pkg/eventsources/sources/slack/start.go
"""

from __future__ import annotations

from pydantic import Field

from events.api.common import SecretKeySelector
from events.api.eventsource import HookSourceConfig


class SlackConfig(HookSourceConfig):
    """The endpoint of one app."""

    signing_secret: SecretKeySelector = Field(description="Secret key with the secret that signs requests")
    token: SecretKeySelector = Field(description="Secret key with the verification token")

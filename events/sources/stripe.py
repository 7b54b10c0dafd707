"""stripe: webhooks of a Stripe account.

Spec      EventSource.spec.stripe.<eventName>
Payload   {event, metadata}; event is Stripe's event object
Delivery  at least once: 200 is answered only after the bus has stored the event; the id of the event
          makes a redelivery harmless
Upstream  pkg/eventsources/sources/stripe/start.go
"""

from __future__ import annotations

from collections.abc import Iterable

from pydantic import Field

from events.api.common import Problem, SecretKeySelector, Strings
from events.api.eventsource import SourceConfig, WebhookContext


class StripeConfig(SourceConfig):
    """The endpoint of one account."""

    webhook: WebhookContext = Field(description="endpoint that Stripe calls")
    create_webhook: bool = Field(False, description="register the endpoint when the source starts")
    api_key: SecretKeySelector | None = Field(None, description="Secret key with the API key; to register")
    event_filter: Strings = Field([], description="types of events that count; all when empty")

    def problems(self) -> Iterable[Problem]:
        """A key to register with."""
        if self.create_webhook and not self.api_key:
            hint = "as in apiKey: {name: SECRET, key: KEY}"
            yield Problem("apiKey", "is missing, but createWebhook is true", hint, "required")

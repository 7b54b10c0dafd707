"""pubSub: messages of one Google Cloud Pub/Sub subscription.

Spec      EventSource.spec.pubSub.<eventName>
Payload   {id, body, attributes, publishTime, metadata}
Delivery  at least once: a message is acknowledged only after the bus has stored the event
Upstream  pkg/eventsources/sources/gcppubsub/start.go
"""

from __future__ import annotations

from collections.abc import Iterable

from pydantic import Field

from events.api.common import Problem, SecretKeySelector
from events.api.eventsource import BodySourceConfig


class PubSubConfig(BodySourceConfig):
    """One subscription; it is created where only the topic is given."""

    project_id: str = Field(
        "", alias="projectID", description="project of the subscription; asked from the machine when empty"
    )
    topic_project_id: str = Field("", alias="topicProjectID", description="project of the topic")
    topic: str = Field("", description="id of the topic")
    subscription_id: str = Field(
        "", alias="subscriptionID", description="id of the subscription; made from the config when empty"
    )
    credential_secret: SecretKeySelector | None = Field(
        None, description="Secret key with a service account as JSON; without it default credentials"
    )
    delete_subscription_on_finish: bool = Field(
        False, description="delete the subscription when the source stops"
    )

    def problems(self) -> Iterable[Problem]:
        """A topic or a subscription."""
        if self.topic_project_id and not self.topic:
            yield Problem("topicProjectID", "is there without topic", "write topic as well", "required")
        if not (self.topic or self.subscription_id):
            yield Problem("", "has neither topic nor subscriptionID", "write one of them", "required")

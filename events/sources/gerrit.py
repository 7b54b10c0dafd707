"""gerrit: webhooks of Gerrit projects, registered through its webhooks plugin.

Spec      EventSource.spec.gerrit.<eventName>
Payload   {headers, body, metadata}; body is the JSON of the delivery
Delivery  at least once: 200 is answered only after the bus has stored the event
Upstream  pkg/eventsources/sources/gerrit/start.go
"""

from __future__ import annotations

from collections.abc import Iterable

from pydantic import Field

from events.api.common import BasicAuth, Int64, NonEmpty, Problem, Strings, check_login
from events.api.eventsource import HookSourceConfig


class GerritConfig(HookSourceConfig):
    """Webhooks of projects."""

    hook_name: str = Field("", description="name of the remote in the webhooks plugin")
    events: Strings = Field(description="stream event types to register for, as in patchset-created")
    auth: BasicAuth = Field(description="login to the API")
    gerrit_base_url: NonEmpty = Field(alias="gerritBaseURL", description="URL of the server")
    delete_hook_on_finish: bool = Field(False, description="delete the webhooks when the source stops")
    projects: Strings = Field(min_length=1, description="projects to be called by")
    ssl_verify: bool = Field(False, description="let Gerrit verify our certificate")
    max_tries: Int64 = Field(0, description="how often Gerrit tries to deliver; its own default when 0")

    def problems(self) -> Iterable[Problem]:
        """A whole login."""
        return check_login(self.auth, severity="warning")

"""gitlab: webhooks of GitLab projects and groups, registered through its API.

Spec      EventSource.spec.gitlab.<eventName>
Payload   {headers, body, metadata}; body is the JSON of the delivery
Delivery  at least once: 200 is answered only after the bus has stored the event
Upstream  pkg/eventsources/sources/gitlab/start.go
"""

from __future__ import annotations

from pydantic import Field

from events.api.common import NonEmpty, SecretKeySelector, Strings
from events.api.eventsource import HookSourceConfig


class GitlabConfig(HookSourceConfig):
    """Webhooks of projects and groups."""

    project_id: str = Field("", alias="projectID", description="one project; write projects instead")
    projects: Strings = Field([], description="ids or paths of projects to be called by")
    groups: Strings = Field([], description="ids or paths of groups to be called by")
    events: Strings = Field(description="events to register for, as in PushEvents")
    access_token: SecretKeySelector = Field(description="Secret key with a token of the API")
    enable_ssl_verification: bool = Field(
        False, alias="enableSSLVerification", description="let GitLab verify our certificate"
    )
    gitlab_base_url: NonEmpty = Field(alias="gitlabBaseURL", description="URL of the server")
    delete_hook_on_finish: bool = Field(False, description="delete the webhooks when the source stops")
    secret_token: SecretKeySelector | None = Field(None, description="token that every delivery must carry")

    @property
    def all_projects(self) -> list[str]:
        """`projects`, or the deprecated projectID."""
        return self.projects or ([self.project_id] if self.project_id else [])

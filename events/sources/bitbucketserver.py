"""bitbucketserver: webhooks of Bitbucket Server repositories, registered through its API.

Spec      EventSource.spec.bitbucketserver.<eventName>
Payload   {headers, body, metadata}; body is the JSON of the delivery
Delivery  at least once: 200 is answered only after the bus has stored the event
Upstream  pkg/eventsources/sources/bitbucketserver/start.go
"""

from __future__ import annotations

from collections.abc import Iterable

from pydantic import Field

from events.api.common import (
    TLS,
    Model,
    NonEmpty,
    Problem,
    SecretKeySelector,
    Strings,
    check_duration,
    check_tls,
)
from events.api.eventsource import HookSourceConfig


class BitbucketServerRepository(Model):
    """One repository."""

    project_key: NonEmpty = Field(description="key of the project")
    repository_slug: NonEmpty = Field(description="name of the repository as in its URL")


class BitbucketServerConfig(HookSourceConfig):
    """Webhooks of repositories and projects."""

    project_key: str = Field("", description="project of repositorySlug; write repositories instead")
    repository_slug: str = Field("", description="one repository; write repositories instead")
    projects: Strings = Field([], description="keys of projects: every repository of these")
    repositories: list[BitbucketServerRepository] = Field([], description="repositories to be called by")
    events: Strings = Field([], description="events to register for, as in repo:refs_changed")
    skip_branch_refs_changed_on_open_pr: bool = Field(
        False,
        alias="skipBranchRefsChangedOnOpenPR",
        description="drop changes of branches that have an open pull request; needs accessToken",
    )
    one_event_per_change: bool = Field(False, description="one event for each change of repo:refs_changed")
    access_token: SecretKeySelector | None = Field(None, description="Secret key with a token of the API")
    webhook_secret: SecretKeySelector | None = Field(None, description="secret that signs the deliveries")
    bitbucketserver_base_url: NonEmpty = Field(
        alias="bitbucketserverBaseURL", description="REST root of the server, ends in /rest"
    )
    delete_hook_on_finish: bool = Field(False, description="delete the webhooks when the source stops")
    tls: TLS | None = Field(None, description="certificates of the connection to the API")
    check_interval: str = Field("", description="time between two checks of the webhooks; 1m when empty")

    @property
    def all_repositories(self) -> list[BitbucketServerRepository]:
        """`repositories`, or the deprecated pair of projectKey and repositorySlug."""
        if self.repositories or not (self.project_key and self.repository_slug):
            return self.repositories
        return [BitbucketServerRepository(project_key=self.project_key, repository_slug=self.repository_slug)]

    @property
    def registers(self) -> bool:
        """True when webhooks are created: there is a token, a public URL and something to register at."""
        targets = self.all_repositories or self.projects
        return bool(self.access_token and self.webhook.url and targets)

    def problems(self) -> Iterable[Problem]:
        """Events to register for, a duration, whole certificates."""
        if self.registers and not self.events:
            hint = 'as in events: ["repo:refs_changed"]'
            yield Problem("events", "is empty, but webhooks are to be created", hint, "required")
        yield from check_duration(self.check_interval, "checkInterval")
        yield from check_tls(self.tls, severity="warning")

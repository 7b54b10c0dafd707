"""bitbucket: webhooks of Bitbucket Cloud repositories, registered through its API.

Spec      EventSource.spec.bitbucket.<eventName>
Payload   {headers, body, metadata}; body is the JSON of the delivery
Delivery  at least once: 200 is answered only after the bus has stored the event
Upstream  pkg/eventsources/sources/bitbucket/start.go
"""

from __future__ import annotations

from collections.abc import Iterable

from pydantic import Field

from events.api.common import Model, NonEmpty, Problem, SecretKeySelector, Strings
from events.api.eventsource import HookSourceConfig


class BitbucketBasicAuth(Model):
    """User name and app password."""

    username: SecretKeySelector = Field(description="Secret key with the user name")
    password: SecretKeySelector = Field(description="Secret key with the app password")


class BitbucketAuth(Model):
    """Login to the API."""

    basic: BitbucketBasicAuth | None = Field(None, description="user name and app password")
    oauth_token: SecretKeySelector | None = Field(None, description="Secret key with an OAuth token")


class BitbucketRepository(Model):
    """One repository."""

    owner: NonEmpty = Field(description="user or workspace")
    repository_slug: NonEmpty = Field(description="name of the repository as in its URL")


class BitbucketConfig(HookSourceConfig):
    """Webhooks of repositories."""

    auth: BitbucketAuth | None = Field(None, description="login to the API; webhooks are created with it")
    events: Strings = Field([], description="events to register for, as in repo:push")
    repositories: list[BitbucketRepository] = Field([], description="repositories to be called by")
    owner: str = Field("", description="owner of repositorySlug; write repositories instead")
    repository_slug: str = Field("", description="one repository; write repositories instead")
    project_key: str = Field("", description="not used")
    delete_hook_on_finish: bool = Field(False, description="delete the webhooks when the source stops")

    @property
    def all_repositories(self) -> list[BitbucketRepository]:
        """`repositories`, or the deprecated pair of owner and repositorySlug."""
        if self.repositories or not (self.owner and self.repository_slug):
            return self.repositories
        return [BitbucketRepository(owner=self.owner, repository_slug=self.repository_slug)]

    @property
    def registers(self) -> bool:
        """True when webhooks are created: there is a login and a public URL."""
        return bool(self.auth and (self.auth.basic or self.auth.oauth_token) and self.webhook.url)

    def problems(self) -> Iterable[Problem]:
        """Repositories, and events to register for."""
        if not self.all_repositories:
            hint = "as in repositories: [{owner: OWNER, repositorySlug: NAME}]"
            yield Problem("repositories", "is empty", hint, "required")
        if self.registers and not self.events:
            hint = 'as in events: ["repo:push"]'
            yield Problem("events", "is empty, but webhooks are to be created", hint, "required")

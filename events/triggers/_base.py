"""What every trigger is: a config model, a pure `compile` that renders requests, and a `fire` that sends one.

compile  once per config, at load: returns the function that makes the Request of a firing (pure, no I/O)
fire     sends a Request once; an answer is an Outcome, no answer is Retryable or Permanent
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar, Generic, NamedTuple, Protocol, TypeVar, cast

from events.event import Firing, Outcome, Request

if TYPE_CHECKING:
    import logging

    from events.api.sensor import TriggerConfig
    from events.clients.http import Sessions
    from events.clients.secrets import Secrets
    from events.kube._base import Objects

    Config = TypeVar("Config", bound=TriggerConfig)
else:
    Config = TypeVar("Config")

Sent = TypeVar("Sent", bound=Request)
Render = Callable[[Firing], Request]
"""Raises EvaluationError."""


class Closable(Protocol):
    async def aclose(self) -> None: ...


Pool = TypeVar("Pool", bound=Closable)


class Shared:
    """Pools of connections that all triggers of the process share, made by whoever asks first.

    A trigger that keeps connections keeps them here: they are closed when the process ends.
    """

    def __init__(self) -> None:
        self._made: dict[type[Any], Closable] = {}

    def get(self, cls: type[Pool], make: Callable[[], Pool]) -> Pool:
        """The one pool of a class; it tells logins apart by what the secrets hold."""
        if cls not in self._made:
            self._made[cls] = make()
        return cast("Pool", self._made[cls])

    async def aclose(self) -> None:
        made, self._made = self._made, {}
        for pool in made.values():
            await pool.aclose()


class TriggerContext(NamedTuple):
    """What the runtime lends to a trigger. One per namespace and kind: no state of one sensor in it."""

    namespace: str
    secrets: Secrets
    sessions: Sessions
    shared: Shared
    objects: Objects
    """Kubernetes objects: the local store, or a real API server."""
    now_ns: Callable[[], int]
    log: logging.Logger


class Trigger(ABC, Generic[Config, Sent]):
    """One kind of trigger. An instance is shared by all triggers of the kind in a namespace."""

    kind: ClassVar[str]
    extra: ClassVar[str | None] = None
    requires: ClassVar[tuple[str, ...]] = ()
    request: ClassVar[type[Request]]
    """The Request subclass, so that a parked request can be read back."""
    resource: ClassVar[bool] = False
    """`parameters` of the config edit the object in `source` (k8s, argoWorkflow), not the config itself."""

    def __init__(self, ctx: TriggerContext) -> None:
        self.ctx = ctx

    @classmethod
    @abstractmethod
    def compile(cls, cfg: Config) -> Render:
        """Raises ManifestError for a config that can never work, ExpressionError for text that is wrong."""

    @abstractmethod
    async def fire(self, request: Sent, firing: str) -> Outcome:
        """Send once; `firing` is the firing id. Raises Retryable or Permanent."""

    async def observe(self, outcome: Outcome) -> dict[str, Any] | None:
        """Look again at the object that an attempt made (policy.k8s). None: it is not there."""
        return outcome.object

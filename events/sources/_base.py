"""What every event source is: a config model and a `run` that hands payloads to `emit`.

A source never sees a bus. It acknowledges its remote side only after `emit` returned.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, ClassVar, Generic, Literal, NamedTuple, Protocol, TypeVar

if TYPE_CHECKING:
    import logging

    from events.api.eventsource import SourceConfig
    from events.clients.http import Sessions
    from events.clients.secrets import Secrets
    from events.kube._base import Objects
    from events.web.listeners import Listeners

    Config = TypeVar("Config", bound=SourceConfig)
else:
    Config = TypeVar("Config")

Replay = Literal["acked", "cursor", "none"]
"""How nothing is lost: the remote side is acknowledged, a place is stored with the event, or not at all."""


class Payload(NamedTuple):
    """One event before it is wrapped: JSON bytes; `id` from outside makes redelivery harmless."""

    data: bytes
    id: str | None = None
    time_ns: int | None = None


class Emit(Protocol):
    """Stores events. Returns when the bus has them (or the source's filter dropped them)."""

    def __call__(self, payloads: Sequence[Payload], cursor: bytes | None = None) -> Awaitable[None]:
        """Raises Retryable (bus down or full: nothing was stored), TooLarge."""
        ...


class SourceContext(NamedTuple):
    """What the runtime lends to a source."""

    namespace: str
    source: str
    event: str
    secrets: Secrets
    listeners: Listeners
    sessions: Sessions
    objects: Objects
    """Kubernetes objects: the local store, or a real API server."""
    cursor: Callable[[], Awaitable[bytes | None]]
    """The newest cursor that was given to `emit`."""
    ready: Callable[[], None]
    """Say so when the source listens; it stays ready until `run` ends or `trouble` is told."""
    trouble: Callable[[str], None]
    """A fault that does not end `run`: shown by /readyz and `events get sources` until `ready`."""
    overflow: Callable[[int], None]
    """Count messages that were dropped because a buffer was full."""
    failed: Callable[[int], None]
    """Count messages that cannot become events."""
    now_ns: Callable[[], int]
    log: logging.Logger

    @property
    def label(self) -> str:
        """`ci/github.push` of EventSource ci/github, event push: for messages and metrics."""
        return f"{self.namespace}/{self.source}.{self.event}"


class Source(ABC, Generic[Config]):
    """One event of one EventSource. `kind` is the spec key; `extra` what `pip install` needs for it."""

    kind: ClassVar[str]
    extra: ClassVar[str | None] = None
    requires: ClassVar[tuple[str, ...]] = ()
    """Import names that must be there."""
    replay: ClassVar[Replay]
    leader_only: ClassVar[bool] = False
    """Runs in one process of several (upstream's active-passive kinds)."""

    def __init__(self, cfg: Config, ctx: SourceContext) -> None:
        self.cfg, self.ctx = cfg, ctx

    @abstractmethod
    async def run(self, emit: Emit) -> None:
        """Ends by cancellation only. Raises Retryable (restarted after a pause) or Permanent (long after)."""

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.ctx.label}>"

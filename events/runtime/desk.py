"""What the tools can ask of an instance: the same whether it runs or only its data folder is there."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import orjson

from events import cloudevents
from events.bus._base import Bus
from events.errors import Permanent
from events.event import Event
from events.runtime.history import History


class Desk(Protocol):
    """A running instance (`Standalone`), or a data folder without one (`Offline`)."""

    @property
    def history(self) -> History: ...

    def status(self) -> dict[str, Any]: ...

    async def objects(self, kind: str | None, namespace: str | None) -> list[dict[str, Any]]: ...

    async def retry(self, firing: str, *, render: bool) -> bool:
        """Send a dead letter again; False when there is none of that id. Raises Permanent."""
        ...

    async def publish(self, namespace: str, bus: str, events: Any) -> list[dict[str, Any]]:
        """Store a list of CloudEvents (decoded JSON). Raises ValueError, Retryable, Permanent."""
        ...

    async def reload(self) -> list[dict[str, Any]]:
        """Read the manifests again; what is wrong with them."""
        ...


def read_events(events: Any, namespace: str) -> list[Event]:
    """CloudEvents in decoded JSON. Raises ValueError saying which one is wrong."""
    if not isinstance(events, list) or not events:
        raise ValueError("parameter 'events' has to be a list of CloudEvents")
    found = []
    for number, one in enumerate(events):
        try:
            found.append(cloudevents.decode(orjson.dumps(one), namespace))
        except (
            ValueError,
            TypeError,
            RecursionError,
        ) as exc:  # orjson: numbers, texts, depth it cannot write
            raise ValueError(f"event {number}: {exc}") from exc
    return found


async def publish_to(bus: Bus | None, events: Sequence[Event], name: str) -> list[dict[str, Any]]:
    """Store events and say what became of each. Raises Permanent when there is no such bus."""
    if bus is None:
        raise Permanent(f"there is no bus {name}")
    stored = await bus.publish(events)
    return [
        {"id": event.id, "source": event.source, "subject": event.subject, "duplicate": one.duplicate}
        for event, one in zip(events, stored, strict=True)
    ]

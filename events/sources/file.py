"""file: changes of files in a folder of this machine.

Spec      EventSource.spec.file.<eventName>
Payload   {name, op, metadata}; op is a bit mask: CREATE 1, WRITE 2, REMOVE 4, RENAME 8, CHMOD 16
Delivery  none: changes while the source is down are not seen
Upstream  pkg/eventsources/sources/file/start.go
"""

from __future__ import annotations

from collections.abc import Iterable

from pydantic import Field

from events.api.common import NonEmpty, Problem
from events.api.eventsource import FilteredSourceConfig, WatchPath

EVENT_TYPES = ("CREATE", "WRITE", "REMOVE", "RENAME", "CHMOD", "MOVE")


class FileConfig(FilteredSourceConfig):
    """One kind of change in one folder."""

    event_type: NonEmpty = Field(description=f"one of {', '.join(EVENT_TYPES)}; MOVE with polling only")
    watch_path_config: WatchPath = Field(description="which files count")
    polling: bool = Field(False, description="look at the folder again and again instead of being told")

    def problems(self) -> Iterable[Problem]:
        """A change that can happen."""
        if self.event_type not in EVENT_TYPES:
            said = f"{self.event_type!r} never happens"
            yield Problem("eventType", said, f"one of {', '.join(EVENT_TYPES)}", "choice", "warning")

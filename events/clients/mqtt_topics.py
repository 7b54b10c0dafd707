"""Topic filters of MQTT 3.1.1. Pure.

Spec  docs.oasis-open.org/mqtt/mqtt/v3.1.1, chapter 4.7; shared subscriptions as in MQTT 5, chapter 4.8.2
"""

from __future__ import annotations

SHARED = "$share"

AS_THEY_ARE = ("$SYS", SHARED)
"""What else begins with `$` is an extension of a broker, as `$queue/FILTER` of EMQX: it covers all."""


class TopicFilter:
    """`a/+/b`, `a/#`, also behind `$share/GROUP/`."""

    def __init__(self, text: str) -> None:
        levels = text.split("/")
        self._unknown = levels[0].startswith("$") and levels[0] not in AS_THEY_ARE
        self._levels = levels[2:] if levels[0] == SHARED and len(levels) > 2 else levels

    def covers(self, topic: str) -> bool:
        """Wildcards at the front leave out the topics of the broker itself, which begin with `$`."""
        if self._unknown:
            return True
        levels, found = self._levels, topic.split("/")
        if topic.startswith("$") and levels[0] in {"#", "+"}:
            return False
        if levels[-1] == "#":
            levels = levels[:-1]
            if len(found) < len(levels):
                return False
        elif len(found) != len(levels):
            return False
        return all(level in {"+", name} for level, name in zip(levels, found, strict=False))

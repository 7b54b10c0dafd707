"""log: writes the events of a firing to the log.

Spec      Sensor.spec.triggers[].template.log
Sends     one line per event: data as text when it is JSON or plain text, else base64
Outcome   always done
Upstream  pkg/sensors/triggers/log/log.go
"""

from __future__ import annotations

from base64 import b64encode
from typing import Any, ClassVar

import msgspec
from pydantic import Field

from events.api.common import Int64
from events.api.sensor import TriggerConfig
from events.event import JSON, Event, Firing, Outcome, Request
from events.sensors.parameters import context_json
from events.triggers._base import Render, Trigger, TriggerContext


class LogConfig(TriggerConfig):
    """What is logged how often."""

    interval_seconds: Int64 = Field(0, description="at most one line in so many seconds; 0 logs every firing")


class Line(msgspec.Struct):
    """One event, as it is logged."""

    dependency: str
    context: dict[str, Any]
    text: str


class LogRequest(Request, kw_only=True):
    """`trigger` is its label, `interval` the seconds in which it logs once."""

    trigger: str
    lines: list[Line]
    interval: int = 0


class LogTrigger(Trigger[LogConfig, LogRequest]):
    """Logs at level info."""

    kind: ClassVar[str] = "log"
    request: ClassVar[type[Request]] = LogRequest

    def __init__(self, ctx: TriggerContext) -> None:
        super().__init__(ctx)
        self._last: dict[str, int] = {}

    @classmethod
    def compile(cls, cfg: LogConfig) -> Render:
        def render(firing: Firing) -> LogRequest:
            lines = [Line(name, context_json(event), text_of(event)) for name, event in firing.events.items()]
            label = f"{firing.namespace}/{firing.sensor}.{firing.trigger}"
            return LogRequest(trigger=label, lines=lines, interval=cfg.interval_seconds)

        return render

    async def fire(self, request: LogRequest, firing: str) -> Outcome:
        """Raises nothing."""
        if not self._due(request):
            return Outcome(detail="not logged: the interval is not over")
        for line in request.lines:
            self.ctx.log.info(
                "%s", line.text,
                extra={
                    "triggerName": request.trigger, "triggerType": "Log", "dependencyName": line.dependency,
                    "eventContext": line.context,
                },
            )  # fmt: skip
        number = len(request.lines)
        return Outcome(detail=f"{number} {'line' if number == 1 else 'lines'} logged")

    def _due(self, request: LogRequest) -> bool:
        if not request.interval:
            return True
        now = self.ctx.now_ns()
        last = self._last.get(request.trigger)
        if last is not None and now - last < request.interval * 1_000_000_000:
            return False
        self._last[request.trigger] = now
        return True


def text_of(event: Event) -> str:
    """The data as text when it is JSON or plain text, else in base64."""
    media = event.datacontenttype.partition(";")[0].strip().lower()
    data = event.data or b""
    return data.decode(errors="replace") if media in {JSON, "text/plain"} else b64encode(data).decode()

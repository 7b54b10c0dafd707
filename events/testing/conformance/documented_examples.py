"""Family documented_examples: shipped manifests of upstream, end to end without effects."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson
import yaml

from events.event import FIRED, WAITING, Event
from events.lang.document import Document
from events.lang.path import compile_path
from events.manifest import load_objects
from events.runtime.plans import SensorPlan, compile_sensor
from events.runtime.simulation import Action, Simulation
from events.testing.conformance import NOT_RUN
from events.testing.conformance._events import by_kind, event_of


def run(given: Mapping[str, Any], fixtures: Mapping[str, Any], corpus: Path | None) -> Any:
    """What every event starts; not run without the corpus."""
    if corpus is None:
        return NOT_RUN
    plan = sensor_of(corpus / "argo-events" / given["manifest"].removeprefix("examples/"), given)
    simulation = Simulation([plan])
    return {
        "per_event": [
            seen(
                simulation,
                plan,
                event_of({**fixtures[one["fixture"]], **one.get("override", {})}, one.get("data")),
            )
            for one in given["events"]
        ]
    }


def sensor_of(file: Path, given: Mapping[str, Any]) -> SensorPlan:
    documents = [one for one in yaml.safe_load_all(file.read_text()) if one and one.get("kind") == "Sensor"]
    for path in given.get("changes", {}).get("remove", ()):
        remove(documents[0], path.split("."))
    loaded = load_objects([repaired(one) for one in documents])
    return compile_sensor(loaded.sensors[0])


def repaired(sensor: Any) -> Any:
    """One shipped example writes `serverURL` where `url` is needed; what it sends is judged all the same."""
    for trigger in sensor["spec"]["triggers"]:
        http = trigger["template"].get("http", {})
        if "serverURL" in http:
            http["url"] = http.pop("serverURL")
    return sensor


def remove(document: Any, path: list[str]) -> None:
    for part in path[:-1]:
        document = document[int(part)] if isinstance(document, list) else document[part]
    del document[int(path[-1]) if isinstance(document, list) else path[-1]]


def seen(simulation: Simulation, plan: SensorPlan, event: Event) -> dict[str, Any]:
    outcome = simulation.show(event)
    verdicts = [shown.verdict for shown in outcome.verdicts]
    found: dict[str, Any] = {"actions": [action_of(one) for one in outcome.actions if one.result != WAITING]}
    if verdicts:
        found["filter"] = filter_word(verdicts)
        found["by_kind"] = kinds_of(plan, event)
    return found


def filter_word(verdicts: list[Any]) -> str:
    if any(verdict.event is not None for verdict in verdicts):
        return "pass"
    return "error" if any(verdict.result.endswith("error") for verdict in verdicts) else "reject"


def kinds_of(plan: SensorPlan, event: Event) -> dict[str, str]:
    found: dict[str, str] = {}
    for dependency in plan.dependencies:
        if dependency.topic == (event.source, event.subject) and dependency.spec.filters is not None:
            found.update(by_kind(dependency.spec.filters, event))
    return found


def action_of(action: Action) -> dict[str, Any]:
    """The request as cases describe it."""
    if action.result != FIRED:
        return {"trigger": action.trigger, "outcome": "error"}
    request: Any = action.request
    found: dict[str, Any] = {"trigger": action.trigger}
    if hasattr(request, "object"):
        found["resource"] = Resource(request.object)
    if hasattr(request, "body") and hasattr(request, "method"):
        found |= {"http_body": request.body, "method": request.method}
    if hasattr(request, "invocation_type"):
        found["lambda"] = {"payload": request.payload, "invocationType": request.invocation_type}
    if hasattr(request, "message"):
        found["slack"] = {"channel": request.message["channel"], "message": request.message.get("text")}
    if hasattr(request, "recipients"):
        found["email"] = {
            "to": list(request.recipients), "subject": request.subject, "body": request.body,
            "body_starts_with": StartsWith(request.body),
        }  # fmt: skip
    return found


class Resource(dict[str, Any]):
    """An object that is asked by path, as the cases do. A generated name counts as its base."""

    def __init__(self, obj: dict[str, Any]) -> None:
        super().__init__(obj)
        self._document = Document(orjson.dumps(obj))

    def __contains__(self, path: object) -> bool:
        return compile_path(str(path)).get(self._document).exists

    def __getitem__(self, path: str) -> str:
        return compile_path(path).get(self._document).text


class StartsWith(str):
    """Equal to every beginning of itself."""

    __slots__ = ()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, str) and self.startswith(other)

    __hash__ = str.__hash__

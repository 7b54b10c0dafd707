"""What can be asked of an instance: one function per operation, from plain parameters to plain values.

The API of a running instance serves them; without one, the tools call them on the data folder.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeVar

import msgspec

from events.bus._base import DecisionQuery, EventQuery
from events.errors import NotThere
from events.event import RESULTS
from events.runtime.desk import Desk

Parameters = Mapping[str, Any]
Query = TypeVar("Query", EventQuery, DecisionQuery)
Operation = Callable[[Desk, Parameters], Awaitable[Any]]


async def status(desk: Desk, _: Parameters) -> Any:
    """Sources, sensors, buses, listeners, findings."""
    return desk.status()


async def events(desk: Desk, given: Parameters) -> Any:
    """Stored events; parameters are those of `EventQuery`."""
    return await desk.history.events(query(given, EventQuery), data=True)


async def decisions(desk: Desk, given: Parameters) -> Any:
    """Decisions; parameters are those of `DecisionQuery`, `results` a list or text with commas."""
    wanted = dict(given)
    if isinstance(wanted.get("results"), str):
        wanted["results"] = wanted["results"].split(",")
    found = query(wanted, DecisionQuery)
    unknown = sorted(set(found.results or ()) - set(RESULTS))
    if unknown:
        raise ValueError(f"no result is called {', '.join(unknown)}; there are {', '.join(RESULTS)}")
    return await desk.history.decisions(found)


async def objects(desk: Desk, given: Parameters) -> Any:
    """Local Kubernetes objects of a `kind` in a `namespace`."""
    return await desk.objects(given.get("kind"), given.get("namespace"))


async def explain(desk: Desk, given: Parameters) -> Any:
    """What became of the event with this `id`, and why. Raises NotThere."""
    found = await desk.history.explain(needed(given, "id"))
    if not found:
        raise NotThere(f"there is no event with id {given['id']}")
    return found


async def letters(desk: Desk, _: Parameters) -> Any:
    """All dead letters."""
    return await desk.history.letters()


async def letter(desk: Desk, given: Parameters) -> Any:
    """One dead letter of a `firing`, with its events and its request. Raises NotThere."""
    found = await desk.history.letter_body(needed(given, "firing"))
    if found is None:
        raise NotThere(f"there is no dead letter {given['firing']}")
    return found


async def retry(desk: Desk, given: Parameters) -> Any:
    """Send the dead letter of a `firing` again (`render`: rendered anew). Raises NotThere, Permanent."""
    firing = needed(given, "firing")
    if not await desk.retry(firing, render=str(given.get("render", "")).lower() in {"1", "true"}):
        raise NotThere(f"there is no dead letter {firing}")
    return {"firing": firing, "retried": True, "running": desk.status().get("running", True)}


async def publish(desk: Desk, given: Parameters) -> Any:
    """Store `events`, a list of CloudEvents in JSON, on a `bus` of a `namespace`."""
    return await desk.publish(
        str(given.get("namespace", "default")), str(given.get("bus", "default")), given.get("events")
    )


async def reload(desk: Desk, _: Parameters) -> Any:
    """Read the manifests again now; returns the findings."""
    return await desk.reload()


OPERATIONS: dict[str, Operation] = {
    "status": status, "events": events, "decisions": decisions, "objects": objects, "explain": explain,
    "letters": letters, "letter": letter, "retry": retry, "publish": publish, "reload": reload,
}  # fmt: skip

CHANGING = frozenset({"retry", "publish", "reload"})
"""Operations that change something: POST only."""


def query(given: Parameters, kind: type[Query]) -> Query:
    """The parameters as a query. Raises ValueError for unknown ones: a filter is never ignored."""
    unknown = sorted(given.keys() - set(kind.__struct_fields__))
    if unknown:
        raise ValueError(f"there is no parameter {', '.join(unknown)}")
    try:
        return msgspec.convert(dict(given), kind, strict=False)
    except msgspec.ValidationError as exc:
        raise ValueError(str(exc)) from exc


def needed(given: Parameters, name: str) -> str:
    """Raises ValueError when the parameter is missing."""
    value = given.get(name)
    if not value:
        raise ValueError(f"parameter {name!r} is missing")
    return str(value)

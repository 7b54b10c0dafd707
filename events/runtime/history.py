"""Questions to the history of the buses: events, decisions, dead letters, why something did not happen.

Works on the running instance and on its store alone.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import orjson

from events.bus._base import Bus, DecisionQuery, EventQuery
from events.event import FILTERED, TRIGGER_ROLE, Decision, Delivery, Event, Position
from events.runtime.plans import SensorPlan, TriggerPlan, compile_sensor
from events.runtime.records import Body, Parked, SensorRecord, decode, read_body, revision_key
from events.sensors.explain import Step, decisive, trace
from events.sensors.misses import near_misses
from events.sensors.moments import moment

PREVIEW = 64 * 1024
"""Bytes of a payload that are shown as JSON; larger ones are told by their size."""


class TriggerAccount(msgspec.Struct):
    """What became of one event at one trigger, newest decision first, and the steps that led there."""

    sensor: str
    trigger: str
    result: str
    reason: str
    decisions: list[Decision] = []
    steps: dict[str, list[Step]] = {}
    """Dependency -> its steps, recomputed with the revision that was in force."""
    hints: dict[str, list[str]] = {}
    """Dependency -> what its filters were probably meant to find, where one refuses."""
    firing: str | None = None
    link: str | None = None


class Account(msgspec.Struct):
    """Everything that is known of one event."""

    bus: str
    event: dict[str, Any]
    triggers: list[TriggerAccount]
    note: str = ""


class Letter(msgspec.Struct):
    """A firing that was given up and waits for the user."""

    firing: str
    bus: str
    sensor: str
    trigger: str
    role: str
    error: str
    attempts: int
    first_ns: int
    events: list[tuple[str, str, str, str]]
    """(dependency, source, subject, id)"""


def summary(found: Delivery, bus: str, *, data: bool = True) -> dict[str, Any]:
    """An event as tools show it: attributes, place, and the payload as JSON where it is that."""
    event = found.event
    shown: dict[str, Any] = {
        "bus": bus,
        "id": event.id,
        "source": event.source,
        "subject": event.subject,
        "type": event.type,
        "time": None if event.time_ns is None else moment(event.time_ns).isoformat(),
        "stored": moment(found.stored_ns).isoformat(),
        "position": f"{found.position.partition}-{found.position.offset}",
        "size": len(event.data or b""),
        "datacontenttype": event.datacontenttype,
    }
    if data:
        shown["data"] = payload(event)
    return shown


def payload(event: Event) -> Any:
    if event.data is None:
        return None
    if len(event.data) > PREVIEW:
        return f"({len(event.data)} bytes)"
    try:
        return orjson.loads(event.data)
    except ValueError:
        return event.data.decode(errors="replace")


class History:
    """Over all bus instances that this process, or this data folder, has."""

    def __init__(self, buses: Mapping[str, Bus]) -> None:
        """`buses` by name, `namespace/eventbus`; looked at anew for each question."""
        self._buses = buses

    async def events(self, query: EventQuery, *, data: bool = False) -> list[dict[str, Any]]:
        found = [(one, name) for name, bus in self._buses.items() for one in await bus.find_events(query)]
        found.sort(key=lambda pair: pair[0].stored_ns, reverse=query.newest_first)
        return [summary(one, name, data=data) for one, name in found[: query.limit]]

    async def decisions(self, query: DecisionQuery) -> list[Decision]:
        found = [one for bus in self._buses.values() for one in await bus.find_decisions(query)]
        found.sort(key=lambda one: one.time_ns, reverse=True)
        return found[: query.limit]

    async def letters(self) -> list[Letter]:
        """All dead letters, the oldest first."""
        found = [
            letter(name, firing, record)
            for name, bus in self._buses.items()
            for _, firing, record in await parked(bus)
            if record.due_ns is None
        ]
        return sorted(found, key=lambda one: one.first_ns)

    async def letter_body(self, firing: str) -> dict[str, Any] | None:
        """A dead letter (or a firing that waits) with its events and its rendered request."""
        for name, bus in self._buses.items():
            for shard, found, record in await parked(bus):
                if found == firing:
                    data = await read_body(bus, shard, firing, record.pieces)
                    return {**msgspec.to_builtins(letter(name, firing, record)), **body_view(data)}
        return None

    async def explain(self, event_id: str) -> list[Account]:
        """One account per event of that id (ids are unique per topic only)."""
        accounts = []
        for name, bus in self._buses.items():
            sensors = None
            for found in await bus.find_events(EventQuery(id=event_id)):
                sensors = sensors if sensors is not None else await known_sensors(bus)
                accounts.append(await self._account(name, bus, found, sensors))
        return accounts

    async def _account(self, name: str, bus: Bus, found: Delivery, sensors: Sequence[KnownSensor]) -> Account:
        decisions = await bus.find_decisions(DecisionQuery(event_id=found.event.id, limit=1000))
        mine = [one for one in decisions if found.event.key in one.events]
        triggers = [
            account
            for sensor in sensors
            for account in explain_sensor(await sensor.at(bus, found.position), sensor, found, mine)
        ]
        note = "" if triggers else f"no sensor has a dependency on {found.event.source}/{found.event.subject}"
        return Account(name, summary(found, name), triggers, note)


class KnownSensor(msgspec.Struct):
    """A sensor record of the bus, and the revisions that were compiled from it so far."""

    name: str
    shard: int
    record: SensorRecord
    compiled: dict[str, SensorPlan | None] = {}

    def revision(self, position: Position) -> str | None:
        """The hash of the revision that was in force at a place."""
        for revision in reversed(self.record.revisions):
            if not revision.after.covers(position):
                return revision.hash
        return None

    async def at(self, bus: Bus, position: Position) -> SensorPlan | None:
        from events.api.sensor import Sensor

        digest = self.revision(position)
        if digest is None:
            return None
        if digest not in self.compiled:
            source = await bus.blob(self.shard, revision_key(digest))
            model = None if source is None else Sensor.model_validate(json.loads(source))
            self.compiled[digest] = None if model is None else compile_sensor(model)
        return self.compiled[digest]


async def known_sensors(bus: Bus) -> list[KnownSensor]:
    found = []
    for shard in range(bus.shards):
        for key, data in (await bus.load(shard)).records.items():
            if key.startswith("sensor/"):
                found.append(KnownSensor(key.removeprefix("sensor/"), shard, decode(data, SensorRecord, key)))
    return found


def explain_sensor(
    plan: SensorPlan | None, sensor: KnownSensor, found: Delivery, decisions: Sequence[Decision]
) -> list[TriggerAccount]:
    if plan is None:
        return []
    topic = (found.event.source, found.event.subject)
    dependencies = [dep for dep in plan.dependencies if dep.topic == topic]
    if not dependencies:
        return []
    steps = {dep.name: trace(dep, found.event, scripts=False) for dep in dependencies}
    hints = {dep.name: near_misses(dep, found.event) for dep in dependencies if not dep.transform}
    return [
        explain_trigger(trigger, sensor, found, steps, hints, decisions)
        for trigger in plan.triggers
        if any(name in steps for name in trigger.condition.names) and trigger.role == TRIGGER_ROLE
    ]


def explain_trigger(
    trigger: TriggerPlan,
    sensor: KnownSensor,
    found: Delivery,
    steps: Mapping[str, list[Step]],
    hints: Mapping[str, list[str]],
    decisions: Sequence[Decision],
) -> TriggerAccount:
    names = [name for name in trigger.condition.names if name in steps]
    mine = [
        one
        for one in decisions
        if one.sensor == trigger.sensor
        and one.trigger in {trigger.name, trigger.dlq.name if trigger.dlq else trigger.name}
    ]
    account = TriggerAccount(
        trigger.sensor, trigger.name, "", "", mine, {name: steps[name] for name in names},
        {name: hints[name] for name in names if hints.get(name)},
    )  # fmt: skip
    if mine:
        newest = mine[0]
        account.result, account.reason = newest.result, newest.reason
        account.firing, account.link = newest.firing, newest.link
        return account
    account.result, account.reason = undecided(sensor, found, names, steps)
    return account


def undecided(
    sensor: KnownSensor, found: Delivery, names: Sequence[str], steps: Mapping[str, list[Step]]
) -> tuple[str, str]:
    """Nothing was recorded: the filters said no, or the event came before the dependency started."""
    for name in names:
        start = sensor.record.starts.get(name)
        if start is not None and start.mark.covers(found.position):
            return FILTERED, f"stored before dependency {name} started"
        step = decisive(steps[name])
        if step is not None:
            return FILTERED, step.error or refusal(step)
    return "pending", "not handled yet"


def refusal(step: Step) -> str:
    value = "nothing" if step.found is None else repr(step.found)
    return f"{step.field} {step.expression}: found {value}, wanted {step.wanted}"


async def parked(bus: Bus) -> list[tuple[int, str, Parked]]:
    """(shard, firing id, record) of everything parked."""
    return [
        (shard, key.removeprefix("parked/"), decode(data, Parked, key))
        for shard in range(bus.shards)
        for key, data in (await bus.load(shard)).records.items()
        if key.startswith("parked/")
    ]


def letter(bus: str, firing: str, record: Parked) -> Letter:
    return Letter(
        firing, bus, record.sensor, record.trigger, record.role, record.error, record.attempt,
        record.first_ns,
        [(dep, *key) for dep, key in record.events.items()],
    )  # fmt: skip


def body_view(data: bytes | None) -> dict[str, Any]:
    if data is None:
        return {"request": None, "data": {}}
    body = decode(data, Body, "body")
    return {
        "kind": body.kind,
        "request": None if body.request is None else msgspec.msgpack.decode(body.request),
        "data": {name: payload(event) for name, event in body.events.items()},
    }

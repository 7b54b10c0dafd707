"""queries: whether an event or a decision meets a question, for engines that look at one after the other."""

from __future__ import annotations

from events.bus._base import DecisionQuery, EventQuery
from events.event import Decision, Delivery


def meets(delivery: Delivery, query: EventQuery) -> bool:
    """All but `after`, which depends on the order of the engine."""
    event = delivery.event
    return (
        (query.id is None or event.id == query.id)
        and (query.source is None or event.source == query.source)
        and (query.subject is None or event.subject == query.subject)
        and (query.since_ns is None or delivery.stored_ns >= query.since_ns)
        and (query.until_ns is None or delivery.stored_ns < query.until_ns)
    )


def answers(decision: Decision, query: DecisionQuery) -> bool:
    return (
        (query.event_id is None or any(key.id == query.event_id for key in decision.events))
        and (query.firing is None or decision.firing == query.firing)
        and (query.sensor is None or decision.sensor == query.sensor)
        and (query.trigger is None or decision.trigger == query.trigger)
        and (query.results is None or decision.result in query.results)
        and (query.since_ns is None or decision.time_ns >= query.since_ns)
        and (query.until_ns is None or decision.time_ns < query.until_ns)
    )

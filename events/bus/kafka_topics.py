"""kafka_topics: the three topics of a bus: which they are, made when allowed, checked when they exist.

TOPIC            the events; its partitions may grow
TOPIC-state      compacted: partition n holds the state of shard n, the last one leases and cursors
TOPIC-decisions  one partition per shard; what became of events
"""

from __future__ import annotations

import asyncio
from typing import Any, NamedTuple

from events.bus.kafka_link import Found, Link, unavailable
from events.errors import BusUnavailable, Permanent, Refused

STATE_BYTES = 16 << 20
"""Largest record of a state topic that we make: held events and rendered requests lie there."""

DEFAULT_BYTES = 1 << 20
"""What brokers take unless told otherwise, reckoned where they may not be asked."""


READ, WRITE = {3: "Read"}, {4: "Write"}
"""Operations that a user has to be allowed on the topics (Describe comes with them), by Kafka's codes."""


class Topics(NamedTuple):
    """Names, from that of the events."""

    events: str

    @property
    def state(self) -> str:
        return f"{self.events}-state"

    @property
    def decisions(self) -> str:
        return f"{self.events}-decisions"

    def all(self) -> list[str]:
        return [self.events, self.state, self.decisions]


class Creation(NamedTuple):
    """How missing topics are made. `replication` -1: the broker's default; `keep`: seconds, of events."""

    partitions: int = 8
    replication: int = -1
    keep: float | None = None


class Facts(NamedTuple):
    """What the brokers say of the topics: bytes are the largest record of each."""

    incarnation: str
    """Id of the topic of the events: one that is made anew has another."""
    state: str
    """Id of the topic of the states."""
    partitions: int
    shards: int
    event_bytes: int
    state_bytes: int


async def prepare(link: Link, topics: Topics, shards: int, creation: Creation | None) -> Facts:
    """Make what is missing, check what is there. Raises BusUnavailable, Permanent.

    Who may not make topics takes the number of shards that was chosen when they were made.
    """
    found = await link.topics(topics.all())
    missing = [name for name in topics.all() if name not in found]
    if missing and creation is None:
        raise Permanent(f"{link.place}: missing: {recipe(topics, shards, missing)}")
    if missing and creation is not None:
        await create(link, topics, shards, creation, missing)
        found = await appeared(link, topics)
    check_rights(link, found, READ if creation is None else READ | WRITE)
    check_shape(link, topics, shards if creation is not None else shards_of(topics, found), found)
    return await facts(link, topics, found)


def recipe(topics: Topics, shards: int, missing: list[str]) -> str:
    """What somebody has to create."""
    how = {
        topics.events: "any partitions",
        topics.state: f"{shards + 1} partitions, cleanup.policy=compact",
        topics.decisions: f"{shards} partitions",
    }
    return "; ".join(f"topic {name} ({how[name]})" for name in missing) + "; create them, or allow creation"


async def create(link: Link, topics: Topics, shards: int, how: Creation, missing: list[str]) -> None:
    """Raises BusUnavailable, Permanent. One that somebody else has just made is fine."""
    from aiokafka.errors import NoError, TopicAlreadyExistsError, TopicAuthorizationFailedError, for_code
    from aiokafka.protocol.admin import CreateTopicsRequest

    keep = {} if how.keep is None else {"retention.ms": str(int(how.keep * 1000))}
    stamped = {"message.timestamp.type": "LogAppendTime"}
    shapes: dict[str, tuple[int, dict[str, str]]] = {
        topics.events: (how.partitions, {"cleanup.policy": "delete", **stamped, **keep}),
        topics.decisions: (shards, {"cleanup.policy": "delete", **stamped, **keep}),
        topics.state: (shards + 1, {
            "cleanup.policy": "compact", "max.message.bytes": str(STATE_BYTES), "segment.ms": "3600000",
            "segment.bytes": str(64 << 20), "min.cleanable.dirty.ratio": "0.2",
        }),
    }  # fmt: skip
    wanted: list[Any] = [
        (name, shapes[name][0], how.replication, [], list(shapes[name][1].items())) for name in missing
    ]
    request = CreateTopicsRequest(create_topic_requests=wanted, timeout=10_000, validate_only=False)
    answer = await link.ask_controller(request)
    for name, code, *said in answer.topic_errors:
        error = for_code(code)
        if error is TopicAuthorizationFailedError:
            lack = "grant this user Create on the cluster, or on"
            raise Refused(f"{link.place}: not allowed to create: {lack}: {recipe(topics, shards, missing)}")
        if error not in {NoError, TopicAlreadyExistsError}:
            with unavailable(f"{link.place}: topic {name} cannot be created: {said[0] if said else ''}"):
                raise error(name)


async def appeared(link: Link, topics: Topics) -> dict[str, Found]:
    """All topics, as soon as every broker that is asked knows them. Raises BusUnavailable."""
    for _ in range(50):
        found = await link.topics(topics.all())
        if len(found) == len(topics.all()):
            return found
        await asyncio.sleep(0.1)
    raise BusUnavailable(f"{link.place}: the topics of {topics.events} were created and do not appear")


def check_rights(link: Link, found: dict[str, Found], wanted: dict[int, str]) -> None:
    """Raises Refused."""
    for name, topic in found.items():
        if lacking := [operation for code, operation in wanted.items() if not topic.allows(code)]:
            raise Refused(
                f"{link.place}: topic {name}: not allowed: grant this user {' and '.join(lacking)} on it"
            )


def shards_of(topics: Topics, found: dict[str, Found]) -> int:
    """All partitions of the state but that of leases and cursors."""
    return found[topics.state].partitions - 1


def check_shape(link: Link, topics: Topics, shards: int, found: dict[str, Found]) -> None:
    """Raises Permanent."""
    stored = shards_of(topics, found)
    if not stored:
        raise Permanent(f"{link.place}: {topics.state} has one partition, as when a broker makes a topic by "
                        "itself: stop all processes, delete it, and start them again")  # fmt: skip
    if stored != shards:
        raise Permanent(f"{link.place}: {topics.state} was made for {stored} shards, not {shards}")
    if found[topics.decisions].partitions < shards:
        raise Permanent(f"{link.place}: {topics.decisions} needs {shards} partitions")


async def facts(link: Link, topics: Topics, found: dict[str, Found]) -> Facts:
    """Read the settings that matter. Raises Permanent for one that would lose something."""
    settings = {name: await settings_of(link, name) for name in (topics.events, topics.state)}
    if settings[topics.state].get("cleanup.policy", "compact") != "compact":
        said = settings[topics.state]["cleanup.policy"]
        raise Permanent(f"{link.place}: {topics.state} has cleanup.policy={said} and would lose state: "
                        "set it to compact")  # fmt: skip
    if "compact" in settings[topics.events].get("cleanup.policy", ""):
        raise Permanent(f"{link.place}: {topics.events} is compacted and would lose events: "
                        "set cleanup.policy=delete")  # fmt: skip
    event_bytes, state_bytes = (
        int(settings[name].get("max.message.bytes", DEFAULT_BYTES)) for name in (topics.events, topics.state)
    )
    events, state = found[topics.events], found[topics.state]
    return Facts(events.id, state.id, events.partitions, shards_of(topics, found), event_bytes, state_bytes)


async def settings_of(link: Link, topic: str) -> dict[str, Any]:
    """Settings of a topic, those of the broker included; nothing where we may not ask."""
    from aiokafka.errors import NoError, for_code
    from aiokafka.protocol.admin import DescribeConfigsRequest

    answer = await link.ask(DescribeConfigsRequest(resources=[(2, topic, None)], include_synonyms=False))
    for code, _, _, _, entries in answer.resources:
        if for_code(code) is NoError:
            return {entry[0]: entry[1] for entry in entries if entry[1] is not None}
    return {}

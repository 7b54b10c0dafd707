"""Topic filters: the examples of the specification, and shared subscriptions."""

from __future__ import annotations

import pytest

from events.clients.mqtt_topics import TopicFilter


@pytest.mark.parametrize(
    ("text", "covered", "others"),
    [
        ("a/b", ["a/b"], ["a", "a/b/c", "/a/b", "a/B"]),
        ("sport/tennis/p/#", ["sport/tennis/p", "sport/tennis/p/score/x"], ["sport/tennis"]),
        ("#", ["a", "a/b", "/"], ["$SYS/broker"]),
        ("sport/tennis/+", ["sport/tennis/x", "sport/tennis/"], ["sport/tennis", "sport/tennis/x/y"]),
        ("+", ["finance"], ["/finance", "$SYS"]),
        ("+/+", ["/finance"], ["finance"]),
        ("/+", ["/finance"], ["finance"]),
        ("+/monitor/#", ["a/monitor", "a/monitor/b"], ["$SYS/monitor/b"]),
        ("$SYS/#", ["$SYS/broker/load"], ["a"]),
        ("$queue/a/+", ["a/b", "b"], []),
        ("$share/group/a/+", ["a/b"], ["a", "$share/group/a/b"]),
    ],
)  # fmt: skip
def test_what_a_filter_covers(text: str, covered: list[str], others: list[str]):
    found = TopicFilter(text)
    assert [topic for topic in covered if not found.covers(topic)] == []
    assert [topic for topic in others if found.covers(topic)] == []

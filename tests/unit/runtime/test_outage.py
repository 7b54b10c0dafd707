"""One line when a bus goes away and one when it is back, whoever and how many notice."""

from __future__ import annotations

import pytest

from events.runtime.outage import Outage


def test_many_failures_are_one_outage(caplog: pytest.LogCaptureFixture):
    caplog.set_level("INFO", logger="events")
    now = [100.0]
    outage = Outage("ci/main", lambda: now[0])
    for shard in range(8):
        outage.fails(f"shard/{shard}", "nats:4222 refuses connections")
    outage.fails("shard/0", "nats:4222 refuses connections")
    assert outage
    assert outage.reason == "nats:4222 refuses connections"
    now[0] = 112.4
    for shard in range(8):
        outage.works(f"shard/{shard}")
        outage.works(f"shard/{shard}")
    assert not outage
    assert [record.getMessage() for record in caplog.records] == [
        "bus ci/main: nats:4222 refuses connections; everything waits and goes on by itself",
        "bus ci/main: works again after 12 s",
    ]


def test_the_next_outage_is_told_again(caplog: pytest.LogCaptureFixture):
    caplog.set_level("WARNING", logger="events")
    now = [100.0]
    outage = Outage("ci/main", lambda: now[0])
    for _ in range(2):
        outage.fails("open", "away")
        outage.works("open")
        now[0] += 60
    assert [record.levelname for record in caplog.records] == ["WARNING", "WARNING"]


def test_what_runs_into_its_deadline_after_an_outage_belongs_to_it(caplog: pytest.LogCaptureFixture):
    caplog.set_level("INFO", logger="events")
    now = [100.0]
    outage = Outage("ci/main", lambda: now[0])
    outage.fails("shard/0", "away")
    outage.works("shard/0")
    now[0] += 5
    outage.fails("recorder/1", "no answer in time")
    assert outage, "it is not healthy all the same"
    outage.works("recorder/1")
    assert len(caplog.records) == 2
    now[0] += 1
    outage.fails("recorder/1", "no answer in time")
    now[0] += 9
    outage.fails("recorder/1", "no answer in time")
    outage.fails("recorder/1", "no answer in time")
    assert len(caplog.records) == 3, "it goes on for long: another outage"


def test_who_never_failed_ends_nothing(caplog: pytest.LogCaptureFixture):
    caplog.set_level("INFO", logger="events")
    outage = Outage("ci/main")
    outage.fails("open", "away")
    outage.works("shard/0")
    assert outage

"""Sprig functions for dates; times and durations as values."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from types import SimpleNamespace
from typing import Any

import pytest

from events.errors import EvaluationError
from events.lang.gofmt import sprint
from events.lang.gotime import UTC_ZONE, Moment
from events.lang.govalue import GoInt64, type_name
from events.lang.sprig import ENV_FUNCTIONS, FUNCTIONS
from events.lang.sprig.times import GoDuration, GoTime, from_datetime

ENV = SimpleNamespace(now=datetime(2000, 1, 1, tzinfo=UTC))

# name, arguments, result; what Go 1.26 with Sprig 3.3.0 gives on 2000-01-01T00:00:00Z
DATES = [
    ("date", ("2006-01-02 15:04", 1700000000), "2023-11-14 22:13"),
    ("date", ("2006-01-02", 1700000000.0), "2000-01-01"),  # a JSON number is no date: now
    ("date", ("2006", "x"), "2000"),
    ("dateInZone", ("15:04 MST", 1720000000, "Europe/Berlin"), "11:46 CEST"),
    ("dateInZone", ("15:04", 0, "Nope/Zone"), "00:00"),
    ("dateInZone", ("15:04", 0, "../etc/passwd"), "00:00"),
    ("date_in_zone", ("15:04", GoInt64(3600), ""), "01:00"),
    ("htmlDate", (0,), "1970-01-01"),
    ("htmlDateInZone", (1700000000, "Asia/Tokyo"), "2023-11-15"),
    ("ago", (946677595,), "2h0m5s"),
    ("ago", ("x",), "0s"),
    ("ago", (946684860,), "-1m0s"),
    ("duration", ("95",), "1m35s"),
    ("duration", (GoInt64(95),), "1m35s"),
    ("duration", (95,), "0s"),
    ("duration", ("1h",), "0s"),
    ("duration", ("-3600",), "-1h0m0s"),
    ("durationRound", ("2h10m5s",), "2h"),
    ("durationRound", ("2400h10m5s",), "3mo"),
    ("durationRound", ("9000h",), "1y"),
    ("durationRound", ("-61s",), "1m"),
    ("durationRound", ("24h",), "24h"),
    ("durationRound", ("x",), "0s"),
    ("durationRound", (GoInt64(3600000000001),), "1h"),
    ("durationRound", (60,), "0s"),
]


@pytest.mark.parametrize(("name", "arguments", "expected"), DATES)
def test_gives_what_go_gives(name: str, arguments: tuple[Any, ...], expected: str) -> None:
    if name in FUNCTIONS:
        assert FUNCTIONS[name](*arguments) == expected
    else:
        assert ENV_FUNCTIONS[name](ENV, *arguments) == expected


def test_now_is_the_time_of_the_environment_in_utc() -> None:
    local = datetime(2024, 5, 6, 7, 8, 9, 123456, tzinfo=timezone(timedelta(hours=2)))
    now = ENV_FUNCTIONS["now"](SimpleNamespace(now=local))
    assert sprint(now) == "2024-05-06 05:08:09.123456 +0000 UTC"
    assert type_name(now) == "time.Time"


def test_dates_are_read_moved_and_written() -> None:
    time = FUNCTIONS["toDate"]("2006-01-02", "2024-04-08")
    moved = FUNCTIONS["dateModify"]("-36h", time)
    assert ENV_FUNCTIONS["date"](ENV, "02.01.2006 15:04", moved) == "06.04.2024 12:00"
    assert FUNCTIONS["unixEpoch"](moved) == "1712404800"
    assert FUNCTIONS["date_modify"]("soon", time) == time
    with pytest.raises(EvaluationError):
        FUNCTIONS["mustDateModify"]("soon", time)


def test_dates_that_cannot_be_read_are_the_zero_time() -> None:
    zero = FUNCTIONS["toDate"]("2006-01-02", "tomorrow")
    assert sprint(zero) == "0001-01-01 00:00:00 +0000 UTC"
    assert zero.go_methods["IsZero"].call(zero) is True
    with pytest.raises(EvaluationError, match="parsing time"):
        FUNCTIONS["mustToDate"]("2006-01-02", "tomorrow")


def test_dates_must_be_times_where_sprig_asks_for_them() -> None:
    for value in (None, 0, "2024-01-01"):
        with pytest.raises(EvaluationError):
            FUNCTIONS["unixEpoch"](value)


def test_times_are_never_empty_and_equal_by_value() -> None:
    time = from_datetime(datetime(1970, 1, 1, tzinfo=UTC))
    assert FUNCTIONS["empty"](time) is False
    assert FUNCTIONS["deepEqual"](time, GoTime(Moment(0, 0, UTC_ZONE))) is True


@pytest.mark.parametrize(
    ("method", "arguments", "expected"),
    [
        ("Year", (), "2024"),
        ("Month", (), "February"),
        ("Day", (), "29"),
        ("Weekday", (), "Thursday"),
        ("YearDay", (), "60"),
        ("Hour", (), "23"),
        ("Nanosecond", (), "500000000"),
        ("Unix", (), "1709247599"),
        ("UnixMilli", (), "1709247599500"),
        ("Format", ("Jan 2",), "Feb 29"),
        ("AddDate", (1, 0, 0), "2025-03-01 22:59:59.5 +0000 UTC"),
        ("AddDate", (0, -2, 1), "2023-12-30 22:59:59.5 +0000 UTC"),
        ("Truncate", (GoDuration(3600 * 10**9),), "2024-02-29 22:00:00 +0000 UTC"),
        ("Round", (GoDuration(3600 * 10**9),), "2024-02-29 23:00:00 +0000 UTC"),
        ("Location", (), "UTC"),
    ],
)
def test_times_have_methods(method: str, arguments: tuple[Any, ...], expected: str) -> None:
    time = from_datetime(datetime(2024, 2, 29, 22, 59, 59, 500_000, tzinfo=UTC))
    if method == "Hour":
        time = FUNCTIONS["dateModify"]("1h", time)
    assert sprint(time.go_methods[method].call(time, *arguments)) == expected


def test_durations_have_methods_and_count_as_numbers() -> None:
    later = from_datetime(datetime(2024, 1, 2, 1, 30, tzinfo=UTC))
    earlier = from_datetime(datetime(2024, 1, 1, tzinfo=UTC))
    duration = later.go_methods["Sub"].call(later, earlier)
    assert sprint(duration) == "25h30m0s"
    assert duration.go_methods["Hours"].call(duration) == 25.5
    assert FUNCTIONS["int64"](duration) == 91_800_000_000_000
    assert FUNCTIONS["toJson"]([duration, later]) == '[91800000000000,"2024-01-02T01:30:00Z"]'

"""events.lang.clock: daily windows and time zones."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from events.errors import EvaluationError, ExpressionError
from events.lang.clock import compile_window, load_zone, offset_at, parse_clock, wall_to_instant

NEW_YORK = "America/New_York"


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


@pytest.mark.parametrize(
    ("start", "stop", "zone", "when", "inside"),
    [
        ("08:09:10", "16:17:18", "UTC", "2024-01-01T08:09:10Z", True),
        ("08:09:10", "16:17:18", "UTC", "2024-01-01T08:09:09.999999Z", False),
        ("08:09:10", "16:17:18", "UTC", "2024-01-01T16:17:18Z", False),
        ("08:09:10", "16:17:18", None, "2024-01-01T16:17:17.999999Z", True),
        ("8:09:10.5", "16:17:18", "", "2024-01-01T08:09:10.4Z", False),
        ("8:09:10,5", "16:17:18", "Local", "2024-01-01T08:09:10.5Z", True),
        ("16:17:18", "08:09:10", "UTC", "2024-01-01T00:00:00Z", True),
        ("16:17:18", "08:09:10", "UTC", "2024-01-01T08:09:10Z", False),
        ("16:17:18", "08:09:10", "UTC", "2024-01-01T16:17:18Z", True),
        ("10:00:00", "10:00:00", "UTC", "2024-01-01T03:00:00Z", True),
        ("09:00:00", "17:00:00", "UTC", "2024-01-01T08:30:00-01:00", True),
        ("09:00:00", "17:00:00", NEW_YORK, "2024-07-15T13:00:00Z", True),
        ("09:00:00", "17:00:00", NEW_YORK, "2024-12-15T13:00:00Z", False),
        ("22:00:00", "06:00:00", NEW_YORK, "2024-07-15T02:00:00Z", True),
        ("00:00:00", "23:59:59", NEW_YORK, "0001-01-01T00:00:00Z", True),
        ("09:00:00", "17:00:00", "Asia/Tokyo", "9999-12-31T23:59:59Z", False),
    ],
)
def test_window(start: str, stop: str, zone: str | None, when: str, inside: bool) -> None:
    assert compile_window(start, stop, zone).contains(moment(when)) is inside


def test_a_window_follows_the_date_of_each_moment() -> None:
    window = compile_window("01:30:00", "03:30:00", NEW_YORK)
    hours = [moment("2024-11-02T04:00:00Z") + timedelta(minutes=30 * step) for step in range(2 * 72)]
    inside = [str(hour.astimezone(ZoneInfo(NEW_YORK))) for hour in hours if window.contains(hour)]
    assert inside == [
        "2024-11-02 01:30:00-04:00",
        "2024-11-02 02:00:00-04:00",
        "2024-11-02 02:30:00-04:00",
        "2024-11-02 03:00:00-04:00",
        "2024-11-03 01:30:00-04:00",
        "2024-11-03 01:00:00-05:00",
        "2024-11-03 01:30:00-05:00",
        "2024-11-03 02:00:00-05:00",
        "2024-11-03 02:30:00-05:00",
        "2024-11-03 03:00:00-05:00",
        "2024-11-04 01:30:00-05:00",
        "2024-11-04 02:00:00-05:00",
        "2024-11-04 02:30:00-05:00",
        "2024-11-04 03:00:00-05:00",
    ]


@pytest.mark.parametrize(
    ("value", "zone", "when", "instant"),
    [
        ("09:00:00", "UTC", "2024-07-15T14:00:00Z", "2024-07-15T09:00:00Z"),
        ("9:00:00", "UTC", "2024-07-15T14:00:00Z", "2024-07-15T09:00:00Z"),
        ("   09:00:00", "UTC", "2024-07-15T14:00:00Z", "2024-07-15T09:00:00Z"),
        ("09:00:00.123456789123", "UTC", "2024-07-15T14:00:00Z", "2024-07-15T09:00:00.123456Z"),
        ("09:00:00", NEW_YORK, "2024-07-15T02:00:00Z", "2024-07-14T09:00:00-04:00"),
        ("01:30:00", NEW_YORK, "2024-11-03T12:00:00Z", "2024-11-03T01:30:00-04:00"),
        ("02:30:00", NEW_YORK, "2024-03-10T12:00:00Z", "2024-03-10T01:30:00-05:00"),
        ("02:30:00", "Europe/Berlin", "2024-03-31T12:00:00Z", "2024-03-31T03:30:00+02:00"),
        ("00:30:00", "Africa/Cairo", "2024-04-26T12:00:00Z", "2024-04-26T01:30:00+03:00"),
        ("02:15:00", "Australia/Lord_Howe", "2024-10-05T20:00:00Z", "2024-10-06T02:45:00+11:00"),
        ("09:00:00", "EST", "2024-07-15T14:00:00Z", "2024-07-15T09:00:00-05:00"),
    ],
)
def test_a_time_of_day_is_an_instant_as_in_go(value: str, zone: str, when: str, instant: str) -> None:
    assert parse_clock(value, zone, moment(when)) == moment(instant)


@pytest.mark.parametrize(
    "value",
    [
        "",
        "09:00",
        "9",
        "24:00:00",
        "23:59:60",
        "23:60:00",
        "09:00:00Z",
        "09:00:00 ",
        "\t09:00:00",
        "009:00:00",
        "9:0:00",
        "-1:00:00",
        "12:00:00abc",
        "12:00:00.",
        "12:00:00.x",
        "٩:00:00",
        "12:00:00\n",
        "09:00:00 PM",
        "\udcff",
    ],
)
def test_refuses_other_times_of_day(value: str) -> None:
    with pytest.raises(ExpressionError):
        compile_window(value, "17:00:00", None)
    with pytest.raises(ExpressionError):
        parse_clock(value, "UTC", moment("2024-07-15T14:00:00Z"))


@pytest.mark.parametrize(
    "name",
    [
        "Invalid/Timezone",
        "america/new_york",
        "utc",
        "+05:00",
        "UTC+2",
        "../etc/passwd",
        "/etc/localtime",
        "America",
        " UTC",
        "UTC ",
        "\\x",
        "a\0b",
        "x" * 5000,
        "zone.tab",
        "é",
        "\udcff",
    ],
)
def test_refuses_other_zones(name: str) -> None:
    with pytest.raises(ExpressionError, match="unknown time zone"):
        load_zone(name)


@pytest.mark.parametrize("name", [None, "", "UTC", "Local"])
def test_no_zone_is_utc(name: str | None) -> None:
    assert load_zone(name) is UTC


def test_an_instant_in_the_year_zero_is_an_evaluation_error() -> None:
    with pytest.raises(EvaluationError):
        parse_clock("09:00:00", NEW_YORK, moment("0001-01-01T00:00:00Z"))


@given(
    st.integers(-3_000_000_000, 4_000_000_000),
    st.sampled_from([NEW_YORK, "Europe/Dublin", "Asia/Kathmandu", "UTC"]),
)
def test_what_a_clock_shows_is_an_instant_at_which_it_shows_that(second: int, name: str) -> None:
    zone = load_zone(name)
    wall = second + offset_at(second, zone)
    instant = wall_to_instant(wall, zone)
    assert instant + offset_at(instant, zone) == wall
    assert instant in (second, second - 3600, second + 3600)


@given(st.text(alphabet="0123456789:., ", max_size=12), st.datetimes(timezones=st.just(UTC)))
def test_nothing_but_the_two_errors_escapes(value: str, when: datetime) -> None:
    with suppress(ExpressionError, EvaluationError):
        assert parse_clock(value, "Asia/Tokyo", when).tzinfo is UTC
        assert compile_window(value, value, NEW_YORK).contains(when)

"""Go's time layouts."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from events.errors import EvaluationError
from events.lang.gotime import (
    UTC_ZONE,
    Moment,
    Zone,
    find_zone,
    format_moment,
    moment_at,
)
from events.lang.gotime_parse import parse_moment
from events.lang.utc import civil_date, days_before

ERROR = ""
SHOWN = "2006-01-02 15:04:05.999999999 -0700 MST"
RFC3339 = "2006-01-02T15:04:05.999999999Z07:00"

# layout, seconds, nanoseconds, zone, text; what Go 1.26 gives
FORMATTED = [
    ("2006-01-02T15:04:05Z07:00", 1700000000, 0, "UTC", "2023-11-14T22:13:20Z"),
    (
        "2006-01-02T15:04:05.999999999Z07:00",
        1700000000,
        120000000,
        "Europe/Berlin",
        "2023-11-14T23:13:20.12+01:00",
    ),
    ("Mon, 02 Jan 2006 15:04:05 MST", 1720000000, 0, "America/New_York", "Wed, 03 Jul 2024 05:46:40 EDT"),
    ("Monday January 2 2006 3:04PM", 0, 0, "UTC", "Thursday January 1 1970 12:00AM"),
    ("Jan _2 06 03:04pm", 951782400, 0, "UTC", "Feb 29 00 12:00am"),
    ("__2 002", 951782400, 0, "UTC", " 60 060"),
    ("05.000 5,999 .00", 1, 5000000, "UTC", "01.005 1,005 .00"),
    ("5.999", 1, 0, "UTC", "1"),
    (
        "-07 -0700 -07:00 -070000 -07:00:00 Z07",
        0,
        0,
        "Asia/Kolkata",
        "+05 +0530 +05:30 +053000 +05:30:00 +05",
    ),
    ("Z0700 Z070000 Z07:00:00 -0700", 0, 0, "UTC", "Z Z Z +0000"),
    ("MST", 1700000000, 0, "America/Sao_Paulo", "-03"),
    ("2006", -62167219201, 0, "UTC", "-0001"),
    ("06", -62167219201, 0, "UTC", "01"),
    ("2006-01-02", 253402300800, 0, "UTC", "10000-01-01"),
    ("15h", 45000, 0, "UTC", "12h"),
    ("Januaryx Janx Monx _2006 é1", 0, 0, "UTC", "Januaryx Janx Monx _1970 é1"),
    ("2006-01-02 MST", 99999999999, 0, "Europe/Berlin", "5138-11-16 CET"),
    ("", 0, 0, "UTC", ""),
]

# layout, text, moment
PARSED = [
    ("2006-01-02", "2024-02-29", "2024-02-29 00:00:00 +0000 UTC"),
    ("2006-01-02", "2023-02-29", ERROR),
    ("2006-01-02T15:04:05Z07:00", "2024-03-15T10:20:30Z", "2024-03-15 10:20:30 +0000 UTC"),
    ("2006-01-02T15:04:05Z07:00", "2024-03-15T10:20:30.5+02:00", "2024-03-15 10:20:30.5 +0200 +0200"),
    (
        "2006-01-02T15:04:05Z07:00",
        "2024-03-15T10:20:30,123456789-05:30",
        "2024-03-15 10:20:30.123456789 -0530 -0530",
    ),
    ("2006-01-02T15:04:05Z07:00", "2024-03-15T24:00:00Z", ERROR),
    ("2006-01-02T15:04:05Z07:00", "2024-03-15T10:20:60Z", ERROR),
    ("2006-01-02", "2024-1-02", ERROR),
    ("2006-1-2", "2024-01-02", "2024-01-02 00:00:00 +0000 UTC"),
    ("2006-01-02", "2024-13-02", ERROR),
    ("2006-01-02", "2024-01-02x", ERROR),
    ("Mon, 02 Jan 2006 15:04:05 MST", "Fri, 15 mar 2024 10:20:30 GMT", "2024-03-15 10:20:30 +0000 GMT"),
    ("Mon, 02 Jan 2006 15:04:05 MST", "Fri, 15 Mar 2024 10:20:30 CEST", "2024-03-15 10:20:30 +0000 CEST"),
    ("Mon Jan _2 2006", "Fri Mar  5 2024", "2024-03-05 00:00:00 +0000 UTC"),
    ("3:04PM", "12:00AM", "0000-01-01 00:00:00 +0000 UTC"),
    ("3:04pm", "12:30pm", "0000-01-01 12:30:00 +0000 UTC"),
    ("3:04PM", "13:00PM", ERROR),
    ("06-01-02", "69-01-02", "1969-01-02 00:00:00 +0000 UTC"),
    ("06-01-02", "68-01-02", "2068-01-02 00:00:00 +0000 UTC"),
    ("2006-002", "2024-366", "2024-12-31 00:00:00 +0000 UTC"),
    ("2006-002", "2023-366", ERROR),
    ("2006 002 Jan", "2024 032 Jan", ERROR),
    ("05.000", "07.123", "0000-01-01 00:00:07.123 +0000 UTC"),
    ("05.000", "07.12", ERROR),
    ("05.999", "07", "0000-01-01 00:00:07 +0000 UTC"),
    ("05", "07.1234567891", "0000-01-01 00:00:07.123456789 +0000 UTC"),
    ("MST", "GMT+3", "0000-01-01 03:00:00 +0300 GMT+3"),
    ("MST", "ABCDEF", ERROR),
    ("MST", "+25", ERROR),
    ("-0700 MST", "+0200 CET", "0000-01-01 00:00:00 +0200 CET"),
    ("-0700 MST", "+0530 UTC", "0000-01-01 00:00:00 +0000 UTC"),
    ("-07:00", "+24:60", "0000-01-01 00:00:00 +2500 +2500"),
    ("-07:00", "+25:00", ERROR),
    ("Z07", "Z", "0000-01-01 00:00:00 +0000 UTC"),
    ("", "x", ERROR),
    ("", "", "0000-01-01 00:00:00 +0000 UTC"),
    ("  15", "    7", "0000-01-01 07:00:00 +0000 UTC"),
    ("Monday", "MONDAY", "0000-01-01 00:00:00 +0000 UTC"),
    ("2006", "99", ERROR),
    ("é2006", "é2024", "2024-01-01 00:00:00 +0000 UTC"),
]


@pytest.mark.parametrize(("layout", "seconds", "nanos", "zone", "expected"), FORMATTED)
def test_moments_are_written_as_in_go(
    layout: str, seconds: int, nanos: int, zone: str, expected: str
) -> None:
    found = find_zone(zone)
    assert found is not None
    assert format_moment(Moment(seconds, nanos, found), layout) == expected


@pytest.mark.parametrize(("layout", "text", "expected"), PARSED)
def test_moments_are_read_as_in_go(layout: str, text: str, expected: str) -> None:
    if expected == ERROR:
        with pytest.raises(EvaluationError, match="parsing time"):
            parse_moment(layout, text)
    else:
        assert format_moment(parse_moment(layout, text), SHOWN) == expected


def test_unknown_zones_are_not_found() -> None:
    for name in ("Nope/Zone", "../Europe/Berlin", "/etc/localtime", "Europe", "a" * 5000, "\udcff", "a\0b"):
        assert find_zone(name) is None
    assert find_zone("") == find_zone("Local") == UTC_ZONE


def test_zones_hold_beyond_the_years_of_python() -> None:
    berlin = find_zone("Europe/Berlin")
    assert berlin is not None
    assert berlin.at(10**15) in (("CET", 3600), ("CEST", 7200))
    assert berlin.at(-(10**15))[0] == "LMT"


def test_a_clock_that_jumps_takes_the_offset_before_the_change() -> None:
    berlin = find_zone("Europe/Berlin")
    assert berlin is not None
    in_gap = moment_at(berlin, 2024, 3, 31, 2 * 3600 + 1800)
    assert format_moment(in_gap, RFC3339) == "2024-03-31T03:30:00+02:00"


@given(st.integers(-(10**9), 10**9))
def test_dates_and_days_are_inverse(days: int) -> None:
    assert days_before(*civil_date(days)) == days


@given(
    st.integers(-62_167_219_200 + 86_400, 253_402_300_799 - 86_400),
    st.integers(0, 999_999_999),
    st.integers(-23 * 60, 23 * 60).map(lambda minutes: minutes * 60),
)
def test_what_is_written_is_read_again(seconds: int, nanos: int, offset: int) -> None:
    moment = Moment(seconds, nanos, Zone("", "", offset))
    again = parse_moment(RFC3339, format_moment(moment, RFC3339))
    assert (again.seconds, again.nanos, again.local.offset) == (seconds, nanos, offset)


@given(st.text(), st.text())
def test_reading_raises_evaluation_errors_only(layout: str, text: str) -> None:
    try:
        parse_moment(layout, text)
    except EvaluationError as error:
        assert "parsing time" in str(error)  # noqa: PT017 - most texts are refused, some are not

"""events.lang.cron: schedules."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from events.errors import ExpressionError
from events.lang.cron import Schedule, compile_cron

NOW = datetime(2024, 7, 17, 14, 0, 30, tzinfo=UTC)


def shown(found: datetime | None) -> str | None:
    return None if found is None else f"{found:%FT%TZ}"


@pytest.mark.parametrize(
    ("text", "previous", "following"),
    [
        ("59 23 * * *", "2024-07-16T23:59:00Z", "2024-07-17T23:59:00Z"),
        ("*/15 * * * *", "2024-07-17T14:00:00Z", "2024-07-17T14:15:00Z"),
        ("3/10 * * * *", "2024-07-17T13:53:00Z", "2024-07-17T14:03:00Z"),
        ("0 0 * * SUN", "2024-07-14T00:00:00Z", "2024-07-21T00:00:00Z"),
        ("0 0 ? * *", "2024-07-17T00:00:00Z", "2024-07-18T00:00:00Z"),
        ("0 0 15 * MON", "2024-07-15T00:00:00Z", "2024-07-22T00:00:00Z"),
        ("0 0 */2 * MON", "2024-07-17T00:00:00Z", "2024-07-19T00:00:00Z"),
        ("0 0 */1 * MON", "2024-07-15T00:00:00Z", "2024-07-22T00:00:00Z"),
        ("0 0 *,20 * MON", "2024-07-15T00:00:00Z", "2024-07-22T00:00:00Z"),
        ("0 0 13 * ?", "2024-07-13T00:00:00Z", "2024-08-13T00:00:00Z"),
        ("0 0 1 jan-MAR/2 *", "2024-03-01T00:00:00Z", "2025-01-01T00:00:00Z"),
        ("0 0 29 2 *", "2024-02-29T00:00:00Z", "2028-02-29T00:00:00Z"),
        ("0 0 31 2 *", None, None),
        ("0 0 31 4,2 tue", "2024-04-30T00:00:00Z", "2025-02-04T00:00:00Z"),
        (", * * * *", None, None),
        ("0 , * * *", None, None),
        ("1,2, * * * *", "2024-07-17T13:02:00Z", "2024-07-17T14:01:00Z"),
        ("*/100 * * * *", "2024-07-17T14:00:00Z", "2024-07-17T15:00:00Z"),
        ("+5 007 * * *", "2024-07-17T07:05:00Z", "2024-07-18T07:05:00Z"),
        ("*-5 12 * * *", "2024-07-17T12:59:00Z", "2024-07-18T12:00:00Z"),
        (" 0\t6\n* *\u00a0* ", "2024-07-17T06:00:00Z", "2024-07-18T06:00:00Z"),
        ("CRON_TZ=Asia/Tokyo 0 6 * * *", "2024-07-16T21:00:00Z", "2024-07-17T21:00:00Z"),
        ("TZ=Europe/Paris   0 12 * * *", "2024-07-17T10:00:00Z", "2024-07-18T10:00:00Z"),
        ("TZ= 0 12 * * *", "2024-07-17T12:00:00Z", "2024-07-18T12:00:00Z"),
        ("TZ=Local 0 12 * * *", "2024-07-17T12:00:00Z", "2024-07-18T12:00:00Z"),
    ],
)
def test_ticks_around_a_moment(text: str, previous: str | None, following: str | None) -> None:
    schedule = compile_cron(text)
    assert schedule.source == text
    assert shown(schedule.previous(NOW)) == previous
    assert shown(schedule.next(NOW)) == following


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "* * * *",
        "* * * * * *",
        "@daily",
        "@every 1h",
        "TZ=UTC",
        "TZ=UTC @daily",
        "TZ=Nowhere/Land * * * * *",
        "TZ=UTC\t0 0 * * *",
        "60 * * * *",
        "-1 * * * *",
        "* 24 * * *",
        "0 0 0 * *",
        "0 0 32 * *",
        "0 0 * 0 *",
        "0 0 * 13 *",
        "0 0 * * 7",
        "5-1 * * * *",
        "1-2-3 * * * *",
        "1/2/3 * * * *",
        "*/0 * * * *",
        "*/-0 * * * *",
        "*/-1 * * * *",
        "5/ * * * *",
        "/5 * * * *",
        "a * * * *",
        "1.5 * * * *",
        "jan * * * *",
        "0 0 * mon *",
        "0 0 * * MON-",
        "0 0 L * *",
        "0 0 15W * *",
        "0 0 * * 5L",
        "0 0 * * 1#2",
        "٣ * * * *",
        "²/1 * * * *",
        "9" * 30 + " * * * *",
        "9" * 5000 + " * * * *",
        "*/" + "9" * 5000 + " * * * *",
        "0 0 * * \udcff",
    ],
)
def test_refuses_what_robfig_refuses(text: str) -> None:
    with pytest.raises(ExpressionError):
        compile_cron(text)


def test_the_prefix_wins_over_the_zone_beside() -> None:
    assert shown(compile_cron("0 12 * * *", "Asia/Tokyo").next(NOW)) == "2024-07-18T03:00:00Z"
    assert shown(compile_cron("TZ=UTC 0 12 * * *", "Asia/Tokyo").next(NOW)) == "2024-07-18T12:00:00Z"
    assert shown(compile_cron("TZ=Local 0 12 * * *", "Asia/Tokyo").next(NOW)) == "2024-07-18T03:00:00Z"
    with pytest.raises(ExpressionError, match="time zone"):
        compile_cron("0 12 * * *", "Nowhere/Land")


@pytest.mark.parametrize(
    ("second", "micro", "previous"),
    [(0, 0, "13:59"), (0, 999_999, "13:59"), (1, 0, "14:00"), (59, 0, "14:00")],
)
def test_within_the_first_second_of_a_tick_the_one_before_is_previous(
    second: int, micro: int, previous: str
) -> None:
    found = compile_cron("* * * * *").previous(datetime(2024, 7, 17, 14, 0, second, micro, tzinfo=UTC))
    assert found is not None
    assert f"{found:%H:%M}" == previous


def test_the_next_tick_is_after_the_moment() -> None:
    tick = datetime(2024, 7, 17, 14, 0, tzinfo=UTC)
    schedule = compile_cron("0 * * * *")
    assert schedule.next(tick - timedelta(microseconds=1)) == tick
    assert schedule.next(tick) == tick + timedelta(hours=1)


def test_the_search_ends_after_five_calendar_years() -> None:
    leap_day = compile_cron("0 0 29 2 *")
    assert leap_day.previous(datetime(2103, 6, 1, tzinfo=UTC)) is None
    assert shown(leap_day.previous(datetime(2101, 12, 31, tzinfo=UTC))) == "2096-02-29T00:00:00Z"
    assert leap_day.next(datetime(2097, 1, 1, tzinfo=UTC)) is None


@pytest.mark.parametrize("zone", ["UTC", "Pacific/Kiritimati", "Pacific/Pago_Pago"])
def test_the_ends_of_time_have_no_ticks_beyond(zone: str) -> None:
    schedule = compile_cron("* * * * *", zone)
    assert schedule.previous(datetime(1, 1, 1, tzinfo=UTC)) is None
    assert schedule.next(datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)) is None


def ticks(schedule: Schedule, start: str, count: int, zone: str) -> list[str]:
    found, moment = [], datetime.fromisoformat(start)
    for _ in range(count):
        tick = schedule.next(moment)
        assert tick is not None
        found.append(f"{tick.astimezone(ZoneInfo(zone)):%d %H:%M%z}")
        moment = tick
    return found


@pytest.mark.parametrize(
    ("text", "zone", "start", "expected"),
    [
        ("30 2 * * *", "America/New_York", "2024-03-09T12:00:00Z", ["11 02:30-0400", "12 02:30-0400"]),
        ("30 2 * * *", "Europe/Berlin", "2024-03-30T12:00:00Z", ["01 02:30+0200"]),
        (
            "30 1 * * *",
            "America/New_York",
            "2024-11-02T12:00:00Z",
            ["03 01:30-0400", "03 01:30-0500", "04 01:30-0500"],
        ),
        (
            "0 * * * *",
            "America/New_York",
            "2024-11-03T04:30:00Z",
            ["03 01:00-0400", "03 01:00-0500", "03 02:00-0500"],
        ),
        ("0 * * * *", "America/New_York", "2024-03-10T05:30:00Z", ["10 01:00-0500", "10 03:00-0400"]),
        ("15 2 * * *", "Australia/Lord_Howe", "2024-10-05T00:00:00Z", ["07 02:15+1100"]),
        ("45 1 * * *", "Australia/Lord_Howe", "2024-04-06T00:00:00Z", ["07 01:45+1100", "07 01:45+1030"]),
        ("8 4 * * *", "Asia/Beirut", "2024-03-30T03:00:00Z", ["31 04:08+0300", "01 04:08+0300"]),
        ("0 0 * * *", "Africa/Cairo", "2024-04-25T00:00:00Z", ["27 00:00+0300"]),
        ("0 0 * * *", "Pacific/Apia", "2011-12-29T00:00:00Z", ["29 00:00-1000", "31 00:00+1400"]),
    ],
)
def test_changes_of_the_clock(text: str, zone: str, start: str, expected: list[str]) -> None:
    assert ticks(compile_cron(text, zone), start, len(expected), zone) == expected


def matches(schedule: Schedule, wall: datetime) -> bool:
    day = wall.day in schedule.days.values
    weekday = wall.isoweekday() % 7 in schedule.weekdays.values
    star = schedule.days.star or schedule.weekdays.star
    date = wall.month in schedule.months and ((day and weekday) if star else (day or weekday))
    return date and wall.hour in schedule.hours and wall.minute in schedule.minutes and wall.second == 0


def slow_ticks(schedule: Schedule, start: int, stop: int) -> list[int]:
    """Every second at which the clock shows a matching full minute."""
    found, second = [], start
    while second <= stop:
        wall = datetime.fromtimestamp(second, schedule.zone)
        if matches(schedule, wall):
            found.append(second)
        later = datetime.fromtimestamp(second + 60, schedule.zone)
        steady = later.utcoffset() == wall.utcoffset()
        second += 60 - wall.second if steady else 1
    return found


FIELDS = st.tuples(
    st.sampled_from(["*", "*/7", "30", "0,59", "15-20"]),
    st.sampled_from(["*", "0", "1", "2", "23,0", "*/5", "1-3"]),
    st.sampled_from(["*", "*", "1-15", "*/2"]),
    st.just("*"),
    st.sampled_from(["*", "*", "1-4", "0,6"]),
)
CHANGES = [
    ("America/New_York", "2024-03-10T07:00:00Z"),
    ("America/New_York", "2024-11-03T06:00:00Z"),
    ("Europe/Berlin", "2024-10-27T01:00:00Z"),
    ("Australia/Lord_Howe", "2024-04-06T15:00:00Z"),
    ("Australia/Lord_Howe", "2024-10-05T15:30:00Z"),
    ("Africa/Cairo", "2024-04-25T22:00:00Z"),
    ("Asia/Beirut", "2024-10-26T21:00:00Z"),
    ("America/St_Johns", "2005-10-30T02:31:00Z"),
    ("America/Sao_Paulo", "2018-11-04T03:00:00Z"),
    ("Pacific/Apia", "2011-12-30T10:00:00Z"),
    ("Africa/Monrovia", "1972-01-07T00:44:30Z"),
]


@settings(max_examples=40)
@given(FIELDS, st.sampled_from(CHANGES), st.integers(0, 20 * 3600))
def test_ticks_are_the_minutes_that_the_clock_shows(
    fields: tuple[str, ...], change: tuple[str, str], before: int
) -> None:
    zone, when = change
    schedule = compile_cron(" ".join(fields), zone)
    start = int(datetime.fromisoformat(when).timestamp()) - before
    stop = start + 24 * 3600
    expected = slow_ticks(schedule, start, stop)
    assert walk(schedule, start - 1, stop, forward=True) == expected
    assert walk(schedule, stop + 1, start, forward=False) == expected[::-1]


def walk(schedule: Schedule, start: int, stop: int, *, forward: bool) -> list[int]:
    found: list[int] = []
    moment = datetime.fromtimestamp(start, UTC)
    while (tick := schedule.next(moment) if forward else schedule.previous(moment)) is not None:
        second = int(tick.timestamp())
        if (second > stop) if forward else (second < stop):
            break
        found.append(second)
        moment = tick
    return found


def test_ticks_of_a_year_are_in_order_and_found_from_both_sides() -> None:
    schedule = compile_cron("0 0 1,15 * FRI", "Europe/London")
    moments = [datetime(2023, 12, 31, tzinfo=UTC)]
    while moments[-1].year < 2025:
        tick = schedule.next(moments[-1])
        assert tick is not None
        moments.append(tick)
    for earlier, later in pairwise(moments[1:]):
        assert earlier < later
        assert schedule.previous(later) == earlier


@given(st.text(alphabet="0123456789*/-,? +aJNTZ=:@\udcff", max_size=20))
def test_nothing_but_expression_errors_escape(text: str) -> None:
    with suppress(ExpressionError):
        schedule = compile_cron(text)
        assert len(text.split()) >= 5
        assert schedule.minutes <= set(range(60))

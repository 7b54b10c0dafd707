"""Dates: formatting, parsing, moving, durations. Numbers are seconds since 1970; other values mean now."""

from __future__ import annotations

from typing import Any, Final

from events.errors import EvaluationError, ExpressionError
from events.lang.duration import format_duration, parse_duration
from events.lang.gotime import UTC_ZONE, Moment, find_zone, format_moment
from events.lang.gotime_parse import parse_moment
from events.lang.govalue import GoInt32, GoInt64
from events.lang.sprig.cast import parse_digits, wrapped
from events.lang.sprig.env import Env
from events.lang.sprig.table import Table
from events.lang.sprig.times import (
    SECOND,
    ZERO_TIME_SECONDS,
    GoTime,
    between,
    from_datetime,
    from_seconds,
    in_zone,
    moved,
    rounded_duration,
)

TABLE = Table()

_ISO_DATE: Final = "2006-01-02"
_UNITS: Final = (
    ("y", 365 * 24 * 3600 * SECOND),
    ("mo", 30 * 24 * 3600 * SECOND),
    ("d", 24 * 3600 * SECOND),
    ("h", 3600 * SECOND),
    ("m", 60 * SECOND),
    ("s", SECOND),
)


@TABLE.function("now", environment=True)
def now(env: Env) -> GoTime:
    """The time of the rendering, in UTC."""
    return from_datetime(env.now)


@TABLE.function("date", "string, any", environment=True)
def date(env: Env, layout: str, value: Any) -> str:
    """A date written through a layout, in UTC."""
    return _zoned(env, layout, value, "UTC")


@TABLE.function("dateInZone date_in_zone", "string, any, string", environment=True)
def date_in_zone(env: Env, layout: str, value: Any, zone: str) -> str:
    """A date written through a layout, in a zone of the tz database; an unknown zone means UTC."""
    return _zoned(env, layout, value, zone)


@TABLE.function("htmlDate", "any", environment=True)
def html_date(env: Env, value: Any) -> str:
    """`2006-01-02`, in UTC."""
    return _zoned(env, _ISO_DATE, value, "UTC")


@TABLE.function("htmlDateInZone", "any, string", environment=True)
def html_date_in_zone(env: Env, value: Any, zone: str) -> str:
    """`2006-01-02`, in a zone."""
    return _zoned(env, _ISO_DATE, value, zone)


@TABLE.function("ago", "any", environment=True)
def ago(env: Env, value: Any) -> str:
    """How long ago, to the second: `2h0m5s`."""
    # Sprig's ago knows no int32, unlike its date functions
    time = from_datetime(env.now) if isinstance(value, GoInt32) else _time(env, value)
    return rounded_duration(between(from_datetime(env.now), time), SECOND).go_text()


def _zoned(env: Env, layout: str, value: Any, zone: str) -> str:
    return format_moment(in_zone(_time(env, value), find_zone(zone) or UTC_ZONE).moment, layout)


def _time(env: Env, value: Any) -> GoTime:
    if isinstance(value, GoTime):
        return value
    return from_seconds(value) if type(value) in (int, GoInt64, GoInt32) else from_datetime(env.now)


@TABLE.function("dateModify date_modify", "string, time.Time")
def date_modify(duration: str, time: GoTime) -> GoTime:
    """The time moved by a duration such as `-1.5h`; unchanged if that is none."""
    try:
        return moved(time, parse_duration(duration))
    except ExpressionError:
        return time


@TABLE.function("mustDateModify must_date_modify", "string, time.Time")
def must_date_modify(duration: str, time: GoTime) -> GoTime:
    """As `dateModify`. Raises EvaluationError for what is no duration."""
    try:
        return moved(time, parse_duration(duration))
    except ExpressionError as exc:
        raise EvaluationError(f"time: {exc.message}: {duration!r}") from exc


@TABLE.function("toDate", "string, string")
def to_date(layout: str, text: str) -> GoTime:
    """The time that a text names; the zero time (year 1) if it does not follow the layout."""
    try:
        return must_to_date(layout, text)
    except EvaluationError:
        return GoTime(Moment(ZERO_TIME_SECONDS))


@TABLE.function("mustToDate", "string, string")
def must_to_date(layout: str, text: str) -> GoTime:
    """The time that a text names, in UTC if it names no zone. Raises EvaluationError."""
    return GoTime(parse_moment(layout, text))


@TABLE.function("unixEpoch", "time.Time")
def unix_epoch(time: GoTime) -> str:
    """Seconds since 1970 as text."""
    return str(time.moment.seconds)


@TABLE.function("duration", "any")
def duration(value: Any) -> str:
    """Seconds, as text or int64, written as a duration; other values are 0."""
    seconds = parse_digits(value, 10) if isinstance(value, str) else value if type(value) is GoInt64 else 0
    return format_duration(wrapped(int(seconds) * SECOND))


@TABLE.function("durationRound", "any", environment=True)
def duration_round(env: Env, value: Any) -> str:
    """A duration (text, int64 nanoseconds, or since a time) in its largest unit: `2h`, `3mo`."""
    size = abs(_nanoseconds(env, value))
    for name, unit in _UNITS:
        if size > unit:
            return f"{size // unit}{name}"
    return "0s"


def _nanoseconds(env: Env, value: Any) -> int:
    if isinstance(value, GoTime):
        return between(from_datetime(env.now), value)
    if type(value) is GoInt64:
        return value
    if not isinstance(value, str):
        return 0
    try:
        return parse_duration(value)
    except ExpressionError:
        return 0

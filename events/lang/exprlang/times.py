"""Times and durations in filter expressions: operators, methods, and the builtins date, duration and now."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from events.errors import EvaluationError, ExpressionError, shorten
from events.lang.duration import parse_duration
from events.lang.exprlang.budget import Budget
from events.lang.exprlang.calls import check_arguments
from events.lang.exprlang.operators import wrap
from events.lang.exprlang.values import NUMBERS, GoFunction
from events.lang.gotime import UTC_ZONE, Moment, Zone, find_zone, moment_at, tokens
from events.lang.gotime_parse import parse_moment
from events.lang.govalue import Function, GoObject
from events.lang.sprig.times import GoDuration, GoTime, between, moved
from events.lang.utc import iso_week

LAYOUTS: Final = (
    "2006-01-02",
    "15:04:05",
    "2006-01-02 15:04:05",
    "2006-01-02T15:04:05Z07:00",
    "02 Jan 06 15:04 MST",
    "Monday, 02-Jan-06 15:04:05 MST",
    "Mon, 02 Jan 2006 15:04:05 MST",
)
"""What `date` tries when it is given no layout."""


def arithmetic(operator: str, left: Any, right: Any) -> Any:
    """Times and durations added, subtracted or multiplied; None if there is no such operation."""
    if operator == "*":
        return _product(left, right)
    if isinstance(left, GoTime):
        return _from_time(operator, left, right)
    if isinstance(left, GoDuration) and isinstance(right, GoDuration):
        return GoDuration(wrap(left + right if operator == "+" else left - right))
    if isinstance(left, GoDuration) and isinstance(right, GoTime) and operator == "+":
        return moved(right, left)
    return None


def _product(left: Any, right: Any) -> Any:
    for side in (left, right):
        if not isinstance(side, GoDuration) and type(side) not in NUMBERS:
            return None
    product = left * right
    return product if type(product) is float else GoDuration(wrap(product))


def _from_time(operator: str, left: GoTime, right: Any) -> Any:
    if isinstance(right, GoDuration):
        return moved(left, right if operator == "+" else -right)
    return between(left, right) if isinstance(right, GoTime) and operator == "-" else None


# --- Methods


def method(base: GoObject, name: str) -> GoFunction | None:
    """The method of this name bound to its value, None if there is none."""
    found = base.go_methods.get(name) or _MORE_METHODS.get(base.go_type, {}).get(name)
    return None if found is None else GoFunction(name, _bound(base, name, found))


def _bound(base: GoObject, name: str, found: Function) -> Callable[..., Any]:
    def call(_: Budget, *arguments: Any) -> Any:
        check_arguments(name, found, arguments)
        return found.call(base, *arguments)

    return call


def _iso_year(time: GoTime) -> int:
    local = time.moment.local
    return iso_week(local.year, local.month, local.day)[0]


_MORE_METHODS: Final[Mapping[str, Mapping[str, Function]]] = {
    "time.Time": {  # of several results a call gives the first
        "ISOWeek": Function(_iso_year, ()),
        "Zone": Function(lambda time: time.moment.local.abbreviation, ()),
        "Date": Function(lambda time: time.moment.local.year, ()),
        "Clock": Function(lambda time: time.moment.local.hour, ()),
    }
}


# --- Builtins


def duration(text: Any) -> GoDuration:
    """time.ParseDuration. Raises EvaluationError."""
    try:
        return GoDuration(parse_duration(text))
    except ExpressionError as exc:
        raise EvaluationError(f"{exc.message}: {shorten(text)!r}") from exc


def date(text: str, layout: str | None = None, zone: str | None = None, *_: Any) -> GoTime:
    """A time as a layout of Go reads it, without one as the first of LAYOUTS that fits."""
    if layout is None:
        return GoTime(_guessed(text))
    if zone is None:
        return GoTime(parse_moment(layout, text))
    place = find_zone(zone)
    if place is None:
        raise EvaluationError(f"unknown time zone {shorten(zone)!r}")
    return GoTime(_placed(parse_moment(layout, text), layout, place))


def _guessed(text: str) -> Moment:
    for layout in LAYOUTS:
        try:
            return parse_moment(layout, text)
        except EvaluationError:
            continue
    raise EvaluationError(f"no date: {shorten(text)!r}")


def _placed(moment: Moment, layout: str, zone: Zone) -> Moment:
    """The moment as time.ParseInLocation gives it: what the text leaves open is the zone's."""
    elements = [token.element for token in tokens(layout)]
    if not any(element == "MST" or element[:1] in ("-", "Z") for element in elements):
        t = moment.local
        return moment_at(zone, t.year, t.month, t.day, (t.hour * 60 + t.minute) * 60 + t.second, moment.nanos)
    if moment.zone is UTC_ZONE:
        return moment
    if moment.zone.abbreviation and not moment.zone.offset:
        return _named(moment, zone)
    same = zone.at(moment.seconds)[1] == moment.zone.offset
    return Moment(moment.seconds, moment.nanos, zone) if same else moment


def _named(moment: Moment, zone: Zone) -> Moment:
    """The moment with the offset that its abbreviation has in the zone, unchanged if it has none there."""
    for guess in (
        zone.at(moment.seconds)[1],
        zone.at(moment.seconds - 3600)[1],
        zone.at(moment.seconds + 3600)[1],
    ):
        if zone.at(moment.seconds - guess) == (moment.zone.abbreviation, guess):
            return Moment(moment.seconds - guess, moment.nanos, zone)
    return moment

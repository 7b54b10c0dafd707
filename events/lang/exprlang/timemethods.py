"""Static types of the methods of times, durations, months and weekdays, as in Go's package time."""

from __future__ import annotations

from typing import Final

from events.lang.exprlang.gotypes import (
    BOOL,
    BYTES,
    DURATION,
    FLOAT,
    INT,
    INT64,
    LOCATION,
    MONTH,
    STRING,
    TIME,
    WEEKDAY,
    Type,
    function,
)

_BYTES_OR_ERROR: Final = function((), BYTES, 2)

_TIME: Final[dict[str, Type]] = {
    "Add": function((DURATION,), TIME),
    "AddDate": function((INT, INT, INT), TIME),
    "AppendBinary": function((BYTES,), BYTES, 2),
    "AppendFormat": function((BYTES, STRING), BYTES),
    "AppendText": function((BYTES,), BYTES, 2),
    "Clock": function((), INT, 3),
    "Compare": function((TIME,), INT),
    "Date": function((), INT, 3),
    "Format": function((STRING,), STRING),
    "GobEncode": _BYTES_OR_ERROR,
    "ISOWeek": function((), INT, 2),
    "In": function((LOCATION,), TIME),
    "Location": function((), LOCATION),
    "MarshalBinary": _BYTES_OR_ERROR,
    "MarshalJSON": _BYTES_OR_ERROR,
    "MarshalText": _BYTES_OR_ERROR,
    "Month": function((), MONTH),
    "Sub": function((TIME,), DURATION),
    "Weekday": function((), WEEKDAY),
    "Zone": function((), STRING, 2),
    "ZoneBounds": function((), TIME, 2),
    **dict.fromkeys(("After", "Before", "Equal"), function((TIME,), BOOL)),
    **dict.fromkeys(("Day", "Hour", "Minute", "Nanosecond", "Second", "Year", "YearDay"), function((), INT)),
    **dict.fromkeys(("GoString", "String"), function((), STRING)),
    **dict.fromkeys(("IsDST", "IsZero"), function((), BOOL)),
    **dict.fromkeys(("Local", "UTC"), function((), TIME)),
    **dict.fromkeys(("Round", "Truncate"), function((DURATION,), TIME)),
    **dict.fromkeys(("Unix", "UnixMicro", "UnixMilli", "UnixNano"), function((), INT64)),
}
_DURATION: Final[dict[str, Type]] = {
    "Abs": function((), DURATION),
    "String": function((), STRING),
    **dict.fromkeys(("Hours", "Minutes", "Seconds"), function((), FLOAT)),
    **dict.fromkeys(("Microseconds", "Milliseconds", "Nanoseconds"), function((), INT64)),
    **dict.fromkeys(("Round", "Truncate"), function((DURATION,), DURATION)),
}
_NAMED: Final[dict[str, Type]] = {"String": function((), STRING)}

METHODS: Final[dict[str, dict[str, Type]]] = {
    "time.Time": _TIME,
    "time.Duration": _DURATION,
    "time.Month": _NAMED,
    "time.Weekday": _NAMED,
    "*time.Location": _NAMED,
}
"""Type name -> method name -> function type, without the receiver."""

TIME_FIELDS: Final = ("wall", "ext", "loc")
"""Fields of time.Time: known to the type checker, but reading them fails."""

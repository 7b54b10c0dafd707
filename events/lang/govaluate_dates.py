"""Date literals of govaluate: a string constant in one of 14 layouts is a Unix time, not a string."""

from __future__ import annotations

from typing import Final

from events.errors import EvaluationError
from events.lang.gotime_parse import parse_moment
from events.lang.utc import WEEKDAYS

_LAYOUTS: Final = (
    "Mon Jan _2 15:04:05 2006",  # ANSI C
    "Mon Jan _2 15:04:05 MST 2006",  # Unix
    "Mon Jan 02 15:04:05 -0700 2006",  # Ruby
    "3:04PM",  # kitchen
    "2006-01-02T15:04:05Z07:00",  # RFC 3339; a fraction may follow the seconds in all layouts
    "2006-01-02",
    "2006-01-02 15:04",
    "2006-01-02 15:04:05",
    "2006-01-02 15:04:05-07:00",
    "2006-01-02T15Z0700",  # ISO 8601 from here on
    "2006-01-02T15:04Z0700",
    "2006-01-02T15:04:05Z0700",
)
_FIRST_LETTERS: Final = frozenset(name[:3].lower() for name in WEEKDAYS)


def unix_time(text: str) -> float | None:
    """Seconds since 1970 of a string constant that is a date, None for any other text.

    A date without a zone, or with the mere name of one, is taken as UTC.
    """
    if not (":" in text or "-" in text):
        return None
    if not text[:1].isdigit() and text[:3].lower() not in _FIRST_LETTERS:
        return None
    for layout in _LAYOUTS:
        try:
            return float(parse_moment(layout, text).seconds)
        except EvaluationError:
            continue
    return None

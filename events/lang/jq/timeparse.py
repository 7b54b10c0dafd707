"""Reads times in C's strptime format, as timefmt-go does."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Final

from events.lang.utc import COMPOUND, MONTHS, WEEKDAYS, Moment, days_before, fields, seconds

_DIGITS: Final = re.compile("[0-9]*")
_SPACES: Final = re.compile(r"[ \t\n\v\f\r]*")
_CAPITALS: Final = re.compile("[A-Z]*")
_ZONE_NAME: Final = re.compile("UTC|GMT|WITA|[A-Z]{3}|[A-Z]{3}T|[A-Z]{4}T")
_HOUR: Final = "([-+])([01][0-9]|2[0-3])"
_SIXTY: Final = "([0-5][0-9])"
_OFFSETS: Final = tuple(
    re.compile(_HOUR + rest)
    for rest in (
        f"(?::{_SIXTY}(?::{_SIXTY})?|{_SIXTY})?",
        f":{_SIXTY}",
        f":{_SIXTY}:{_SIXTY}",
        f"(?::?{_SIXTY}(?::{_SIXTY})?)?",
    )
)
"""Of %z, %:z, %::z and %:::z."""


def parse_time(text: str, form: str) -> Moment:
    """The moment that the text names. Raises ValueError."""
    reader = _Reader(text)
    reader.read(form)
    if reader.at < len(text):
        raise ValueError(f'unparsed string "{text[reader.at :]}"')
    return reader.moment()


class _Reader:
    """Reads one text from left to right; fields keep their last value."""

    def __init__(self, text: str) -> None:
        self.text, self.at = text, 0
        self.year, self.month, self.day = 1900, 1, 0
        self.hour, self.minute, self.second, self.nanoseconds = 0, 0, 0, 0
        self.offset = 0
        self.year_day, self.week, self.week_day = 0, 0, 0  # week days count from Sunday = 1
        self.week_start: int | None = None  # of U, W and V: Sunday = 0, Monday = 1, Thursday = 4
        self.century, self.afternoon, self.iso_year = -1, False, False

    def read(self, form: str) -> None:
        at = 0
        while at < len(form):
            if form[at] != "%":
                self.literal(form[at])
                at += 1
                continue
            colons = len(form[at + 1 :]) - len(form[at + 1 :].lstrip(":"))
            letter = form[at + 1 + colons : at + 2 + colons]
            self.conversion(letter, colons)
            at += 2 + colons

    def conversion(self, letter: str, colons: int) -> None:
        if letter == "z" and colons <= 3:
            self.zone(colons)
        elif colons:
            raise ValueError("expected 'z' after \"%" + ":" * min(colons, 3) + '"')
        elif letter in COMPOUND:
            self.read(COMPOUND[letter])
        elif letter == "%":
            self.literal("%")
        elif letter in _READERS:
            _READERS[letter](self)
        else:
            raise ValueError(f'unexpected format "%{letter}"' if letter else 'stray "%"')

    def literal(self, char: str) -> None:
        if not self.text.startswith(char, self.at):
            raise ValueError(f"expected '{char}'")
        self.at += 1

    def number(self, letter: str, size: int, low: int, high: int) -> int:
        digits = _DIGITS.match(self.text, self.at, self.at + size)[0]  # type: ignore[index]  # always matches
        if not digits or not low <= int(digits) <= high:
            raise ValueError(f'cannot parse "%{letter}"')
        self.at += len(digits)
        return int(digits)

    def name(self, letter: str, names: Sequence[str]) -> int:
        """The place of the name in the list, from 1."""
        for place, name in enumerate(names, 1):
            if self.text[self.at : self.at + len(name)].lower() == name.lower():
                self.at += len(name)
                return place
        raise ValueError(f'cannot parse "%{letter}"')

    def sign(self) -> int:
        negative = self.text.startswith("-", self.at)
        self.at += negative
        return -1 if negative else 1

    def blank(self) -> None:
        self.at += self.text.startswith(" ", self.at)

    # Conversions

    def full_year(self) -> None:
        self.year = self.sign() * self.number("Y", 4, 0, 9999)

    def short_year(self) -> None:
        year = self.number("y", 2, 0, 99)
        self.year = year + (2000 if year < 69 else 1900)

    def iso(self, read: Callable[[_Reader], None]) -> None:
        self.iso_year = True
        read(self)

    def read_century(self) -> None:
        if self.sign() < 0:
            raise ValueError('negative century is not supported for "%C"')
        self.century = self.number("C", 2, 0, 99)

    def read_week(self, letter: str, low: int, start: int) -> None:
        self.week, self.week_start = self.number(letter, 2, low, 53), start
        self.week_day = self.week_day or (1 if start == 0 else 2)

    def padded_day(self) -> None:
        self.blank()
        self.day = self.number("e", 2, 1, 31)

    def padded_hour(self) -> None:
        self.blank()
        self.hour = self.number("k", 2, 0, 23)

    def padded_half_hour(self) -> None:
        self.blank()
        self.half_hour("l")

    def half_hour(self, letter: str) -> None:
        self.hour = self.number(letter, 2, 1, 12) % 12

    def half(self, letter: str) -> None:
        self.afternoon = self.name(letter, ("AM", "PM")) == 2

    def unix(self) -> None:
        shown = fields(Moment(self.sign() * self.number("s", 19, 0, 2**63)))
        self.year, self.month, self.day = shown.year, shown.month, shown.day
        self.hour, self.minute, self.second = shown.hour, shown.minute, shown.second

    def fraction(self) -> None:
        start = self.at
        self.nanoseconds = self.number("f", 6, 0, 999_999) * 10 ** (9 - (self.at - start))

    def spaces(self, letter: str) -> None:
        end = _SPACES.match(self.text, self.at).end()  # type: ignore[union-attr]  # always matches
        if end == self.at:
            raise ValueError(f'expected a space for "%{letter}"')
        self.at = end

    def zone_name(self) -> None:
        """Only UTC is known; any other abbreviation counts as UTC, too."""
        name = _CAPITALS.match(self.text, self.at)[0]  # type: ignore[index]  # always matches
        if not _ZONE_NAME.fullmatch(name):
            raise ValueError(f'cannot parse "{name}" with "%Z"')
        self.at += len(name)

    def zone(self, colons: int) -> None:
        if self.text.startswith("Z", self.at):
            self.offset, self.at = 0, self.at + 1
            return
        found = _OFFSETS[colons].match(self.text, self.at)
        if found is None:
            raise ValueError('cannot parse "%' + ":" * colons + 'z"')
        sign, *parts = (part for part in found.groups() if part)
        size = sum(int(part) * unit for part, unit in zip(parts, (3600, 60, 1), strict=False))
        self.offset = -size if sign == "-" else size
        self.at = found.end()

    # Result

    def moment(self) -> Moment:
        hour = self.hour + 12 * self.afternoon
        if self.century >= 0:
            self.year = self.century * 100 + self.year % 100
        month, day = self.date()
        whole = seconds(self.year, month, day, hour, self.minute, self.second)
        return Moment(whole - self.offset, self.nanoseconds)

    def date(self) -> tuple[int, int]:
        """Month and day, which may lie beyond the month."""
        if self.day:
            return self.month, self.day
        if self.year_day:
            self.check_year(iso=False, letters="j")
            return 1, self.year_day
        if self.week_start is None:
            return self.month, 1
        self.check_year(iso=self.week_start == 4, letters="V" if self.week_start == 4 else "U")
        return 1, self.day_of_week()

    def check_year(self, iso: bool, letters: str) -> None:
        if iso != self.iso_year:
            raise ValueError(f'use "%{"G" if iso else "Y"}" with "%{letters}"')

    def day_of_week(self) -> int:
        """Day of the year, from the week and the day in it."""
        start = self.week_start or 0
        week = self.week + (start > 0 and self.week_day == 1)
        before = (days_before(self.year, 1, -start) + 4) % 7
        return -start + week * 7 - before + self.week_day - 1


def _field(name: str, letter: str, size: int, low: int, high: int) -> Callable[[_Reader], None]:
    return lambda reader: setattr(reader, name, reader.number(letter, size, low, high))


def _named(name: str, letter: str, names: Sequence[str]) -> Callable[[_Reader], None]:
    return lambda reader: setattr(reader, name, reader.name(letter, names))


_READERS: Final[dict[str, Callable[[_Reader], None]]] = {
    "Y": _Reader.full_year,
    "G": lambda reader: reader.iso(_Reader.full_year),
    "y": _Reader.short_year,
    "g": lambda reader: reader.iso(_Reader.short_year),
    "C": _Reader.read_century,
    "m": _field("month", "m", 2, 1, 12),
    "B": _named("month", "B", MONTHS),
    "b": _named("month", "b", [name[:3] for name in MONTHS]),
    "h": _named("month", "h", [name[:3] for name in MONTHS]),
    "A": _named("week_day", "A", WEEKDAYS),
    "a": _named("week_day", "a", [name[:3] for name in WEEKDAYS]),
    "w": lambda reader: setattr(reader, "week_day", reader.number("w", 1, 0, 6) + 1),
    "u": lambda reader: setattr(reader, "week_day", reader.number("u", 1, 1, 7) % 7 + 1),
    "V": lambda reader: reader.read_week("V", 1, 4),
    "U": lambda reader: reader.read_week("U", 0, 0),
    "W": lambda reader: reader.read_week("W", 0, 1),
    "d": _field("day", "d", 2, 1, 31),
    "e": _Reader.padded_day,
    "j": _field("year_day", "j", 3, 1, 366),
    "H": _field("hour", "H", 2, 0, 23),
    "k": _Reader.padded_hour,
    "I": lambda reader: reader.half_hour("I"),
    "l": _Reader.padded_half_hour,
    "p": lambda reader: reader.half("p"),
    "P": lambda reader: reader.half("P"),
    "M": _field("minute", "M", 2, 0, 59),
    "S": _field("second", "S", 2, 0, 60),
    "s": _Reader.unix,
    "f": _Reader.fraction,
    "t": lambda reader: reader.spaces("t"),
    "n": lambda reader: reader.spaces("n"),
    "Z": _Reader.zone_name,
}

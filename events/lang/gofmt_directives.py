"""Format strings of Go's package fmt, read once: text and directives such as `%-5.2f` or `%[2]*d`."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

NUMBER_LIMIT: Final = 1_000_000
"""Go gives up on widths and precisions above it."""

OUT_OF_RANGE: Final = 1 << 64
"""An argument index that reads well, but that no call has."""


@dataclass(frozen=True, slots=True)
class Flags:
    """What stands between `%` and the verb. `width` and `precision` are None when absent."""

    plus: bool = False
    minus: bool = False
    sharp: bool = False
    space: bool = False
    zero: bool = False
    plus_v: bool = False
    sharp_v: bool = False
    width: int | None = None
    precision: int | None = None


NO_FLAGS: Final = Flags()
_FLAG_NAMES: Final = {"+": "plus", "-": "minus", "#": "sharp", " ": "space", "0": "zero"}


@dataclass(slots=True)
class Directive:
    """One directive. An index is an argument number from 0, or -1 where it cannot be read as one."""

    flags: Flags = NO_FLAGS
    verb: str = ""  # empty: the format ends before it
    first_index: int | None = None
    star_width: bool = False
    precision_index: int | None = None
    star_precision: bool = False
    last_index: int | None = None
    bad_index: bool = False
    indirect: bool = False  # whether something beside the next argument decides
    bare: bool = False  # whether it is nothing but a verb

    def close(self, verb: str) -> Directive:
        """The directive, now that its verb was read."""
        flags, indexes = self.flags, (self.first_index, self.precision_index, self.last_index)
        self.verb = verb
        self.indirect = self.star_width or self.star_precision or any(index is not None for index in indexes)
        self.bare = flags == NO_FLAGS and not self.indirect
        if verb in ("v", "w"):
            self.flags = replace(flags, sharp_v=flags.sharp, plus_v=flags.plus, sharp=False, plus=False)
        return self


def directives(text: str) -> list[str | Directive]:
    """The text between directives, and the directives."""
    return _Scanner(text).pieces()


class _Scanner:
    """Reads the directives of one format string."""

    def __init__(self, text: str) -> None:
        self.text, self.at = text, 0

    def pieces(self) -> list[str | Directive]:
        pieces: list[str | Directive] = []
        while self.at < len(self.text):
            percent = self.text.find("%", self.at)
            end = len(self.text) if percent < 0 else percent
            if end > self.at:
                pieces.append(self.text[self.at : end])
            self.at = end + 1
            if percent >= 0:
                pieces.append(self.directive())
        return pieces

    def directive(self) -> Directive:
        found = Directive(flags=self.flags())
        found.first_index = self.index()
        after_index = self.width(found)
        after_index = self.precision(found, after_index)
        if not after_index:
            found.last_index = self.index()
        return found.close(self.verb())

    def flags(self) -> Flags:
        start = self.at
        while self.peek() in _FLAG_NAMES:
            self.at += 1
        given = self.text[start : self.at]
        return Flags(**{_FLAG_NAMES[char]: True for char in given}) if given else NO_FLAGS

    def width(self, found: Directive) -> bool:
        """Whether an index stands right before what follows."""
        after_index = found.first_index is not None and found.first_index != -1
        if self.peek() == "*":
            self.at += 1
            found.star_width = True
            return False
        width = self.number()
        if width is not None:
            found.flags = replace(found.flags, width=width)
            found.bad_index |= after_index
        return after_index

    def precision(self, found: Directive, after_index: bool) -> bool:
        if self.peek() != "." or self.at + 1 >= len(self.text):
            return after_index
        self.at += 1
        found.bad_index |= after_index
        found.precision_index = self.index()
        if self.peek() == "*":
            self.at += 1
            found.star_precision = True
            return False
        found.flags = replace(found.flags, precision=self.number() or 0)
        return found.precision_index is not None and found.precision_index != -1

    def index(self) -> int | None:
        """An explicit argument index like `[2]`: None if there is none, -1 if it is malformed."""
        if self.peek() != "[":
            return None
        close = self.text.find("]", self.at + 1)
        if close < 0 or len(self.text) - self.at < 3:
            self.at += 1
            return -1
        inner = self.text[self.at + 1 : close]
        self.at = close + 1
        if not (inner.isascii() and inner.isdigit()) or _overflows(inner):
            return -1
        return _number(inner) - 1 if inner.strip("0") else OUT_OF_RANGE

    def number(self) -> int | None:
        start = self.at
        while "0" <= self.peek() <= "9":
            self.at += 1
        digits = self.text[start : self.at]
        if _overflows(digits):
            self.at = len(self.text)
            return None
        return _number(digits) if digits else None

    def verb(self) -> str:
        verb = self.peek()
        self.at += 1
        return "\ufffd" if "\ud800" <= verb <= "\udfff" else verb

    def peek(self) -> str:
        return self.text[self.at] if self.at < len(self.text) else ""


def _number(digits: str) -> int:
    return int(digits.lstrip("0") or "0")  # int() itself refuses thousands of digits, even zeros


def _overflows(digits: str) -> bool:
    """Go stops reading when one more digit follows a number above a million."""
    digits = digits.lstrip("0")
    return len(digits) > 8 or (len(digits) > 1 and int(digits[:-1]) > NUMBER_LIMIT)

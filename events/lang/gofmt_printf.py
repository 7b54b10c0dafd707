"""Go's fmt.Sprintf: a format string is parsed once, then applied to arguments.

Promise   any format with any arguments gives text, as in Go (`%!d(float64=8)` and its kin); the only error is
          EvaluationError, for text above MAX_TEXT characters or values nested too deeply
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, Final

from events.errors import EvaluationError
from events.lang.gofmt_directives import NO_FLAGS, NUMBER_LIMIT, Directive, Flags, directives
from events.lang.gofmt_scalars import can_backquote, float_text, format_float, is_print, quote, quote_rune
from events.lang.govalue import (
    GoObject,
    NoValue,
    canonical,
    is_nil,
    is_unsigned,
    kind_name,
    sorted_items,
    to_bytes,
    type_name,
)

MAX_TEXT: Final = 4 * 1024 * 1024
"""Characters that one call may produce."""

_WORD: Final = 1 << 64
_POINTER: Final = 0xC000000000  # %p of a map or list: addresses say nothing, so all look the same


class Format:
    """A parsed format string, for formats that are known before their arguments."""

    def __init__(self, text: str) -> None:
        self._pieces = directives(text)

    def render(self, arguments: Sequence[Any]) -> str:
        """The text with these arguments. Raises EvaluationError (see the module)."""
        run = _Run(arguments)
        try:
            run.render(self._pieces)
        except RecursionError as exc:
            raise EvaluationError("value is nested too deeply to print") from exc
        return canonical("".join(run.out.parts))


def sprintf(text: str, *arguments: Any) -> str:
    """Go's fmt.Sprintf. Raises EvaluationError for text above MAX_TEXT characters."""
    return Format(text).render(arguments)


# --- One call -------------------------------------------------------------------------------------


class _Output:
    """Collects text and refuses too much of it."""

    __slots__ = ("parts", "room")

    def __init__(self) -> None:
        self.parts: list[str] = []
        self.room = MAX_TEXT

    def write(self, text: str) -> None:
        self.room -= len(text)
        if self.room < 0:
            raise EvaluationError(f"formatted text is longer than {MAX_TEXT} characters")
        self.parts.append(text)

    def reserve(self, flags: Flags) -> None:
        """Refuse a width or precision before text of that size is made."""
        if max(flags.width or 0, flags.precision or 0) > self.room:
            raise EvaluationError(f"formatted text is longer than {MAX_TEXT} characters")


_PLAIN: Final[dict[tuple[str, type], Callable[[Any], str]]] = {
    ("s", str): str,
    ("v", str): str,
    ("v", float): float_text,
    ("v", int): int.__repr__,
    ("d", int): int.__repr__,
}


class _Run:
    """One call: which argument is next, and whether any was named by its number."""

    def __init__(self, arguments: Sequence[Any]) -> None:
        self.arguments, self.next, self.reordered, self.good = arguments, 0, False, True
        self.out = _Output()

    def render(self, pieces: list[str | Directive]) -> None:
        for piece in pieces:
            if isinstance(piece, str):
                self.out.write(piece)
            else:
                self.directive(piece)
        if not self.reordered and self.next < len(self.arguments):
            self.extra()

    def directive(self, piece: Directive) -> None:
        if not (piece.bare and self.simple(piece.verb)):
            self.full(piece)

    def simple(self, verb: str) -> bool:
        """Print the next argument if it needs no more than its plain text: most do."""
        if self.next >= len(self.arguments):
            return False
        value = self.arguments[self.next]
        plain = _PLAIN.get((verb, type(value)))
        if plain is None:
            return False
        self.out.write(plain(value))
        self.next += 1
        return True

    def full(self, piece: Directive) -> None:
        self.good = not piece.bad_index
        flags = self.resolved(piece) if piece.indirect else piece.flags
        if piece.verb == "":
            self.out.write("%!(NOVERB)")
        elif piece.verb == "%":
            self.out.write("%")
        elif not self.good:
            self.out.write(f"%!{piece.verb}(BADINDEX)")
        elif self.next >= len(self.arguments):
            self.out.write(f"%!{piece.verb}(MISSING)")
        else:
            _Printer(self.out, flags).argument(self.arguments[self.next], piece.verb)
            self.next += 1

    def resolved(self, piece: Directive) -> Flags:
        """The flags with `*` and argument numbers applied, in the order in which Go reads them."""
        flags = piece.flags
        self.jump(piece.first_index)
        if piece.star_width:
            width = self.star("%!(BADWIDTH)")
            flags = replace(flags, width=None if width is None else abs(width))
            if width is not None and width < 0:
                flags = replace(flags, minus=True, zero=False)
        self.jump(piece.precision_index)
        if piece.star_precision:
            precision = self.star("%!(BADPREC)", at_least=0)
            flags = replace(flags, precision=precision)
        self.jump(piece.last_index)
        return flags

    def jump(self, index: int | None) -> None:
        if index is None:
            return
        self.reordered = True
        if 0 <= index < len(self.arguments):
            self.next = index
        else:
            self.good = False

    def star(self, complaint: str, at_least: int = -NUMBER_LIMIT) -> int | None:
        value = self.arguments[self.next] if self.next < len(self.arguments) else None
        self.next += self.next < len(self.arguments)
        if isinstance(value, int) and type(value) is not bool and at_least <= value <= NUMBER_LIMIT:
            return int(value)
        self.out.write(complaint)
        return None

    def extra(self) -> None:
        self.out.write("%!(EXTRA ")
        for place, value in enumerate(self.arguments[self.next :]):
            self.out.write(", " if place else "")
            if value is None or isinstance(value, NoValue):
                self.out.write("<nil>")
            else:
                self.out.write(type_name(value) + "=")
                _Printer(self.out, NO_FLAGS).argument(value, "v")
        self.out.write(")")


# --- One argument ---------------------------------------------------------------------------------


class _Printer:
    """Prints one argument with the flags of its verb."""

    __slots__ = ("erroring", "flags", "out")

    def __init__(self, out: _Output, flags: Flags) -> None:
        self.out, self.flags, self.erroring = out, flags, False
        out.reserve(flags)

    def argument(self, value: Any, verb: str) -> None:
        if value is None or isinstance(value, NoValue):
            self.nothing(verb)
        elif verb == "T":
            self.pad(self.cut(type_name(value)))
        elif verb == "p":
            self.pointer(value)
        else:
            self.value(value, verb, 0)

    def nothing(self, verb: str) -> None:
        if verb in "Tv":
            self.pad("<nil>")
        else:
            self.out.write(f"%!{verb}(<nil>)")

    def pointer(self, value: Any) -> None:
        if kind_name(value) in ("slice", "map", "ptr"):
            address = 0 if is_nil(value) else _POINTER
            self.integer_text(address, 16, replace(self.flags, sharp=not self.flags.sharp), unsigned=True)
        else:
            self.bad_verb(value, "p")

    def value(self, value: Any, verb: str, depth: int) -> None:
        """A value at some depth of a container; nil stands only inside one."""
        if value is None or isinstance(value, NoValue):
            self.out.write("interface {}(nil)" if self.flags.sharp_v else "<nil>")
        elif not self.by_method(value, verb, depth):
            _PRINTERS[kind_name(value)](self, value, verb, depth)

    def by_method(self, value: Any, verb: str, depth: int) -> bool:
        """Whether the value was printed by its String method, or `%w` was refused."""
        if self.erroring or (verb != "w" and type(value) in _METHODLESS):
            return False
        if verb == "w" and (depth or kind_name(value) in ("slice", "map", "struct", "ptr")):
            self.bad_verb(value, verb)
            return True
        method = None if verb not in "vsxXq" or self.flags.sharp_v else getattr(value, "go_text", None)
        text = None if method is None else method()
        if text is None:
            return False
        self.string(text, verb, depth)
        return True

    def bad_verb(self, value: Any, verb: str) -> None:
        self.out.write(f"%!{verb}({type_name(value)}=")
        before, self.erroring = self.erroring, True
        self.value(value, "v", 0)
        self.erroring = before
        self.out.write(")")

    # scalars

    def boolean(self, value: bool, verb: str, depth: int) -> None:
        if verb in "tv":
            self.pad("true" if value else "false")
        else:
            self.bad_verb(value, verb)

    def string(self, value: str, verb: str, depth: int) -> None:
        if verb == "s" or (verb == "v" and not self.flags.sharp_v):
            self.pad(self.cut(value))
        elif verb in "vq":
            self.quoted(self.cut(value))
        elif verb in "xX":
            self.hex_string(value, verb)
        else:
            self.bad_verb(value, verb)

    def quoted(self, text: str) -> None:
        if self.flags.sharp and can_backquote(text):
            self.pad(f"`{text}`")
        else:
            self.pad(quote(text, ascii_only=self.flags.plus))

    def hex_string(self, text: str, verb: str) -> None:
        flags = self.flags
        data = to_bytes(text)[: flags.precision]
        prefix = "0x" if flags.sharp and data else ""
        shown = data.hex(" ").replace(" ", " " + prefix) if flags.space and data else data.hex()
        shown = prefix + shown
        self.pad(shown.upper() if verb == "X" else shown)

    def integer(self, value: int, verb: str, depth: int) -> None:
        unsigned = is_unsigned(value)
        if verb in _BASES:
            self.integer_text(value, _BASES[verb], self.flags, unsigned, verb)
        elif verb == "v":
            hexadecimal = unsigned and self.flags.sharp_v
            flags = replace(self.flags, sharp=True) if hexadecimal else self.flags
            self.integer_text(value, 16 if hexadecimal else 10, flags, unsigned)
        elif verb in "cqU":
            self.character(value % _WORD, verb)
        else:
            self.bad_verb(value, verb)

    def integer_text(self, value: int, base: int, flags: Flags, unsigned: bool, verb: str = "d") -> None:
        number = value % _WORD if unsigned else (value + _WORD // 2) % _WORD - _WORD // 2
        if flags.precision == 0 and number == 0:
            self.pad("", zero=False)
            return
        sign = "-" if number < 0 else "+" if flags.plus else " " if flags.space else ""
        digits = format(abs(number), _FORMATS[base]).rjust(_least_digits(flags, len(sign)), "0")
        text = _prefix(digits, base, flags.sharp, verb) + digits
        self.pad(sign + (text.upper() if verb == "X" else text), zero=False)

    def character(self, code: int, verb: str) -> None:
        if verb == "U":
            self.unicode(code)
            return
        char = chr(code) if code <= 0x10FFFF and not 0xD800 <= code <= 0xDFFF else "\ufffd"
        self.pad(char if verb == "c" else quote_rune(char, ascii_only=self.flags.plus))

    def unicode(self, code: int) -> None:
        text = f"U+{code:0{max(4, self.flags.precision or 0)}X}"
        if self.flags.sharp and code <= 0x10FFFF and is_print(chr(code)):
            text += f" '{chr(code)}'"
        self.pad(text, zero=False)

    def floating(self, value: float, verb: str, depth: int) -> None:
        if verb not in _FLOAT_VERBS:
            self.bad_verb(value, verb)
            return
        shown, precision = _FLOAT_VERBS[verb]
        self.float_text(value, shown, precision, self.flags.plus)

    def complex(self, value: complex, verb: str, depth: int) -> None:
        if verb not in _FLOAT_VERBS:
            self.bad_verb(value, verb)
            return
        shown, precision = _FLOAT_VERBS[verb]
        self.out.write("(")
        self.float_text(value.real, shown, precision, self.flags.plus)
        self.float_text(value.imag, shown, precision, plus=True)
        self.out.write("i)")

    def float_text(self, value: float, verb: str, precision: int, plus: bool) -> None:
        flags = self.flags
        if flags.precision is not None:
            precision = flags.precision
        text = format_float(value, verb, precision)
        sign, text = (text[0], text[1:]) if text[0] in "+-" else ("+", text)
        if sign == "+" and not plus:
            sign = " " if flags.space else ""
        if text in ("Inf", "NaN"):
            infinite = "+" if text == "Inf" and not sign else sign
            self.pad(infinite + text, zero=False)
            return
        if flags.sharp and verb != "b":
            text = _with_point(text, verb, precision)
        if sign and flags.zero and not flags.minus:
            text = text.rjust((flags.width or 0) - 1, "0")
        self.pad(sign + text)

    # containers

    def sequence(self, value: list[Any], verb: str, depth: int) -> None:
        if self.open(value, "["):
            for place, item in enumerate(value):
                self.separate(place)
                self.value(item, verb, depth + 1)
            self.close()

    def mapping(self, value: dict[str, Any], verb: str, depth: int) -> None:
        if self.open(value, "map["):
            for place, (key, item) in enumerate(sorted_items(value)):
                self.separate(place)
                self.value(key, verb, depth + 1)
                self.out.write(":")
                self.value(item, verb, depth + 1)
            self.close()

    def structure(self, value: GoObject, verb: str, depth: int) -> None:
        flags = self.flags
        self.out.write("&" if value.go_kind == "ptr" else "")
        self.out.write((value.go_type.lstrip("*") if flags.sharp_v else "") + "{")
        for place, (name, item) in enumerate(value.go_fields().items()):
            self.separate(place)
            self.out.write(name + ":" if flags.sharp_v or flags.plus_v else "")
            self.value(item, verb, depth + 1)
        self.out.write("}")

    def open(self, value: Any, mark: str) -> bool:
        """Print what stands before the entries; whether there can be any: Go syntax has a word for nil."""
        if not self.flags.sharp_v:
            self.out.write(mark)
            return True
        self.out.write(type_name(value) + ("(nil)" if is_nil(value) else "{"))
        return not is_nil(value)

    def separate(self, place: int) -> None:
        if place:
            self.out.write(", " if self.flags.sharp_v else " ")

    def close(self) -> None:
        self.out.write("}" if self.flags.sharp_v else "]")

    # width and precision

    def cut(self, text: str) -> str:
        return text if self.flags.precision is None else text[: self.flags.precision]

    def pad(self, text: str, zero: bool = True) -> None:
        flags = self.flags
        if not flags.width or flags.width <= len(text):
            self.out.write(text)
        elif flags.minus:
            self.out.write(text.ljust(flags.width))
        else:
            self.out.write(text.rjust(flags.width, "0" if flags.zero and zero else " "))


_METHODLESS: Final = frozenset([str, float, int, bool, list, dict])
_BASES: Final = {"d": 10, "b": 2, "o": 8, "O": 8, "x": 16, "X": 16}
_FORMATS: Final = {10: "d", 2: "b", 8: "o", 16: "x"}
_FLOAT_VERBS: Final = {
    **{verb: (verb, -1) for verb in "bgGxX"},
    **{verb: (verb, 6) for verb in "feE"},
    "v": ("g", -1),
    "F": ("f", 6),
}


def _least_digits(flags: Flags, sign: int) -> int:
    if flags.precision is not None:
        return flags.precision
    if flags.zero and not flags.minus and flags.width is not None:
        return flags.width - sign
    return 0


def _prefix(digits: str, base: int, sharp: bool, verb: str) -> str:
    prefix = ""
    if sharp:
        prefix = {2: "0b", 8: "" if digits[0] == "0" else "0", 16: "0x", 10: ""}[base]
    return "0o" + prefix if verb == "O" else prefix


def _with_point(text: str, verb: str, precision: int) -> str:
    """What `#` does to a float: always a decimal point, and for %g its trailing zeros."""
    mark = next((mark for mark in ("pP" if verb in "xX" else "eE") if mark in text), None)
    number, tail = text, ""
    if mark is not None:
        number, tail = text[: text.index(mark)], text[text.index(mark) :]
    missing = 0
    if verb in "gGx":
        missing = (6 if precision == -1 else precision) - _counted_digits(number)
    if "." not in number:
        missing -= number == "0"
        number += "."
    return number + "0" * missing + tail


def _counted_digits(number: str) -> int:
    """Digits from the first that is not zero; the `x` of a hexadecimal prefix counts as one."""
    return len(number.replace(".", "").lstrip("0"))


_PRINTERS: Final[dict[str, Callable[[_Printer, Any, str, int], None]]] = {
    "bool": _Printer.boolean,
    "string": _Printer.string,
    "float64": _Printer.floating,
    "complex128": _Printer.complex,
    **dict.fromkeys(("int", "int32", "int64", "uint8", "uint32", "uint64"), _Printer.integer),
    "slice": _Printer.sequence,
    "map": _Printer.mapping,
    "struct": _Printer.structure,
    "ptr": _Printer.structure,
}

"""jq builtins that are plain functions of the input and their arguments' values."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final

from events.lang.gojson import Number
from events.lang.jq import formats, numbers, regex, times
from events.lang.jq.paths import Editor, children, get_path, index, matches_at, occurrences
from events.lang.jq.values import (
    JqError,
    Value,
    add,
    compare,
    described,
    is_number,
    parse_number,
    preview,
    sorted_pairs,
    split,
    to_int,
    to_json,
    to_string,
    total,
    truthy,
    type_of,
    valid,
)


class Halt(Exception):
    """`halt` and `halt_error`: ends the program, `try` does not catch it."""


def _refused(call: str, value: Value) -> JqError:
    return JqError(f"{call} cannot be applied to: {described(value)}")


def _need(kind: type, name: str, value: Value) -> None:
    if type(value) is not kind:
        raise _refused(name, value)


# --- Any value ------------------------------------------------------------------------------------


def length(value: Value) -> Value:
    if value is None:
        return 0
    if type(value) in (str, list, dict):
        return len(value)
    return absolute(value, "length")


def absolute(value: Value, name: str = "abs") -> Value:
    if type(value) is Number:
        return Number(value.text.removeprefix("-"))
    if not is_number(value):
        raise _refused(name, value)
    return abs(value)


def utf8_length(value: Value) -> int:
    _need(str, "utf8bytelength", value)
    return len(value.encode(errors="surrogateescape"))


def all_keys(value: Value) -> list[Value]:
    """The keys of an object, sorted, or of an array."""
    if type(value) is list:
        return list(range(len(value)))
    _need(dict, "keys", value)
    return sorted(value)


def has(value: Value, key: Value) -> bool:
    if type(value) is list and is_number(key):
        return 0 <= to_int(key) < len(value)
    if type(value) is dict and type(key) is str:
        return key in value
    if value is None:
        return False
    raise _refused(f"has({preview(key)})", value)


def add_all(value: Value) -> Value:
    if type(value) not in (list, dict):
        raise _refused("add", value)
    return total(children(value))


def to_boolean(value: Value) -> bool:
    if type(value) is bool:
        return value
    _need(str, "toboolean", value)
    if value not in ("true", "false"):
        raise JqError(f"toboolean cannot be applied to {preview(value)}: invalid boolean")
    return bool(value == "true")


def to_number(value: Value) -> Value:
    if is_number(value):
        return value
    _need(str, "tonumber", value)
    if not numbers.LITERAL.fullmatch(value):
        raise JqError(f"tonumber cannot be applied to {preview(value)}: invalid number")
    return parse_number(value)


def contains(value: Value, part: Value) -> bool:
    if type(value) is dict and type(part) is dict:
        return all(key in value and _holds(value[key], item) for key, item in part.items())
    if type(value) is list and type(part) is list:
        return all(any(_holds(item, wanted) for item in value) for wanted in part)
    if type(value) is str and type(part) is str:
        return part in value
    if type_of(value) == type_of(part) and compare(value, part) == 0:
        return True
    if is_number(value) and is_number(part):
        return False
    raise _refused(f"contains({preview(part)})", value)


def _holds(value: Value, part: Value) -> bool:
    try:
        return contains(value, part)
    except JqError:
        return False


def raise_error(value: Value, message: Value) -> Value:
    raise JqError(message, raised=True)


def halt(value: Value, *arguments: Value) -> Value:
    if arguments and not is_number(arguments[0]):
        raise _refused("halt_error", arguments[0])
    raise Halt("halted")


def module_meta(value: Value) -> Value:
    _need(str, "modulemeta", value)
    raise JqError(f'cannot load module: "{value}"')


# --- Strings --------------------------------------------------------------------------------------


def _texts(name: str, function: Callable[[str, str], Any]) -> Callable[[Value, Value], Any]:
    """A function of the input and one argument, which both have to be strings."""

    def checked(value: Value, other: Value) -> Any:
        if type(value) is not str or type(other) is not str:
            raise _refused(f"{name}({preview(other)})", value)
        return function(value, other)

    return checked


def _text(name: str, function: Callable[[str], Any]) -> Callable[[Value], Any]:
    def checked(value: Value) -> Any:
        _need(str, name, value)
        return function(value)

    return checked


_SPACE: Final = (
    "".join(map(chr, range(0x2000, 0x200B))) + "\t\n\v\f\r \x85\xa0\u1680\u2028\u2029\u202f\u205f\u3000"
)
_UPPER: Final = {code: code - 32 for code in range(ord("a"), ord("z") + 1)}
_LOWER: Final = {code: code + 32 for code in range(ord("A"), ord("Z") + 1)}


def explode(value: str) -> list[Value]:
    return [ord(char) for char in valid(value)]


def implode(value: Value) -> str:
    _need(list, "implode", value)
    for code in value:
        if not is_number(code):
            raise _refused("implode", value)
    return valid("".join([_char(to_int(code)) for code in value]))


def _char(code: int) -> str:
    return chr(code) if 0 <= code <= 0x10FFFF else "\ufffd"


def split_text(value: Value, separator: Value) -> list[Value]:
    _need(str, "split", value)
    _need(str, "split", separator)
    return split(value, separator)


def join(value: Value, separator: Value) -> Value:
    if type(value) not in (list, dict):
        raise _refused(f"join({preview(separator)})", value)
    return total(_joined(children(value), separator)) if value else ""


def _joined(items: list[Value], separator: Value) -> Iterator[Value]:
    for at, item in enumerate(items):
        yield separator if at else ""
        yield to_json(item) if type(item) is bool or is_number(item) else item


# --- Where something occurs -----------------------------------------------------------------------


def _find(name: str, among: Callable[[list[Value], list[Value]], Value]) -> Callable[[Value, Value], Value]:
    def find(value: Value, wanted: Value) -> Value:
        if value is None:
            return None
        if type(value) is list:
            return among(value, wanted if type(wanted) is list else [wanted])
        if type(value) is str and type(wanted) is str:
            return among(list(value), list(wanted))
        raise _refused(f"{name}({preview(wanted)})", value)

    return find


def _first_place(values: list[Value], wanted: list[Value]) -> Value:
    return _place(values, wanted, range(len(values) - len(wanted) + 1))


def _last_place(values: list[Value], wanted: list[Value]) -> Value:
    return _place(values, wanted, range(len(values) - len(wanted), -1, -1))


def _place(values: list[Value], wanted: list[Value], places: Iterable[int]) -> int | None:
    return next((at for at in places if matches_at(values, wanted, at)), None) if wanted else None


# --- Arrays ---------------------------------------------------------------------------------------


def flatten(value: Value, depth: Value = math.inf) -> list[Value]:
    if type(value) not in (list, dict):
        raise _refused("flatten", value)
    levels = numbers.number("flatten", depth)
    if not levels >= 0:
        raise JqError(f"flatten depth should not be negative: {preview(levels)}")
    return list(_flat(children(value), levels))


def _flat(items: list[Value], levels: float) -> Iterator[Value]:
    for item in items:
        if type(item) is list and levels != 0:
            yield from _flat(item, levels - 1)
        else:
            yield item


def sequence(start: Value, end: Value, step: Value) -> Iterable[Value]:
    """The numbers from start up to end, without it; nothing for a step of 0."""
    for bound in (start, end, step):
        if not is_number(bound):
            raise _refused("range", bound)
    if type(start) is int and type(end) is int and type(step) is int and step:
        return range(start, end, step)
    return _steps(start, end, step)


def _steps(start: Value, end: Value, step: Value) -> Iterator[Value]:
    direction = compare(step, 0)
    while direction * compare(start, end) < 0:
        yield start
        start = add(start, step)


def reverse(value: Value) -> list[Value]:
    _need(list, "reverse", value)
    return value[::-1]  # type: ignore[no-any-return]  # a list


def sort(value: Value) -> list[Value]:
    _need(list, "sort", value)
    return [item for _, item in sorted_pairs(value, value)]


def transpose(value: Value) -> list[Value]:
    _need(list, "transpose", value)
    if not all(type(row) is list for row in value):
        raise _refused("transpose", value)
    width = max(map(len, value), default=0)
    return [[row[at] if at < len(row) else None for row in value] for at in range(width)]


def binary_search(value: Value, wanted: Value) -> int:
    if type(value) is not list:
        raise _refused(f"bsearch({preview(wanted)})", value)
    low, high = 0, len(value)
    while low < high:
        middle = (low + high) // 2
        if compare(value[middle], wanted) >= 0:
            high = middle
        else:
            low = middle + 1
    return low if low < len(value) and compare(value[low], wanted) == 0 else -low - 1


# --- Objects as entries ---------------------------------------------------------------------------


def to_entries(value: Value) -> list[Value]:
    return [{"key": key, "value": index(value, key)} for key in all_keys(value)]


def from_entries(value: Value) -> dict[str, Value]:
    return dict(map(_entry, children(value)))


def _entry(entry: Value) -> tuple[str, Value]:
    key = next((found for name in _KEY_NAMES if truthy(found := index(entry, name))), index(entry, "Name"))
    if type(key) is not str:
        raise JqError(f"expected a string for object key but got: {described(key)}")
    return key, index(entry, "value" if "value" in (entry or ()) else "Value")


_KEY_NAMES: Final = ("key", "Key", "name", "Name")


FUNCTIONS: Final[dict[tuple[str, int], Callable[..., Value]]] = {
    ("length", 0): length,
    ("abs", 0): absolute,
    ("utf8bytelength", 0): utf8_length,
    ("not", 0): lambda value: value is None or value is False,
    ("keys", 0): all_keys,
    ("has", 1): has,
    ("to_entries", 0): to_entries,
    ("from_entries", 0): from_entries,
    ("in", 1): lambda value, other: has(other, value),
    ("add", 0): add_all,
    ("toboolean", 0): to_boolean,
    ("tonumber", 0): to_number,
    ("tostring", 0): to_string,
    ("tojson", 0): to_json,
    ("fromjson", 0): formats.from_json,
    ("type", 0): type_of,
    ("contains", 1): contains,
    ("inside", 1): lambda value, other: contains(other, value),
    ("error", 0): lambda value: raise_error(value, value),
    ("error", 1): raise_error,
    ("halt", 0): halt,
    ("halt_error", 0): halt,
    ("halt_error", 1): halt,
    ("modulemeta", 0): module_meta,
    ("env", 0): lambda value: {},
    ("startswith", 1): _texts("startswith", str.startswith),
    ("endswith", 1): _texts("endswith", str.endswith),
    ("ltrimstr", 1): _texts("ltrimstr", str.removeprefix),
    ("rtrimstr", 1): _texts("rtrimstr", str.removesuffix),
    ("trimstr", 1): _texts("trimstr", lambda text, end: text.removeprefix(end).removesuffix(end)),
    ("ltrim", 0): _text("ltrim", lambda text: text.lstrip(_SPACE)),
    ("rtrim", 0): _text("rtrim", lambda text: text.rstrip(_SPACE)),
    ("trim", 0): _text("trim", lambda text: text.strip(_SPACE)),
    ("explode", 0): _text("explode", explode),
    ("implode", 0): implode,
    ("split", 1): split_text,
    ("join", 1): join,
    ("ascii_downcase", 0): _text("ascii_downcase", lambda text: valid(text).translate(_LOWER)),
    ("ascii_upcase", 0): _text("ascii_upcase", lambda text: valid(text).translate(_UPPER)),
    ("format", 1): formats.formatted,
    **{(name, 0): function for name, function in formats.NAMED.items()},
    ("indices", 1): _find("indices", occurrences),
    ("index", 1): _find("index", _first_place),
    ("rindex", 1): _find("rindex", _last_place),
    ("flatten", 0): flatten,
    ("flatten", 1): flatten,
    ("reverse", 0): reverse,
    ("sort", 0): sort,
    ("transpose", 0): transpose,
    ("bsearch", 1): binary_search,
    ("getpath", 1): get_path,
    ("setpath", 2): lambda value, path, new: Editor().set_path(value, path, new),
    ("delpaths", 1): lambda value, paths: Editor().delete_paths(value, paths),
    ("gmtime", 0): times.gmtime,
    ("localtime", 0): lambda value: times.gmtime(value, "localtime"),
    ("mktime", 0): times.mktime,
    ("strftime", 1): times.strftime,
    ("strflocaltime", 1): lambda value, form: times.strftime(value, form, "strflocaltime"),
    ("strptime", 1): times.strptime,
    **numbers.FUNCTIONS,
}
"""By name and arity: functions of the input and the arguments; the last argument's outputs vary slowest."""

ORDERED: Final[dict[tuple[str, int], Callable[..., Value]]] = {
    ("test", 1): regex.found,
    ("test", 2): regex.found,
    ("split", 2): regex.splits,
}
"""As FUNCTIONS, but the first argument's outputs vary slowest."""

GENERATORS: Final[dict[tuple[str, int], Callable[..., Iterable[Value]]]] = {
    ("range", 1): lambda value, end: sequence(0, end, 1),
    ("range", 2): lambda value, start, end: sequence(start, end, 1),
    ("range", 3): lambda value, start, end, step: sequence(start, end, step),
    ("match", 1): regex.match,
    ("match", 2): regex.match,
    ("capture", 1): regex.capture,
    ("capture", 2): regex.capture,
    ("scan", 1): regex.scan,
    ("scan", 2): regex.scan,
    ("splits", 1): regex.splits,
    ("splits", 2): regex.splits,
}
"""As ORDERED, with any number of results."""

"""The builtins that take values only: name -> function, number of arguments, and how it is called."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from events.lang.exprlang import jsontext, lists, numbers, texts
from events.lang.exprlang.budget import Budget

MANY: Final = 1 << 30


@dataclass(frozen=True, slots=True)
class BuiltinFunction:
    """`call` gets the budget and the arguments.

    `raw`: it makes no difference between int and float, so that it may get values straight from the event.
    `hands_on`: its result is a part of the first argument, raw if that is.
    `callable`: upstream can call it through a variable (`let f = trim; f(x)`).
    """

    call: Callable[..., Any]
    fewest: int = 1
    most: int = 1
    raw: bool = False
    hands_on: bool = False
    callable: bool = True

    def takes(self, count: int) -> bool:
        """Whether it can be called with so many arguments."""
        return self.fewest <= count <= self.most


def _duration(_: Budget, text: Any) -> Any:
    from events.lang.exprlang.times import duration  # loads the time zones and Sprig's types

    return duration(texts.text_of(text))


def _date(_: Budget, *parts: Any) -> Any:
    from events.lang.exprlang.times import date  # loads the time zones and Sprig's types

    return date(*map(texts.text_of, parts))


_Function = BuiltinFunction

FUNCTIONS: Final[dict[str, BuiltinFunction]] = {
    "len": _Function(lists.count, raw=True, callable=False),
    "type": _Function(lists.type_text, callable=False),
    "abs": _Function(numbers.absolute, callable=False),
    "ceil": _Function(numbers.rounded("ceil", numbers.ceiling), callable=False),
    "floor": _Function(numbers.rounded("floor", numbers.floor), callable=False),
    "round": _Function(numbers.rounded("round", numbers.nearest), callable=False),
    "int": _Function(numbers.integer, callable=False),
    "float": _Function(numbers.floating, callable=False),
    "string": _Function(lists.text, callable=False),
    "trim": _Function(texts.trim, 1, 2, raw=True),
    "trimPrefix": _Function(texts.trim_prefix, 1, 2, raw=True),
    "trimSuffix": _Function(texts.trim_suffix, 1, 2, raw=True),
    "upper": _Function(texts.upper, raw=True, callable=False),
    "lower": _Function(texts.lower, raw=True, callable=False),
    "split": _Function(texts.split, 2, 3),
    "splitAfter": _Function(texts.split_after, 2, 3),
    "replace": _Function(texts.replace, 3, 4),
    "repeat": _Function(texts.repeat, 2, 2),
    "join": _Function(texts.join, 1, 2, raw=True),
    "indexOf": _Function(texts.index_of, 2, 2, raw=True),
    "lastIndexOf": _Function(texts.last_index_of, 2, 2, raw=True),
    "hasPrefix": _Function(texts.has_prefix, 2, 2, raw=True),
    "hasSuffix": _Function(texts.has_suffix, 2, 2, raw=True),
    "max": _Function(numbers.maximum, 0, MANY),
    "min": _Function(numbers.minimum, 0, MANY),
    "sum": _Function(numbers.total),
    "mean": _Function(numbers.mean),
    "median": _Function(numbers.median),
    "toJSON": _Function(jsontext.to_json_indented, 1, MANY),
    "fromJSON": _Function(jsontext.from_json, 1, MANY, raw=True),
    "toBase64": _Function(texts.to_base64, raw=True),
    "fromBase64": _Function(texts.from_base64, raw=True),
    "duration": _Function(_duration, raw=True),
    "date": _Function(_date, 1, 3, raw=True),
    "first": _Function(lists.first, hands_on=True),
    "last": _Function(lists.last, hands_on=True),
    "get": _Function(lists.get, 2, 2, hands_on=True),
    "take": _Function(lists.take, 2, 2, hands_on=True),
    "keys": _Function(lists.keys, raw=True),
    "values": _Function(lists.values),
    "toPairs": _Function(lists.to_pairs),
    "fromPairs": _Function(lists.from_pairs),
    "sort": _Function(lists.sort, 1, 2),
    "sortBy": _Function(lists.sort_by, 2, 3),
}
"""All builtins but those that loop, and `now`."""

RAW_RESULT: Final = "fromJSON"
"""The builtin whose result is as raw as the event."""

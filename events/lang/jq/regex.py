"""jq regular expressions: RE2, whose syntax is Go's; offsets count characters."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from typing import Any, Final

import re2

from events.lang.jq.values import JqError, Value, add, described, preview, to_json, valid

_FLAGS: Final = frozenset("gim")
_MAX_REGEX_BYTES: Final = 8 * 1024 * 1024  # memory of one compiled expression


@lru_cache(maxsize=128)
def _compiled(pattern: str, flags: str) -> Any:
    """The expression, or the JqError that says why there is none."""
    unknown = sorted(set(flags) - _FLAGS)
    if unknown:
        return JqError(f'unsupported regular expression flag: "{flags}"')
    prefix = ("(?s)" if "m" in flags else "") + ("(?i)" if "i" in flags else "")
    options = re2.Options()
    options.log_errors = False
    options.max_mem = _MAX_REGEX_BYTES
    try:
        return re2.compile(valid(prefix + pattern), options)
    except re2.error as exc:
        reason = exc.args[0].decode(errors="replace")
        return JqError(f"invalid regular expression {to_json(prefix + pattern)}: {reason}")


def _expression(name: str, text: Value, pattern: Value, flags: Value) -> tuple[Any, str]:
    """The compiled expression, and the text as RE2 takes it."""
    given = "" if flags is None else flags
    if not (type(text) is str and type(pattern) is str and type(given) is str):
        call = f"{name}({preview(pattern)}; {preview(flags)})"
        raise JqError(f"{call} cannot be applied to: {described(text)}")
    expression = _compiled(pattern, given)
    if isinstance(expression, JqError):
        raise expression
    return expression, valid(text)


def found(text: Value, pattern: Value, flags: Value = None) -> bool:
    """jq's `test`."""
    expression, subject = _expression("test", text, pattern, flags)
    return expression.search(subject) is not None


def match(text: Value, pattern: Value, flags: Value = None) -> list[Value]:
    """All matches with the flag `g`, else the first one, as the objects of jq's `match`."""
    expression, subject = _expression("match", text, pattern, flags)
    hits = _matches(expression, subject) if "g" in (flags or "") else _matches_once(expression, subject)
    names = {number: name for name, number in expression.groupindex.items()}
    return [_described(hit, names, expression.groups) for hit in hits]


def _matches_once(expression: Any, text: str) -> Iterator[Any]:
    hit = expression.search(text)
    if hit is not None:
        yield hit


def _matches(expression: Any, text: str) -> Iterator[Any]:
    """As Go's FindAll: an empty match right after another match does not count."""
    last_end = -1
    for hit in expression.finditer(text):
        if hit.start() != hit.end() or hit.start() != last_end:
            yield hit
        last_end = hit.end()


def _described(hit: Any, names: dict[int, str], groups: int) -> dict[str, Value]:
    captures = [{**_span(hit, number), "name": names.get(number)} for number in range(1, groups + 1)]
    return {**_span(hit, 0), "captures": captures}


def _span(hit: Any, number: int) -> dict[str, Value]:
    start, end = hit.span(number)
    return {"offset": start, "length": end - start, "string": hit[number]}


def named_captures(captures: list[Value]) -> dict[str, Value]:
    return {capture["name"]: capture["string"] for capture in captures if capture["name"]}


def capture(text: Value, pattern: Value, flags: Value = None) -> list[Value]:
    return [named_captures(hit["captures"]) for hit in match(text, pattern, flags)]


def scan(text: Value, pattern: Value, flags: Value = None) -> list[Value]:
    return [
        [each["string"] for each in hit["captures"]] if hit["captures"] else hit["string"]
        for hit in match(text, pattern, add(flags, "g"))
    ]


def splits(text: Value, pattern: Value, flags: Value = None) -> list[Value]:
    """The pieces between the matches."""
    pieces, start = [], 0
    for hit in match(text, pattern, add(flags, "g")):
        pieces.append(text[start : hit["offset"]])
        start = hit["offset"] + hit["length"]
    return [*pieces, text[start:]]


def substituted(
    text: Value, pattern: Value, flags: Value, change: Callable[[Value], Iterable[Value]]
) -> Iterator[Value]:
    """The text with each match replaced: one result for each output of `change`, which gets the captures."""
    results: list[list[str]] = []
    start = 0
    for hit in match(text, pattern, flags):
        before = text[start : hit["offset"]]
        for at, new in enumerate(change(named_captures(hit["captures"]))):
            if at == len(results):
                results.append([])
            results[at].append(add(before, new))
        start = hit["offset"] + hit["length"]
    if not results:
        yield text
    for parts in results:
        yield "".join([*parts, text[start:]])

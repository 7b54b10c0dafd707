"""Go's package fmt for decoded values: Sprint, Sprintln, Sprintf; floats as strconv writes them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

from events.errors import EvaluationError
from events.lang.gofmt_printf import MAX_TEXT, Format, sprintf
from events.lang.gofmt_scalars import float_text, format_float, quote
from events.lang.govalue import NO_VALUE, NoValue, canonical

__all__ = [
    "MAX_TEXT",
    "NO_VALUE",
    "Format",
    "format_float",
    "quote",
    "sprint",
    "sprint_all",
    "sprintf",
    "sprintln",
]

_ANY: Final = Format("%v")


def sprint(value: Any) -> str:
    """The text of one value as Go's %v: `<nil>`, `1e+06`, `map[a:1 b:[x y]]` with sorted keys.

    NO_VALUE gives `<no value>`, as template output shows it. Raises EvaluationError for text above MAX_TEXT
    characters or values nested too deeply.
    """
    scalar = _SCALARS.get(type(value))
    return _ANY.render((value,)) if scalar is None else scalar(value)


def sprint_all(values: Sequence[Any]) -> str:
    """Go's fmt.Sprint: a space between two neighbours of which none is a string. Raises as `sprint`."""
    parts: list[str] = []
    after_string = True
    for value in values:
        is_string = isinstance(value, str)
        parts.append(sprint(value) if is_string or after_string else " " + sprint(value))
        after_string = is_string
    return _joined(parts, "")


def sprintln(values: Sequence[Any]) -> str:
    """Go's fmt.Sprintln: a space between all, a newline at the end. Raises as `sprint`."""
    return _joined([sprint(value) for value in values], " ") + "\n"


def _joined(parts: list[str], between: str) -> str:
    if sum(map(len, parts)) > MAX_TEXT:
        raise EvaluationError(f"text is longer than {MAX_TEXT} characters")
    return canonical(between.join(parts))


def _bool_text(value: bool) -> str:
    return "true" if value else "false"


_SCALARS: Final[dict[type, Callable[[Any], str]]] = {
    str: str,
    float: float_text,
    int: int.__repr__,
    bool: _bool_text,
    type(None): lambda _: "<nil>",
    NoValue: lambda _: "<no value>",
}

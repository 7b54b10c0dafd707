"""Tables of template functions: declaration, argument checks, and the one place where failures are converted.

Declaring `@TABLE.function("first mustFirst", "any")` registers a plain Python function under two names.
Parameter types are written as Go's reflect prints them, `any` for interface {}; `...any` makes it variadic.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, ParamSpec, TypeVar

from events.errors import EvaluationError
from events.lang.govalue import Function, GoNilList, GoNilMap, is_nil, type_name

P = ParamSpec("P")
R = TypeVar("R")

MAX_TEXT: Final = 4 * 1024 * 1024
"""Characters of the longest text that a function may build."""
MAX_ELEMENTS: Final = 1_000_000
"""The longest list that a function may build."""

_FAILURES: Final = (
    ArithmeticError,
    AttributeError,
    LookupError,
    MemoryError,
    OSError,
    RecursionError,
    TypeError,
    ValueError,
)
"""What Python raises where Go panics or returns an error."""


@dataclass(frozen=True, slots=True)
class SprigFunction(Function):
    """A function of the table. `call` trusts its arguments' static types, calling it checks them first."""

    name: str = ""
    environment: bool = False
    """Whether the first argument is an `Env`, which `params` does not name."""

    def __call__(self, *args: Any) -> Any:
        """Check the arguments as text/template does, then call. Raises EvaluationError."""
        given = args[self.environment :]
        if not self._fits(len(given)):
            raise EvaluationError(f"wrong number of args for {self.name}: got {len(given)}")
        converted = [checked(self.parameter(i), value) for i, value in enumerate(given)]
        return self.call(*args[: self.environment], *converted)

    def parameter(self, index: int) -> str:
        """The static type of the argument at this position."""
        return self.params[min(index, len(self.params) - 1)]

    def _fits(self, count: int) -> bool:
        return count >= len(self.params) - 1 if self.variadic else count == len(self.params)


class Table:
    """Functions of one group, by name."""

    def __init__(self) -> None:
        self.functions: dict[str, SprigFunction] = {}

    def function(
        self, names: str, params: str = "", *, environment: bool = False
    ) -> Callable[[Callable[P, R]], Callable[P, R]]:
        """Register a function under all `names` (separated by spaces); it stays callable as it is."""

        def register(call: Callable[P, R]) -> Callable[P, R]:
            self.add(names, params, call, environment=environment)
            return call

        return register

    def add(self, names: str, params: str, call: Callable[..., Any], *, environment: bool = False) -> None:
        """Register a function that is defined elsewhere."""
        types = tuple(part.strip() for part in params.split(",")) if params else ()
        variadic = bool(types) and types[-1].startswith("...")
        types = tuple(part.removeprefix("...") for part in types)
        for name in names.split():
            self.functions[name] = SprigFunction(_guarded(call), types, variadic, name, environment)


def merged(*tables: Table) -> Mapping[str, SprigFunction]:
    """All functions of these tables, by name."""
    return {name: function for table in tables for name, function in table.functions.items()}


def check_size(size: int) -> None:
    """Raise EvaluationError if a text of this many characters is too long to build."""
    if size > MAX_TEXT:
        raise EvaluationError(f"the result would be longer than {MAX_TEXT} characters")


def check_elements(count: int) -> None:
    """Raise EvaluationError if a list of this many elements is too long to build."""
    if count > MAX_ELEMENTS:
        raise EvaluationError(f"the result would have more than {MAX_ELEMENTS} elements")


def check_tree(*values: Any) -> None:
    """Raise EvaluationError if following these values takes too many steps.

    Lists and dicts may hold the same value many times, or themselves.
    """
    left = MAX_ELEMENTS
    unread: list[Any] = [value for value in values if isinstance(value, (list, dict))]
    while unread:
        container = unread.pop()
        left -= len(container)
        if left < 0:
            raise EvaluationError(f"a value has more than {MAX_ELEMENTS} parts")
        items = container.values() if isinstance(container, dict) else container
        unread.extend([item for item in items if isinstance(item, (list, dict)) and item])


def _guarded(call: Callable[..., Any]) -> Callable[..., Any]:
    def guarded(*args: Any) -> Any:
        try:
            return call(*args)
        except _FAILURES as exc:
            raise EvaluationError(str(exc) or type(exc).__name__) from exc

    return guarded


def checked(param: str, value: Any) -> Any:
    """The value as a parameter of this type gets it; nil is an empty map or list where Go has a nil one.

    Raises EvaluationError if the types differ.
    """
    if is_nil(value):
        return _nil_argument(param, value)
    given = type_name(value)
    if param not in ("any", given) and (param, given) != ("uint32", "int"):  # only literals become uint32
        raise EvaluationError(f"wrong type for value; expected {param}; got {given}")
    return value


def _nil_argument(param: str, value: Any) -> Any:
    given = type_name(value)
    if given == param or (param == "any" and given != "<nil>"):
        return value
    if given != "<nil>":
        raise EvaluationError(f"wrong type for value; expected {param}; got {given}")
    if param == "any":
        return None
    if param.startswith("map["):
        return GoNilMap()
    if param.startswith("[]"):
        return GoNilList()
    raise EvaluationError(f"invalid value; expected {param}")

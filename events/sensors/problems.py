"""What is wrong with a spec, collected while it is compiled, so that all of it can be told at once."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, TypeVar

from events.errors import EvaluationError, ExpressionError, MissingExtra

Made = TypeVar("Made")


NOT_COMPILING, MISSING_EXTRA = "does-not-compile", "missing-extra"


class Problem(NamedTuple):
    """`field` is a dotted path below the sensor's spec; `code` says whose fault it is: text, installation."""

    field: str
    message: str
    code: str = NOT_COMPILING


class Problems(list[Problem]):
    """Collects what does not compile; the rest is compiled all the same."""

    def attempt(self, field: str, make: Callable[[], Made]) -> Made | None:
        """The made thing, or None after noting why it could not be made."""
        try:
            return make()
        except ExpressionError as exc:
            self.append(Problem(field, str(exc)))
        except MissingExtra as exc:
            self.append(Problem(field, str(exc), MISSING_EXTRA))
        return None


def raising(message: str, expression: str | None = None) -> Callable[..., bool]:
    """Stands in for a predicate that did not compile: every evaluation is an error, never a silent false."""

    def fail(*_: object) -> bool:
        raise EvaluationError(message, expression)

    return fail

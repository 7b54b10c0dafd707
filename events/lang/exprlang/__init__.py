"""Filter expressions of event sources: expr-lang as of antonmedv/expr 1.15.5, in Argo Events' environment.

Stages       lexer -> parser -> checker (static Go types) -> optimizer -> compiler (closures)
Errors       ExpressionError for text that upstream refuses before it sees an event, EvaluationError for an
             event that cannot be judged; upstream drops the event in both cases
Environment  the event's top-level keys, asInt, asFloat, jsonpath, toJson, sprig.<function>
Bounds       nesting is limited; steps, elements and text of one evaluation are (see budget)
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from events.errors import EvaluationError, ExpressionError
from events.lang.exprlang.checker import check
from events.lang.exprlang.code import Code, Frame
from events.lang.exprlang.compiler import Compiler
from events.lang.exprlang.environment import variables
from events.lang.exprlang.optimizer import optimize
from events.lang.exprlang.parser import parse
from events.lang.exprlang.values import describe

if TYPE_CHECKING:
    from collections.abc import Callable

    from events.lang.sprig.env import Env

__all__ = ["SourceFilter", "compile_filter"]


@dataclass(frozen=True, slots=True)
class SourceFilter:
    """A compiled filter expression. `source` is its text."""

    source: str
    _code: Code = field(repr=False, compare=False)
    _frame: Callable[[Any], Frame] = field(repr=False, compare=False)

    def passes(self, data: Any) -> bool:
        """Whether the event passes; `data` is its decoded JSON, in which int and float both mean float64.

        Raises EvaluationError where upstream fails and drops the event, also for a result that is no bool.
        """
        result = self.evaluate(data)
        if result is True or result is False:
            return result
        raise EvaluationError(f"the result is no bool but {describe(result)}", self.source)

    def evaluate(self, data: Any) -> Any:
        """The value of the expression for an event, as a Go value. Raises EvaluationError."""
        try:
            return self._code(self._frame(_object(data)))
        except EvaluationError as exc:
            raise EvaluationError(exc.message, self.source) from exc
        except RecursionError as exc:
            raise EvaluationError("the data is nested too deeply", self.source) from exc
        except (OverflowError, MemoryError) as exc:
            raise EvaluationError("a value is too large", self.source) from exc


def compile_filter(text: str, env: Env | None = None) -> SourceFilter:
    """Compile the text of a filter. Raises ExpressionError with the position of the fault.

    `env` serves `now()` and the functions of Sprig that need a time or random numbers; without it they fail.
    """
    try:
        tree = parse(text)
        check(tree, text)
        compiler = Compiler(text, env)
        code = compiler.value(optimize(tree, text))
    except RecursionError as exc:
        raise ExpressionError("expression is nested too deeply", text, 0) from exc
    return SourceFilter(text, code, compiler.frame)


def _object(data: Any) -> Any:
    """The variables of an event; null is an event without any."""
    if type(data) is dict:
        return variables(data)
    if data is None:
        return {}
    raise EvaluationError(f"the event is no JSON object but {describe(data)}")

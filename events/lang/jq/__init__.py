"""jq programs, as gojq (github.com/itchyny/gojq) runs them for Argo Events.

Numbers   the event's numbers are doubles; integers in the program are exact; `fromjson` keeps the spelling
Objects   have no order: iteration, `keys`, `tojson` and the result go by key
Regex     RE2, whose syntax is Go's: no look-around, no back references
Sandbox   no modules, no input, no environment (`env` and `$ENV` are empty); `now` is given by the caller
Not here  the Bessel functions; `localtime` and its kin are UTC
"""

from __future__ import annotations

from typing import Any, Final

from events.errors import EvaluationError, ExpressionError
from events.lang.document import with_floats
from events.lang.jq.builtins import Halt
from events.lang.jq.evaluate import VALUE_RULES
from events.lang.jq.forms import NOW, PATH_FORMS, VALUE_FORMS
from events.lang.jq.locate import PATH_RULES
from events.lang.jq.prelude import definitions
from events.lang.jq.program import BreakSignal, Compiler, Library, Many, Scope
from events.lang.jq.syntax import parse
from events.lang.jq.values import JqError, Value

__all__ = ["JqProgram", "NotAnObject", "compile_jq"]

_LIBRARY: Final = Library(VALUE_RULES, PATH_RULES, VALUE_FORMS, PATH_FORMS, definitions)
_ROOT: Final = Scope(size=NOW + 1)


class NotAnObject(EvaluationError):
    """The first output of the program is no object."""


class JqProgram:
    """A compiled program."""

    __slots__ = ("_run", "source")

    def __init__(self, source: str, run: Many) -> None:
        self.source, self._run = source, run

    def transform(self, data: Any, now: float | None = None) -> dict[str, Any]:
        """The first output for decoded JSON; `data` is not changed, the result may share parts with it.

        `data` is an object, or None for an empty one. `now` is seconds since 1970; without it `now` in the
        program is an error. Raises EvaluationError: `error`, a failing builtin, no output, NotAnObject.
        """
        if data is not None and not isinstance(data, dict):
            raise EvaluationError("jq: the event's data is no JSON object", self.source)
        try:
            for output in self._run((now,), with_floats(data or {})):
                return self._object(output)
        except (JqError, Halt) as exc:
            raise EvaluationError(f"jq: {exc}", self.source) from exc
        except BreakSignal as exc:
            raise EvaluationError("jq: break", self.source) from exc
        except RecursionError as exc:
            raise EvaluationError("jq: nested too deeply", self.source) from exc
        except (OverflowError, ValueError, MemoryError) as exc:
            raise EvaluationError("jq: a value is too large", self.source) from exc
        raise EvaluationError("jq: the program gives no output", self.source)

    def _object(self, output: Value) -> dict[str, Any]:
        if type(output) is not dict:
            raise NotAnObject("jq: the first output is no object", self.source)
        return output


def compile_jq(program: str) -> JqProgram:
    """Compile a program. Raises ExpressionError with the offset where it is known."""
    try:
        run = Compiler(_LIBRARY, program).value(parse(program), _ROOT).many
    except RecursionError as exc:
        raise ExpressionError("the jq program is nested too deeply", program) from exc
    return JqProgram(program, run)

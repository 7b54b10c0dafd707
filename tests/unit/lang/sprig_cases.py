"""How the tables of Sprig's functions are checked: type, text and value as Go gives them."""

from __future__ import annotations

from typing import Any

import pytest

from events.errors import EvaluationError
from events.lang.gofmt import sprint
from events.lang.govalue import type_name
from events.lang.sprig import FUNCTIONS

ERROR = object()
"""Expected of a call that fails."""


def check(name: str, arguments: tuple[Any, ...], expected: Any) -> None:
    if expected is ERROR:
        with pytest.raises(EvaluationError):
            FUNCTIONS[name](*arguments)
        return
    result = FUNCTIONS[name](*arguments)
    assert (type_name(result), sprint(result)) == (type_name(expected), sprint(expected))
    assert result == expected or result != result

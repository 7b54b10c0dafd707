"""Functions that reach outside: they exist, so that templates compile, and always fail."""

from __future__ import annotations

from typing import Any, NoReturn

from events.errors import EvaluationError
from events.lang.sprig.table import Table

TABLE = Table()


@TABLE.function("env expandenv", "string")
def environment(_: Any) -> NoReturn:
    """Raises EvaluationError."""
    raise EvaluationError(
        "switched off: the environment of the process holds credentials, which a template could send anywhere"
    )


@TABLE.function("getHostByName", "string")
def get_host_by_name(_: Any) -> NoReturn:
    """Raises EvaluationError."""
    raise EvaluationError(
        "switched off: a template must not reach the network, and must give the same text when rendered again"
    )

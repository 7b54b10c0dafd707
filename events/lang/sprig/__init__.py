"""Sprig functions for Go templates (github.com/Masterminds/sprig v3.3.0): one table of 211 names.

FUNCTIONS      name -> SprigFunction, depends on its arguments only
ENV_FUNCTIONS  name -> SprigFunction whose first argument is an `Env` (`now`, `random`); `params` leave it out
MUTATING       names that change their first argument (a dict) in place, as in Go
A SprigFunction is a `govalue.Function` (`call`, `params`, `variadic`) that can be called itself:
`call(*args)` trusts the caller to have checked number and static types (as a compiled template does),
`function(*args)` checks them first, with text/template's rules. Both raise EvaluationError only.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from events.lang.sprig import (
    arithmetic,
    chance,
    crypto,
    dates,
    dicts,
    encoding,
    jsontext,
    lists,
    logic,
    outside,
    paths,
    regex,
    text,
    urls,
    versions,
    words,
)
from events.lang.sprig.dicts import MUTATING
from events.lang.sprig.env import Env, Random
from events.lang.sprig.table import SprigFunction, merged

__all__ = ["ENV_FUNCTIONS", "FUNCTIONS", "MUTATING", "Env", "Random", "SprigFunction"]

_ALL: Final = merged(
    arithmetic.TABLE,
    chance.TABLE,
    crypto.TABLE,
    dates.TABLE,
    dicts.TABLE,
    encoding.TABLE,
    jsontext.TABLE,
    lists.TABLE,
    logic.TABLE,
    outside.TABLE,
    paths.TABLE,
    regex.TABLE,
    text.TABLE,
    urls.TABLE,
    versions.TABLE,
    words.TABLE,
)

FUNCTIONS: Final[Mapping[str, SprigFunction]] = {
    name: function for name, function in _ALL.items() if not function.environment
}
ENV_FUNCTIONS: Final[Mapping[str, SprigFunction]] = {
    name: function for name, function in _ALL.items() if function.environment
}

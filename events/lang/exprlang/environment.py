"""What a filter expression can name: the event's top-level keys, and the functions that Argo Events adds.

Variables   top-level keys with `-` read as `_`; keys with dots are nested maps, and a key that is a dotted
            prefix of another one is dropped
Functions   asInt, asFloat, jsonpath, toJson, sprig.<function>; they hide keys of the same name
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from events.errors import EvaluationError
from events.lang.document import with_floats
from events.lang.exprlang import numbers
from events.lang.exprlang.budget import Budget
from events.lang.exprlang.calls import check_arguments
from events.lang.exprlang.jsontext import from_json, to_json
from events.lang.exprlang.values import GoFunction
from events.lang.govalue import Function

if TYPE_CHECKING:
    from events.lang.sprig.env import Env
    from events.lang.sprig.table import SprigFunction

_WITHOUT: Final = frozenset({"env", "expandenv"})


def variables(data: Mapping[str, Any]) -> Mapping[str, Any]:
    """The variables of an event: the event itself where no key needs rewriting."""
    names = "".join(data)
    if "-" not in names and "." not in names:
        return data
    renamed = {name.replace("-", "_"): value for name, value in data.items()}
    renamed.update({name: value for name, value in data.items() if "-" not in name})
    return _expanded(renamed) if "." in names else renamed


def _expanded(data: Mapping[str, Any]) -> Mapping[str, Any]:
    nested: dict[str, Any] = {}
    made = {id(nested): nested}  # the maps made here, as opposed to those of the event
    for name, value in data.items():
        *outer, inner = name.split(".")
        target = nested
        for part in outer:
            if id(target.get(part)) not in made:
                branch: dict[str, Any] = {}
                target[part], made[id(branch)] = branch, branch
            target = target[part]
        if id(target.get(inner)) not in made:
            target[inner] = value
    return nested


def functions(env: Env | None) -> dict[str, Any]:
    """The functions of the environment by name, of which `sprig` is a map of functions."""
    return {**{name: function(name) for name in _FUNCTIONS}, "sprig": sprig(env)}


def function(name: str) -> GoFunction:
    """asInt, asFloat, jsonpath or toJson."""
    call, params = _FUNCTIONS[name]
    declared = Function(call, params)

    def checked(budget: Budget, *arguments: Any) -> Any:
        check_arguments(name, declared, arguments)
        return call(budget, *arguments)

    return GoFunction(name, checked)


def sprig(env: Env | None) -> dict[str, GoFunction]:
    """Sprig's generic functions without those that read the environment of the process."""
    from events.lang.sprig import ENV_FUNCTIONS, FUNCTIONS  # only for filters that use them

    names = (FUNCTIONS.keys() | ENV_FUNCTIONS.keys()) - _WITHOUT
    found = {name: sprig_function(name, env) for name in names}
    return {name: value for name, value in found.items() if value is not None}


def sprig_function(name: str, env: Env | None) -> GoFunction | None:
    """One of Sprig's functions, None if there is none of this name."""
    from events.lang.sprig import ENV_FUNCTIONS, FUNCTIONS, MUTATING  # only for filters that use them

    if name in _WITHOUT:
        return None
    if name in FUNCTIONS:
        return _strict(name, FUNCTIONS[name], copies=name in MUTATING)
    return _strict(name, _with_env(name, ENV_FUNCTIONS[name], env)) if name in ENV_FUNCTIONS else None


def _with_env(name: str, found: SprigFunction, env: Env | None) -> Function:
    """The function with the environment bound; without one every call fails."""

    def refuse(*_: Any) -> Any:
        raise EvaluationError(f"sprig.{name} needs a time or random numbers, which are not available here")

    return Function(refuse if env is None else partial(found.call, env), found.params, found.variadic)


def _strict(name: str, found: Function, *, copies: bool = False) -> GoFunction:
    cost = _SLOW_STEPS if name in _SLOW else 1

    def call(budget: Budget, *arguments: Any) -> Any:
        check_arguments(name, found, arguments)
        budget.spend(cost)
        return found.call(*(map(_copied, arguments) if copies else arguments))

    return GoFunction(name, call)


def _copied(value: Any) -> Any:
    """A copy for functions that change their arguments: events and constants stay as they are."""
    if type(value) is dict:
        return {key: _copied(item) for key, item in value.items()}
    return [_copied(item) for item in value] if type(value) is list else value


def jsonpath(path: str) -> GoFunction:
    """The function `jsonpath` for a path that is known at compile time. Raises EvaluationError."""
    from events.lang.exprlang.jsonpath import Path  # only for filters that use it

    compiled = Path(path)

    def call(budget: Budget, text: Any, _: Any) -> Any:
        return compiled.query(budget, _document(budget, text))

    return GoFunction("jsonpath", call)


def _jsonpath(budget: Budget, text: Any, path: Any) -> Any:
    from events.lang.exprlang.jsonpath import Path  # only for filters that use it

    document = _document(budget, text)
    budget.spend(_PATH_STEPS + 10 * len(path))
    return Path(path).query(budget, document)


def _document(budget: Budget, text: Any) -> Any:
    document = from_json(budget, text)
    return with_floats([document])[0]


_PATH_STEPS: Final = 100
"""What compiling a path costs when its text is known only with the event."""
_SLOW: Final = frozenset(
    {"bcrypt", "htpasswd", "derivePassword", "genPrivateKey", "encryptAES", "decryptAES", "genCA"}
    | {"genCAWithKey", "genSelfSignedCert", "genSelfSignedCertWithKey", "genSignedCert"}
    | {"genSignedCertWithKey"}
)
"""Functions of Sprig that take milliseconds by design."""
_SLOW_STEPS: Final = 50_000
"""What a call of one of them costs."""

_FUNCTIONS: Final[Mapping[str, tuple[Callable[..., Any], tuple[str, ...]]]] = {
    "asInt": (numbers.integer, ("any",)),
    "asFloat": (numbers.floating, ("any",)),
    "jsonpath": (_jsonpath, ("string", "string")),
    "toJson": (to_json, ("any",)),
}

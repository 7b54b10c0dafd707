"""Dicts. `set`, `unset` and the merges change their first argument in place, as in Go (see MUTATING).

Go's maps have no order; here keys come in the order of their bytes, as `range` and printing have them.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, TypeAlias

from events.errors import EvaluationError
from events.lang.govalue import GoStringMap, GoStrings, type_name
from events.lang.sprig.identity import is_typed_nil
from events.lang.sprig.runes import in_byte_order
from events.lang.sprig.table import Table, check_tree
from events.lang.sprig.text import to_string

TABLE = Table()
MAP: Final = "map[string]interface {}"

Map: TypeAlias = dict[str, Any]

MUTATING: Final = frozenset(["set", "unset", "merge", "mustMerge", "mergeOverwrite", "mustMergeOverwrite"])
"""Functions that change their first argument."""


@TABLE.function("dict", "...any")
def dict_(*pairs: Any) -> Map:
    """Keys and values in turn; a last key without a value gets an empty text."""
    values = (*pairs[1::2], "") if len(pairs) % 2 else pairs[1::2]
    return {to_string(key): value for key, value in zip(pairs[::2], values, strict=True)}


@TABLE.function("get", f"{MAP}, string")
def get(source: Map, key: str) -> Any:
    """The value of a key, empty text if there is none."""
    return source.get(key, "")


@TABLE.function("set", f"{MAP}, string, any")
def set_(source: Map, key: str, value: Any) -> Map:
    """Put a value under a key."""
    if is_typed_nil(source):
        raise EvaluationError("assignment to entry in nil map")
    source[key] = value
    return source


@TABLE.function("unset", f"{MAP}, string")
def unset(source: Map, key: str) -> Map:
    """Remove a key."""
    source.pop(key, None)
    return source


@TABLE.function("hasKey", f"{MAP}, string")
def has_key(source: Map, key: str) -> bool:
    """Whether there is such a key."""
    return key in source


@TABLE.function("pluck", f"string, ...{MAP}")
def pluck(key: str, *sources: Map) -> list[Any]:
    """The values of one key in all dicts that have it."""
    return [source[key] for source in sources if key in source]


@TABLE.function("keys", f"...{MAP}")
def keys(*sources: Map) -> GoStrings:
    """The keys of all dicts."""
    return GoStrings([key for source in sources for key in in_byte_order(source)])


@TABLE.function("values", MAP)
def values(source: Map) -> list[Any]:
    """The values of a dict."""
    return [source[key] for key in in_byte_order(source)]


@TABLE.function("pick", f"{MAP}, ...string")
def pick(source: Map, *wanted: str) -> Map:
    """A new dict with these keys only."""
    return {key: source[key] for key in wanted if key in source}


@TABLE.function("omit", f"{MAP}, ...string")
def omit(source: Map, *unwanted: str) -> Map:
    """A new dict without these keys."""
    return {key: value for key, value in source.items() if key not in unwanted}


@TABLE.function("dig", "...any")
def dig(*arguments: Any) -> Any:
    """Follow keys into nested dicts: keys, the default for a missing one, the dict."""
    if len(arguments) < 3:
        raise EvaluationError("dig needs at least three arguments")
    *path, default, source = arguments
    for key in path:
        if type(key) is not str:
            raise EvaluationError(f"interface conversion: interface {{}} is {type_name(key)}, not string")
    for key in path:
        if type_name(source) != MAP:
            raise EvaluationError(f"interface conversion: interface {{}} is {type_name(source)}, not {MAP}")
        if key not in source:
            return default
        source = source[key]
    return source


# --- merging (dario.cat/mergo 1.0.2) ----------------------------------------------------------------------


@TABLE.function("merge mustMerge", f"{MAP}, ...{MAP}")
def merge(target: Map, *sources: Map) -> Map:
    """Fill what is missing or empty in the first dict from the others, deeply."""
    return _merged(target, sources, overwrite=False)


@TABLE.function("mergeOverwrite mustMergeOverwrite", f"{MAP}, ...{MAP}")
def merge_overwrite(target: Map, *sources: Map) -> Map:
    """Put the values of the others into the first dict, deeply."""
    return _merged(target, sources, overwrite=True)


def _merged(target: Map, sources: tuple[Map, ...], *, overwrite: bool) -> Map:
    check_tree(*sources)
    for source in sources:
        if is_typed_nil(target) and not is_typed_nil(source):
            target = {}
        _merge_into(target, source, overwrite)
    return target


def _merge_into(target: Map, source: Map, overwrite: bool) -> None:
    """One dict into another. Where lists meet and nothing is overwritten, the old list stays."""
    fits = type(target) is not GoStringMap or type(source) is GoStringMap
    for key, new in source.items():
        for value in _replacements(target, key, new, overwrite):
            if not fits:
                raise EvaluationError("value of type interface {} is not assignable to type string")
            target[key] = value


def _replacements(target: Map, key: str, new: Any, overwrite: bool) -> Iterator[Any]:
    """What to put under the key, the last one stays. Merges dicts where both sides have one."""
    old = target.get(key)
    if new is None:
        if overwrite:
            yield None
        return
    nested = isinstance(new, dict) and isinstance(old, dict) and not is_typed_nil(old)
    if nested:
        _merge_into(old, new, overwrite)  # type: ignore[arg-type]  # a dict, as `nested` says
    if isinstance(new, list):
        # an empty list stands in for a missing one until the rule below replaces it
        yield new if overwrite or not target else type(new)() if old is None else old
    kept = bool(old) and (nested or isinstance(new, list))
    if not kept and (overwrite or not old):
        yield new

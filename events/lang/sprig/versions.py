"""Semantic versions and constraints on them (github.com/Masterminds/semver v3.5.0)."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import zip_longest
from typing import ClassVar, Final

import re2

from events.errors import EvaluationError
from events.lang.govalue import Function, GoObject, GoUint64
from events.lang.sprig import runes
from events.lang.sprig.table import Table

TABLE = Table()
_VALUE_METHODS = Table()
_POINTER_METHODS = Table()

_MAX_VERSION: Final = 256
_MAX_CONSTRAINT: Final = 512
_MAX_GROUPS: Final = 32
_UINT64_MAX: Final = (1 << 64) - 1

_IDENTIFIERS: Final = r"[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*"
_VERSION: Final = re.compile(
    rf"v?([0-9]+)(?:\.([0-9]+))?(?:\.([0-9]+))?(?:-({_IDENTIFIERS}))?(?:\+({_IDENTIFIERS}))?"
)
_PART: Final = r"[0-9|xX*]+"
_SUFFIX: Final = rf"(?:-{_IDENTIFIERS})?(?:\+{_IDENTIFIERS})?"
_WILD: Final = rf"v?{_PART}(?:\.{_PART})?(?:\.{_PART})?{_SUFFIX}"
_OPERATOR: Final = r"=||!=|>|<|>=|=>|<=|=<|~|~>|\^"
_ONE: Final = rf"\s*(?:{_OPERATOR})\s*{_WILD}\s*"
# RE2, since these would need polynomial time with backtracking
_GROUP: Final = re2.compile(rf"{_ONE}(?:(?:\s+|,\s*)(?:{_OPERATOR})\s*{_WILD}\s*)*")
_FIND: Final = re2.compile(rf"(?:{_OPERATOR})\s*{_WILD}")
_RANGE: Final = re2.compile(rf"\s*({_WILD})\s+-\s+({_WILD})\s*")
_CONSTRAINT: Final = re2.compile(
    rf"\s*({_OPERATOR})\s*(v?({_PART})(?:\.({_PART}))?(?:\.({_PART}))?(-{_IDENTIFIERS})?(?:\+{_IDENTIFIERS})?)\s*"
)

# --- versions -------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class GoVersionValue(GoObject):
    """semver.Version."""

    major: int
    minor: int
    patch: int
    prerelease: str
    metadata: str
    original: str

    go_type: ClassVar[str] = "semver.Version"
    go_methods: ClassVar[Mapping[str, Function]] = _VALUE_METHODS.functions

    def go_text(self) -> str:
        """Without a leading `v`, always with three numbers."""
        suffix = (f"-{self.prerelease}" if self.prerelease else "") + (
            f"+{self.metadata}" if self.metadata else ""
        )
        return f"{self.major}.{self.minor}.{self.patch}{suffix}"

    json_value = go_text

    @property
    def numbers(self) -> tuple[int, int, int]:
        """Major, minor, patch."""
        return self.major, self.minor, self.patch


class GoVersion(GoVersionValue):
    """*semver.Version."""

    go_type: ClassVar[str] = "*semver.Version"
    go_kind: ClassVar[str] = "ptr"
    go_methods: ClassVar[Mapping[str, Function]] = _POINTER_METHODS.functions


@TABLE.function("semver", "string")
def semver(text: str) -> GoVersion:
    """The version in a text such as `v1.2`. Raises EvaluationError if there is none."""
    if len(text) > _MAX_VERSION:
        raise EvaluationError(f"version string is too long (max {_MAX_VERSION} bytes)")
    match = _VERSION.fullmatch(text)
    if match is None:
        raise EvaluationError("invalid semantic version")
    major, minor, patch = (_segment(match[i] or "0") for i in (1, 2, 3))
    _check_prerelease(match[4] or "")
    return GoVersion(major, minor, patch, match[4] or "", match[5] or "", text)


def _segment(digits: str) -> int:
    number = int(digits)
    if number > _UINT64_MAX:
        raise EvaluationError(f"error parsing version segment: {digits} is out of range")
    return number


def _check_prerelease(text: str) -> None:
    for part in text.split("."):
        if part.isdigit() and len(part) > 1 and part[0] == "0":
            raise EvaluationError("version segment starts with 0")


def compare(left: GoVersionValue, right: GoVersionValue) -> int:
    """-1, 0 or 1, by the rules of semver.org; metadata does not count."""
    if left.numbers != right.numbers:
        return 1 if left.numbers > right.numbers else -1
    return _compare_prereleases(left.prerelease, right.prerelease)


def _compare_prereleases(left: str, right: str) -> int:
    """A version without a prerelease is the larger one."""
    if left == right:
        return 0
    if not left or not right:
        return -1 if left else 1
    for mine, other in zip_longest(left.split("."), right.split("."), fillvalue=""):
        if mine != other:
            return 1 if _rank(mine) > _rank(other) else -1
    return 0


def _rank(part: str) -> tuple[int, int, str]:
    """Nothing comes before numbers, numbers before text."""
    if part.isdigit() and int(part) <= _UINT64_MAX:
        return 1, int(part), ""
    return (2, 0, part) if part else (0, 0, "")


# --- methods --------------------------------------------------------------------------------------------


def _method(name: str, call: Callable[..., object], params: str = "") -> None:
    _VALUE_METHODS.add(name, params, call)
    _POINTER_METHODS.add(name, params, call)


def _comparison(name: str, test: Callable[[int], bool]) -> None:
    _POINTER_METHODS.add(name, "*semver.Version", lambda version, other: test(compare(version, other)))


_method("String", lambda version: version.go_text())
_method("Major", lambda version: GoUint64(version.major))
_method("Minor", lambda version: GoUint64(version.minor))
_method("Patch", lambda version: GoUint64(version.patch))
_method("Prerelease", lambda version: version.prerelease)
_method("Metadata", lambda version: version.metadata)
_method("IncMajor", lambda version: _next(version, version.major + 1, 0, 0))
_method("IncMinor", lambda version: _next(version, version.major, version.minor + 1, 0))
_method("IncPatch", lambda version: _next(version, version.major, version.minor, _next_patch(version)))
_method("SetPrerelease", lambda version, text: _with_prerelease(version, text), "string")
_method("SetMetadata", lambda version, text: _with_metadata(version, text), "string")
_POINTER_METHODS.add("Original", "", lambda version: version.original)
_POINTER_METHODS.add("Compare", "*semver.Version", compare)
for _name, _test in (
    ("Equal", lambda order: order == 0),
    ("LessThan", lambda order: order < 0),
    ("LessThanEqual", lambda order: order <= 0),
    ("GreaterThan", lambda order: order > 0),
    ("GreaterThanEqual", lambda order: order >= 0),
):
    _comparison(_name, _test)


def _next_patch(version: GoVersionValue) -> int:
    return version.patch if version.prerelease else version.patch + 1


def _next(version: GoVersionValue, major: int, minor: int, patch: int) -> GoVersionValue:
    if max(major, minor, patch) > _UINT64_MAX:
        raise EvaluationError("version increment would overflow uint64")
    return _renamed(version, GoVersionValue(major, minor, patch, "", "", ""))


def _with_prerelease(version: GoVersionValue, text: str) -> GoVersionValue:
    if text and not re.fullmatch(_IDENTIFIERS, text):
        raise EvaluationError("invalid prerelease string")
    _check_prerelease(text)
    return _renamed(version, GoVersionValue(*version.numbers, text, version.metadata, ""))


def _with_metadata(version: GoVersionValue, text: str) -> GoVersionValue:
    if text and not re.fullmatch(_IDENTIFIERS, text):
        raise EvaluationError("invalid metadata string")
    return _renamed(version, GoVersionValue(*version.numbers, version.prerelease, text, ""))


def _renamed(origin: GoVersionValue, version: GoVersionValue) -> GoVersionValue:
    prefix = "v" if origin.original.startswith("v") else ""
    return replace(version, original=prefix + version.go_text())


# --- constraints ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Constraint:
    """`dirty`: a part is missing or a wildcard; `minor_dirty`, `patch_dirty`: which is the first such one."""

    operator: str
    version: GoVersion
    dirty: bool
    minor_dirty: bool
    patch_dirty: bool


@TABLE.function("semverCompare", "string, string")
def semver_compare(constraint: str, version: str) -> bool:
    """Whether a version satisfies a constraint such as `>=1.2, <2 || ^3`. Raises EvaluationError."""
    groups = _constraints(constraint)
    given = semver(version)
    return any(_satisfies(given, group) for group in groups)


def _satisfies(version: GoVersion, group: tuple[_Constraint, ...]) -> bool:
    """Prereleases satisfy a group only if one of its constraints names a prerelease."""
    if version.prerelease and not any(constraint.version.prerelease for constraint in group):
        return False
    return all(_CHECKS[constraint.operator](version, constraint) for constraint in group)


@lru_cache(maxsize=256)
def _constraints(text: str) -> tuple[tuple[_Constraint, ...], ...]:
    if len(text) > _MAX_CONSTRAINT:
        raise EvaluationError(f"constraint string is too long (max {_MAX_CONSTRAINT} bytes)")
    groups = _without_ranges(runes.valid(text)).split("||")
    if len(groups) > _MAX_GROUPS:
        raise EvaluationError(f"too many constraint groups (max {_MAX_GROUPS})")
    return tuple(map(_group, groups))


def _without_ranges(text: str) -> str:
    """`1 - 2` means `>= 1, <= 2`."""
    rewritten = text
    for match in _RANGE.finditer(text):
        rewritten = rewritten.replace(match[0], f">= {match[1]}, <= {match[2]} ", 1)
    return rewritten


def _group(text: str) -> tuple[_Constraint, ...]:
    if not _GROUP.fullmatch(text):
        raise EvaluationError(f"improper constraint: {text!r}")
    return tuple([_constraint(match[0]) for match in _FIND.finditer(text)])


def _constraint(text: str) -> _Constraint:
    match = _CONSTRAINT.fullmatch(text)
    if match is None:
        raise EvaluationError(f"improper constraint: {text!r}")
    operator, whole, major, minor, patch, suffix = match.groups(default="")
    wild = next((i for i, part in enumerate((major, minor, patch)) if part in ("", "x", "X", "*")), 3)
    known = ".".join([*(major, minor, patch)[:wild], *["0"] * (3 - wild)]) + suffix
    try:
        version = semver(whole if wild == 3 else known)
    except EvaluationError as exc:
        raise EvaluationError("constraint parser error") from exc
    return _Constraint(operator, version, wild < 3, wild == 1, wild == 2)


def _equal_or_tilde(version: GoVersion, wanted: _Constraint) -> bool:
    return _tilde(version, wanted) if wanted.dirty else compare(version, wanted.version) == 0


def _not_equal(version: GoVersion, wanted: _Constraint) -> bool:
    if not wanted.dirty:
        return compare(version, wanted.version) != 0
    if version.major != wanted.version.major:
        return True
    if wanted.minor_dirty:
        return False
    if version.minor != wanted.version.minor:
        return True
    if wanted.patch_dirty:
        return _compare_prereleases(version.prerelease, wanted.version.prerelease) != 0
    return version.patch != wanted.version.patch or compare(version, wanted.version) != 0


def _greater(version: GoVersion, wanted: _Constraint) -> bool:
    """`>11` starts at 12, `>11.1` at 11.2."""
    if not wanted.dirty or version.major != wanted.version.major:
        return compare(version, wanted.version) > 0
    if wanted.minor_dirty:
        return False
    if wanted.patch_dirty:
        return version.minor > wanted.version.minor
    return compare(version, wanted.version) > 0


def _less(version: GoVersion, wanted: _Constraint) -> bool:
    return compare(version, wanted.version) < 0


def _greater_or_equal(version: GoVersion, wanted: _Constraint) -> bool:
    return compare(version, wanted.version) >= 0


def _less_or_equal(version: GoVersion, wanted: _Constraint) -> bool:
    """`<=11` includes all of 11, `<=11.1` all of 11.1."""
    if not wanted.dirty:
        return compare(version, wanted.version) <= 0
    if version.major != wanted.version.major:
        return version.major < wanted.version.major
    return version.minor <= wanted.version.minor or wanted.minor_dirty


def _tilde(version: GoVersion, wanted: _Constraint) -> bool:
    """At least the version, with the same major and (if it is given) minor number; `~0.0.0` takes all."""
    if compare(version, wanted.version) < 0:
        return False
    if wanted.version.numbers == (0, 0, 0) and not wanted.minor_dirty and not wanted.patch_dirty:
        return True
    same_minor = wanted.minor_dirty or version.minor == wanted.version.minor
    return version.major == wanted.version.major and same_minor


def _caret(version: GoVersion, wanted: _Constraint) -> bool:
    """At least the version, up to the next change of its first number that is not 0."""
    if compare(version, wanted.version) < 0 or version.major != wanted.version.major:
        return False
    if wanted.version.major > 0 or wanted.minor_dirty:
        return True
    if wanted.version.minor > 0 or wanted.patch_dirty:
        return version.minor == wanted.version.minor
    return version.minor == 0 and version.patch == wanted.version.patch


_CHECKS: Final[dict[str, Callable[[GoVersion, _Constraint], bool]]] = {
    "": _equal_or_tilde,
    "=": _equal_or_tilde,
    "!=": _not_equal,
    ">": _greater,
    "<": _less,
    ">=": _greater_or_equal,
    "=>": _greater_or_equal,
    "<=": _less_or_equal,
    "=<": _less_or_equal,
    "~": _tilde,
    "~>": _tilde,
    "^": _caret,
}

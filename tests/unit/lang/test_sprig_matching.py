"""Sprig functions for regular expressions and semantic versions."""

from __future__ import annotations

from typing import Any

import pytest

from events.errors import EvaluationError
from events.lang.gofmt import sprint
from events.lang.govalue import GoNilStrings, GoStrings, type_name
from events.lang.sprig import FUNCTIONS
from tests.unit.lang.sprig_cases import ERROR, check

# name, arguments, result; what Go 1.26 with Sprig 3.3.0 gives
CASES: list[tuple[str, tuple[Any, ...], Any]] = [
    ("regexMatch", ("^v?\\d+", "v12"), True),
    ("regexMatch", ("(", "a"), False),
    ("mustRegexMatch", ("(", "a"), ERROR),
    ("regexMatch", ("\\C", "a"), False),
    ("regexFind", ("[a-z]+", "12ab3c"), "ab"),
    ("regexFind", ("x", "abc"), ""),
    ("regexFind", ("(", "a"), ERROR),
    ("regexFindAll", ("[aeiou]", "education", 3), GoStrings(["e", "u", "a"])),
    ("regexFindAll", ("a*", "baaac", -1), GoStrings(["", "aaa", ""])),
    ("regexFindAll", ("x", "abc", -1), GoNilStrings()),
    ("regexFindAll", ("a", "aaa", 0), GoNilStrings()),
    ("regexReplaceAll", ("(h)e", "hello", "${1}X"), "hXllo"),
    ("regexReplaceAll", ("a(x*)b", "-ab-axxb-", "$1W"), "---"),
    ("regexReplaceAll", ("a(x*)b", "-ab-axxb-", "${1}W"), "-W-xxW-"),
    ("regexReplaceAll", ("a*", "baac", "-"), "-b-c-"),
    ("regexReplaceAll", ("(?P<n>a)", "bab", "<$n$$$x>"), "b<a$>b"),
    ("regexReplaceAll", ("^", "é", "-"), "-é"),
    ("regexReplaceAllLiteral", ("a(x*)b", "-ab-axxb-", "${1}"), "-${1}-${1}-"),
    ("regexReplaceAll", ("\udcff", "a", "b"), ERROR),
    ("regexReplaceAll", (".", "a\udcff", "<$0>"), "<a><\udcff>"),
    ("regexSplit", ("z+", "pizza", -1), GoStrings(["pi", "a"])),
    ("regexSplit", ("a", "banana", 2), GoStrings(["b", "nana"])),
    ("regexSplit", ("", "abc", -1), GoStrings(["a", "b", "c"])),
    ("regexSplit", ("a", "", -1), GoStrings([""])),
    ("regexSplit", ("a", "banana", 0), GoNilStrings()),
    ("regexSplit", ("b", "abc", 1), GoStrings(["abc"])),
    ("regexQuoteMeta", ("1.2.3?[a]",), "1\\.2\\.3\\?\\[a\\]"),
    ("semverCompare", ("^1.2", "1.3.0"), True),
    ("semverCompare", ("^1.2", "2.0.0"), False),
    ("semverCompare", ("^0.2.3", "0.3.0"), False),
    ("semverCompare", ("^0.0.3", "0.0.4"), False),
    ("semverCompare", ("~1.2.3", "1.2.9"), True),
    ("semverCompare", ("~1", "1.9.9"), True),
    ("semverCompare", (">=1.2, <2 || ^3", "3.1.0"), True),
    ("semverCompare", ("1.2 - 1.4", "1.4.9"), True),
    ("semverCompare", ("1.2.0 - 1.4.5", "1.4.6"), False),
    ("semverCompare", ("1.x", "1.9.0"), True),
    ("semverCompare", ("*", "1.0.0"), True),
    ("semverCompare", (">1", "1.5.0"), False),
    ("semverCompare", (">1.1", "1.1.5"), False),
    ("semverCompare", ("<=1.1", "1.1.9"), True),
    ("semverCompare", ("!=1.2", "1.2.5"), False),
    ("semverCompare", ("!=1.x", "1.2.5"), False),
    ("semverCompare", (">=1.0.0", "1.2.0-rc1"), False),
    ("semverCompare", (">=1.0.0-0", "1.2.0-rc1"), True),
    ("semverCompare", ("=1.2.3+meta", "v1.2.3"), True),
    ("semverCompare", ("1.2.3 1.2.3", "1.2.3"), True),
    ("semverCompare", ("nonsense", "1.0.0"), ERROR),
    ("semverCompare", ("1", "x"), ERROR),
    ("semverCompare", ("", "1.0.0"), ERROR),
    ("semverCompare", (">1.0.0-alpha.9", "1.0.0-alpha.10"), True),
    ("semverCompare", ("<1.0.0-beta", "1.0.0-1"), True),
    ("semver", ("1.2.3-01",), ERROR),
    ("semver", ("x",), ERROR),
    ("semver", ("99999999999999999999",), ERROR),
]


@pytest.mark.parametrize(("name", "arguments", "expected"), CASES)
def test_gives_what_go_gives(name: str, arguments: tuple[Any, ...], expected: Any) -> None:
    check(name, arguments, expected)


def test_versions_are_shown_with_three_numbers() -> None:
    assert sprint(FUNCTIONS["semver"]("1.2")) == "1.2.0"
    assert sprint(FUNCTIONS["semver"]("v01.2.3-rc.1+b")) == "1.2.3-rc.1+b"
    assert FUNCTIONS["toJson"](FUNCTIONS["semver"]("v1")) == '"1.0.0"'
    assert type_name(FUNCTIONS["semver"]("1")) == "*semver.Version"


@pytest.mark.parametrize(
    ("method", "arguments", "expected"),
    [
        ("Major", (), 1),
        ("Minor", (), 2),
        ("Patch", (), 3),
        ("Prerelease", (), "rc.1"),
        ("Metadata", (), "b"),
        ("Original", (), "v1.2.3-rc.1+b"),
        ("Compare", (FUNCTIONS["semver"]("1.2.3"),), -1),
        ("Equal", (FUNCTIONS["semver"]("1.2.3-rc.1"),), True),
        ("LessThan", (FUNCTIONS["semver"]("1.2.3-rc.2"),), True),
        ("GreaterThanEqual", (FUNCTIONS["semver"]("1.2.3-alpha"),), True),
    ],
)
def test_versions_have_methods(method: str, arguments: tuple[Any, ...], expected: Any) -> None:
    version = FUNCTIONS["semver"]("v1.2.3-rc.1+b")
    assert version.go_methods[method].call(version, *arguments) == expected


def test_versions_count_up() -> None:
    version = FUNCTIONS["semver"]("v1.2.3-rc.1+b")
    shown = [sprint(version.go_methods[f"Inc{part}"].call(version)) for part in ("Major", "Minor", "Patch")]
    assert shown == ["2.0.0", "1.3.0", "1.2.3"]
    with pytest.raises(EvaluationError):
        version.go_methods["SetPrerelease"].call(version, "01")


def test_constraints_take_linear_time() -> None:
    with pytest.raises(EvaluationError):
        FUNCTIONS["semverCompare"]("1" + " " * 500 + "!", "1.0.0")
    with pytest.raises(EvaluationError, match="too long"):
        FUNCTIONS["semverCompare"]("1" * 513, "1.0.0")


def test_replacements_without_bound_are_refused() -> None:
    with pytest.raises(EvaluationError, match="longer"):
        FUNCTIONS["regexReplaceAll"](".", "x" * 3000, "y" * 3000)

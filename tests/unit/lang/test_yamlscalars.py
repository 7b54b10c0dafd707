"""Expected values: what sigs.k8s.io/yaml 1.6.0 makes of the same text."""

from __future__ import annotations

from typing import Any

import pytest

from events.lang.yamlscalars import resolve


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("", None), ("~", None), ("null", None), ("NULL", None), ("nUll", "nUll"),
        ("y", True), ("Yes", True), ("on", True), ("TRUE", True), ("n", False), ("OFF", False),
        ("tRUE", "tRUE"), ("t", "t"), ("yEs", "yEs"),
        ("0", 0), ("-0", 0), ("+5", 5), ("1_000", 1000), ("1_", 1), ("_1", "_1"),
        ("0777", 511), ("0o17", 15), ("0O17", 15), ("08", 8), ("018", 18), ("0x1F", 31), ("-0x1f", -31),
        ("0b11", 3), ("0b2", "0b2"), ("0x", "0x"),
        ("1e3", 1000), ("1E+3", 1000), ("12e03", 12000), ("1e-7", 1e-7), ("1.", 1), (".5", 0.5), ("+.5", 0.5),
        ("5.e3", 5000), (".e3", ".e3"), (".", "."), ("-", "-"), ("1.5.0", "1.5.0"), (".1_9", 0.19),
        ("._5", "._5"), ("0.1_0", 0.1), ("1e999", "1e999"), (".5e999", ".5e999"), ("1e-999", 0),
        ("2001-01-01", "2001-01-01"), ("2001-01-01T10:00:00Z", "2001-01-01T10:00:00Z"), ("1:30", "1:30"),
        ("18446744073709551615", 2**64 - 1), ("18446744073709551616", 2.0**64),
        ("-9223372036854775808", -(2**63)), ("+9223372036854775808", 2.0**63), ("1e30", 1e30),
        ("0x1FFFFFFFFFFFFFFFF", "0x1FFFFFFFFFFFFFFFF"), ("Infinity", "Infinity"), ("-.nan", "-.nan"),
        ("=", "="), ("a b", "a b"),
    ],
)  # fmt: skip
def test_plain_scalars(text: str, value: Any) -> None:
    found = resolve(text, None, plain=True)
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize("text", ["5", "true", "", "~", "0x1F", ".inf"])
def test_quoted_scalars_are_text(text: str) -> None:
    assert resolve(text, None, plain=False) == text


@pytest.mark.parametrize(
    ("text", "tag", "value"),
    [
        ("5", "str", "5"),
        ("5", "int", 5),
        ("5", "float", 5),
        ("yes", "bool", True),
        ("", "null", None),
        ("2001-01-01", "timestamp", "2001-01-01"),
        ("aGk=", "binary", "hi"),
        ("5", "set", "5"),
    ],
)
def test_tags(text: str, tag: str, value: Any) -> None:
    assert resolve(text, f"tag:yaml.org,2002:{tag}", plain=False) == value


def test_other_tags_make_text() -> None:
    assert resolve("5", "!", plain=False) == "5"
    assert resolve("5", "!foo", plain=False) == "5"


@pytest.mark.parametrize(
    ("text", "tag"),
    [
        ("x", "int"),
        ("5.0", "int"),
        ("5", "bool"),
        ("true", "int"),
        ("x", "null"),
        ("5", "timestamp"),
        ("$", "binary"),
    ],
)
def test_tags_that_lie(text: str, tag: str) -> None:
    with pytest.raises(ValueError, match=f"is marked !!{tag}"):
        resolve(text, f"tag:yaml.org,2002:{tag}", plain=False)


@pytest.mark.parametrize("text", [".inf", "-.Inf", "+.INF", ".nan", ".NaN"])
def test_numbers_that_json_does_not_know(text: str) -> None:
    with pytest.raises(ValueError, match="is not a number that JSON knows"):
        resolve(text, None, plain=True)

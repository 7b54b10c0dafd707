"""events.lang.regex: Go's regular expressions."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from events.errors import ExpressionError
from events.lang.regex import compile_regex, go_bytes


@pytest.mark.parametrize(
    ("pattern", "text", "found"),
    [
        ("dev", "developer", True),
        ("DEV", "developer", False),
        ("^dev$", "dev", True),
        ("^dev$", "dev\n", False),
        ("^dev", "xdev", False),
        ("dev$", "xdev", True),
        ("^$", "", True),
        ("", "anything", True),
        ("a.c", "a\nc", False),
        ("(?s)a.c", "a\nc", True),
        (r"\d", "٣", False),
        (r"\w", "é", False),
        (r"\pL", "é", True),
        (r"\p{Greek}", "α", True),
        (r"x\z", "x\n", False),
        ("[[:alpha:]]+", "abc", True),
        ("(?P<n>a)(?<n>b)", "ab", True),
        ("(?i)straße", "STRAßE", True),
        ("(?m)^b$", "a\nb\nc", True),
        ("(?U)a+", "aa", True),
        (r"\Qa.b\E", "a.b", True),
        (r"\Q\C", r"\C", True),
        ("ë$", "Zoë", True),
    ],
)
def test_searches_as_go_does(pattern: str, text: str, found: bool) -> None:
    assert compile_regex(pattern).search(text) is found


@pytest.mark.parametrize(
    "pattern",
    [
        "[",
        "(",
        "a**",
        "(?=a)",
        r"(a)\1",
        r"\C",
        r"\Z",
        "a{1001}",
        r"\8",
        "(?#x)",
    ],
)
def test_refuses_what_go_refuses(pattern: str) -> None:
    with pytest.raises(ExpressionError):
        compile_regex(pattern)


def test_a_byte_that_is_not_utf8_counts_as_one_replacement_character() -> None:
    text = b"a\xffb".decode("utf-8", "surrogateescape")
    assert compile_regex("^a.b$").search(text)
    assert compile_regex("\ufffd").search(text)
    assert not compile_regex("^ab$").search(text)


@pytest.mark.parametrize("pattern", ["\udcff", "a\udcff+", "\ud800*"])
def test_a_pattern_that_is_not_utf8_is_refused(pattern: str) -> None:
    with pytest.raises(ExpressionError):
        compile_regex(pattern)


def test_a_pattern_needing_too_much_memory_is_refused() -> None:
    with pytest.raises(ExpressionError, match="too large"):
        compile_regex(r"\pL{1000}")


def test_keeps_its_source_and_compares_by_it() -> None:
    assert compile_regex("a+").source == "a+"
    assert compile_regex("a+") == compile_regex("a+")


@given(st.text(alphabet="ab/ -_:é\ufffd", max_size=6), st.text(max_size=12))
def test_literals_are_found_where_they_stand(literal: str, text: str) -> None:
    assert compile_regex(literal).search(text) is (literal in text)
    assert compile_regex(f"^{literal}$").search(text) is (literal == text)
    assert compile_regex(f"^{literal}").search(text) is text.startswith(literal)
    assert compile_regex(f"{literal}$").search(text) is text.endswith(literal)


@given(st.text(max_size=20), st.text(max_size=20))
def test_nothing_but_expression_errors_escape(pattern: str, text: str) -> None:
    with suppress(ExpressionError):
        compile_regex(pattern).search(text)


@given(st.binary(max_size=30))
def test_go_bytes_restores_the_bytes(data: bytes) -> None:
    assert go_bytes(data.decode("utf-8", "surrogateescape")) == data


def test_go_bytes_writes_surrogates_that_stand_for_no_byte() -> None:
    assert go_bytes("a\ud800") == b"a\xed\xa0\x80"

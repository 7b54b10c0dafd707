"""events.lang.duration: Go's time.ParseDuration and Duration.String."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from events.errors import ExpressionError
from events.lang.duration import MAX_NANOSECONDS, format_duration, parse_duration


@pytest.mark.parametrize(
    ("text", "nanoseconds", "written"),
    [
        ("0", 0, "0s"),
        ("+0", 0, "0s"),
        ("-0", 0, "0s"),
        ("0s", 0, "0s"),
        ("1s", 10**9, "1s"),
        ("-1s", -(10**9), "-1s"),
        ("1m30s", 90 * 10**9, "1m30s"),
        ("1.5h", 5400 * 10**9, "1h30m0s"),
        ("1m1h", 3660 * 10**9, "1h1m0s"),
        ("500ms", 5 * 10**8, "500ms"),
        ("1ms500us", 1_500_000, "1.5ms"),
        ("1us", 1000, "1\u00b5s"),
        ("1\u00b5s", 1000, "1\u00b5s"),
        ("1\u03bcs", 1000, "1\u00b5s"),
        ("15ns", 15, "15ns"),
        (".5s", 5 * 10**8, "500ms"),
        ("1.s", 10**9, "1s"),
        ("1.000000001s", 10**9 + 1, "1.000000001s"),
        ("0.3h", 1080 * 10**9, "18m0s"),
        ("1.0000000000000000001h", 3600 * 10**9, "1h0m0s"),
        ("0.9223372036854775807h", 3320413933267, "55m20.413933267s"),
        ("2562047h47m16.854775807s", MAX_NANOSECONDS, "2562047h47m16.854775807s"),
        ("-9223372036854775808ns", -MAX_NANOSECONDS - 1, "-2562047h47m16.854775808s"),
        ("0000000000000000000000000000001s", 10**9, "1s"),
    ],
)
def test_reads_and_writes_as_go_does(text: str, nanoseconds: int, written: str) -> None:
    assert parse_duration(text) == nanoseconds
    assert format_duration(nanoseconds) == written


@pytest.mark.parametrize(
    "text",
    [
        "",
        "-",
        "+",
        ".",
        "2",
        "10",
        "1d",
        "1 s",
        " 1s",
        "1s ",
        ".s",
        "-.s",
        "1S",
        "1e3s",
        "1..5s",
        "+-1s",
        "1s-1s",
        "s",
        "1.5",
        "\u0661s",
        "9223372036854775808ns",
        "-9223372036854775809ns",
        "2562047h47m16.854775808s",
        "3000000h",
        "99999999999999999999h",
        "9" * 5000 + "s",
        "18446744073709551616ns",
        "1s\n",
        "\udcff",
    ],
)
def test_refuses_what_go_refuses(text: str) -> None:
    with pytest.raises(ExpressionError):
        parse_duration(text)


@given(st.integers(-MAX_NANOSECONDS - 1, MAX_NANOSECONDS))
def test_what_is_written_reads_as_the_same_duration(nanoseconds: int) -> None:
    assert parse_duration(format_duration(nanoseconds)) == nanoseconds


@given(st.text(alphabet="0123456789.+-nuµmsh ", max_size=12))
def test_nothing_but_expression_errors_escape(text: str) -> None:
    with suppress(ExpressionError):
        assert abs(parse_duration(text)) <= MAX_NANOSECONDS + 1

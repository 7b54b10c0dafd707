"""Sprig functions for numbers and ranges."""

from __future__ import annotations

import math
from typing import Any

import pytest

from events.errors import EvaluationError
from events.lang.govalue import GoInt64, GoInts
from events.lang.sprig import FUNCTIONS
from tests.unit.lang.sprig_cases import ERROR, check

# name, arguments, result; what Go 1.26 with Sprig 3.3.0 gives
CASES: list[tuple[str, tuple[Any, ...], Any]] = [
    ("int", ("08",), 0),
    ("int", ("0x10",), 16),
    ("int", ("3.7",), 3),
    ("int", ("-3.9",), -3),
    ("int", ("0b11",), 3),
    ("int", ("0o17",), 15),
    ("int", ("017",), 15),
    ("int", ("1_000",), 1000),
    ("int", ("1__0",), 0),
    ("int", ("1e3",), 0),
    ("int", ("",), 0),
    ("int", (" 1",), 0),
    ("int", ("99999999999999999999",), 0),
    ("int", (True,), 1),
    ("int", (None,), 0),
    ("int", (3.99,), 3),
    ("int", (-3.99,), -3),
    ("int", (1e19,), -9223372036854775808),
    ("int", (math.nan,), -9223372036854775808),
    ("int", ([1.0],), 0),
    ("int64", ("7",), GoInt64(7)),
    ("atoi", ("12",), 12),
    ("atoi", ("12a",), 0),
    ("atoi", ("+7",), 7),
    ("atoi", ("99999999999999999999",), 9223372036854775807),
    ("atoi", ("-99999999999999999999",), -9223372036854775808),
    ("atoi", ("1_0",), 0),
    ("float64", ("1.5e3",), 1500.0),
    ("float64", ("0x1p-2",), 0.25),
    ("float64", ("1_000.5",), 1000.5),
    ("float64", ("inf",), math.inf),
    ("float64", ("1e999",), 0.0),
    ("float64", ("x",), 0.0),
    ("float64", (True,), 1.0),
    ("float64", (3,), 3.0),
    ("toDecimal", ("0777",), GoInt64(511)),
    ("toDecimal", (755.0,), GoInt64(493)),
    ("toDecimal", ("9",), GoInt64(0)),
    ("toDecimal", (1000000.0,), GoInt64(0)),
    ("toDecimal", ("-17",), GoInt64(-15)),
    ("add", (), GoInt64(0)),
    ("add", ("1", 2.9), GoInt64(3)),
    ("add", (9223372036854775807, 1), GoInt64(-9223372036854775808)),
    ("add1", (41.0,), GoInt64(42)),
    ("sub", (3, 5), GoInt64(-2)),
    ("mul", (2, 3, "4"), GoInt64(24)),
    ("mul", (3.7, 2), GoInt64(6)),
    ("mul", (9223372036854775807, 2), GoInt64(-2)),
    ("div", (7, 2), GoInt64(3)),
    ("div", (-7, 2), GoInt64(-3)),
    ("div", (1, 0), ERROR),
    ("div", (-9223372036854775808, -1), GoInt64(-9223372036854775808)),
    ("mod", (7, 3), GoInt64(1)),
    ("mod", (-7, 3), GoInt64(-1)),
    ("mod", (7, -3), GoInt64(1)),
    ("mod", (1, 0), ERROR),
    ("max", (1, "5", 3.9), GoInt64(5)),
    ("max", ([1.0, 2.0],), GoInt64(0)),
    ("biggest", (1,), GoInt64(1)),
    ("min", (3, -1.5), GoInt64(-1)),
    ("maxf", (1.5, 2.5), 2.5),
    ("maxf", (1, math.nan), math.nan),
    ("maxf", (math.nan, math.inf), math.inf),
    ("minf", (1.5, "0.5"), 0.5),
    ("minf", (0.0, -0.0), -0.0),
    ("floor", (-1.5,), -2.0),
    ("floor", ("2.7",), 2.0),
    ("ceil", (-0.5,), -0.0),
    ("ceil", (2.1,), 3.0),
    ("floor", (math.inf,), math.inf),
    ("round", (123.5555, 3), 123.556),
    ("round", (2.5, 0), 3.0),
    ("round", (-1.5, 0), -2.0),
    ("round", (-1.2, 0), -2.0),
    ("round", (1234.0, -2), 1200.0),
    ("round", (1.45, 1, 0.4), 1.5),
    ("round", (5.0, -400), math.nan),
    ("round", (1.0, 400), math.nan),
    ("round", (2.0, 25), 2.0),
    ("addf", (0.1, 0.2), 0.3),
    ("addf", (), 0.0),
    ("add1f", (1.5,), 2.5),
    ("subf", (0.3, 0.1), 0.2),
    ("mulf", (0.1, 3), 0.3),
    ("mulf", (1e308, 10), math.inf),
    ("divf", (1, 3), 0.3333333333333333),
    ("divf", (2, 3), 0.6666666666666667),
    ("divf", (-2, 3), -0.6666666666666667),
    ("divf", (10, 4), 2.5),
    ("divf", (1, 0), ERROR),
    ("addf", (math.nan,), ERROR),
    ("addf", (math.inf,), ERROR),
    ("until", (3,), GoInts([0, 1, 2])),
    ("until", (-3,), GoInts([0, -1, -2])),
    ("until", (0,), GoInts([])),
    ("untilStep", (1, 8, 3), GoInts([1, 4, 7])),
    ("untilStep", (5, 0, -2), GoInts([5, 3, 1])),
    ("untilStep", (0, 5, -1), GoInts([])),
    ("untilStep", (0, 5, 0), GoInts([])),
    ("seq", (), ""),
    ("seq", (3,), "1 2 3"),
    ("seq", (0,), "1 0"),
    ("seq", (-2,), "1 0 -1 -2"),
    ("seq", (1, 3), "1 2 3"),
    ("seq", (5, 2), "5 4 3 2"),
    ("seq", (0, 2, 6), "0 2 4 6"),
    ("seq", (6, -2, 0), "6 4 2 0"),
    ("seq", (0, -1, 3), ""),
    ("seq", (3, 1, 0), ""),
    ("seq", (1, 2, 3, 4), ""),
]


@pytest.mark.parametrize(("name", "arguments", "expected"), CASES)
def test_gives_what_go_gives(name: str, arguments: tuple[Any, ...], expected: Any) -> None:
    check(name, arguments, expected)


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("until", (1_000_001,)),
        ("until", (-(1 << 62),)),
        ("untilStep", (0, 1 << 62, 3)),
        ("seq", (1, 1_000_002)),
        ("seq", (1 << 60, (1 << 60) + 300_000)),
    ],
)
def test_ranges_without_bound_are_refused(name: str, arguments: tuple[Any, ...]) -> None:
    with pytest.raises(EvaluationError, match=r"would (be longer|have more)"):
        FUNCTIONS[name](*arguments)


def test_long_texts_of_digits_are_numbers_out_of_range() -> None:
    assert FUNCTIONS["atoi"]("9" * 10_000) == (1 << 63) - 1
    assert FUNCTIONS["int"]("9" * 10_000) == 0
    assert FUNCTIONS["float64"]("9" * 10_000) == 0.0


def test_round_takes_an_exact_power_of_ten_where_go_does() -> None:
    assert FUNCTIONS["round"](0.5, 23) == 0.5
    assert math.isnan(FUNCTIONS["round"](0.0, 310))

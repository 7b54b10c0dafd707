"""events.lang.scalars: Go's strconv."""

from __future__ import annotations

import math
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from events.errors import ExpressionError
from events.lang.scalars import parse_bool, parse_float


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1.0", 1.0),
        ("1e3", 1000.0),
        (".5", 0.5),
        ("5.", 5.0),
        ("+1", 1.0),
        ("-.5E+1", -5.0),
        ("007", 7.0),
        ("1_000", 1000.0),
        ("1_0.5", 10.5),
        ("1e1_0", 1e10),
        ("1e-400", 0.0),
        ("3e-324", 5e-324),
        ("0x1p-2", 0.25),
        ("0X_1_2.8P+1", 37.0),
        ("0x.1p1", 0.125),
        ("0x1.8p-1074", 1e-323),
        ("0x1.5p1_0", 1344.0),
        ("-0x0p0", -0.0),
        ("0x0p99999999999999999999", 0.0),
        ("0x1p-99999999999999999999", 0.0),
        ("inf", math.inf),
        ("-INF", -math.inf),
        ("+Infinity", math.inf),
        ("0x1.fffffffffffff7p1023", 1.7976931348623157e308),
    ],
)
def test_reads_numbers_as_go_does(text: str, value: float) -> None:
    assert parse_float(text) == value
    assert math.copysign(1, parse_float(text)) == math.copysign(1, value)


@pytest.mark.parametrize("text", ["nan", "NaN", "NAN"])
def test_reads_not_a_number(text: str) -> None:
    assert math.isnan(parse_float(text))


@pytest.mark.parametrize(
    "text",
    [
        "",
        " 1",
        "1 ",
        "1\n",
        "1,5",
        "0x10",
        "0x",
        "0x.p1",
        "0b1",
        "0o7",
        "1e",
        "1e+",
        ".",
        "-",
        "_1",
        "1_",
        "1__0",
        "1_.5",
        "0x1_p1",
        "0x1.5p_1",
        "0x__1p1",
        "+nan",
        "infi",
        "infinit",
        "\u0661",
        "1e400",
        "-1e400",
        "9" * 400,
        "9" * 400 + ".",
        "0x1p1024",
        "0x1.fffffffffffff8p1023",
        "0x1p99999999999999999999",
        "1d",
        "\udcff",
    ],
)
def test_refuses_what_go_refuses(text: str) -> None:
    with pytest.raises(ExpressionError):
        parse_float(text)


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_round_trips(value: float) -> None:
    assert parse_float(repr(value)) == value
    assert parse_float(value.hex()) == value


@given(st.text(alphabet="0123456789_.eExXpP+-aAfFinINty ", max_size=12))
def test_a_result_is_a_float_and_nothing_but_expression_errors_escape(text: str) -> None:
    with suppress(ExpressionError):
        assert type(parse_float(text)) is float


@pytest.mark.parametrize("text", ["1", "t", "T", "TRUE", "true", "True"])
def test_reads_true(text: str) -> None:
    assert parse_bool(text) is True


@pytest.mark.parametrize("text", ["0", "f", "F", "FALSE", "false", "False"])
def test_reads_false(text: str) -> None:
    assert parse_bool(text) is False


@pytest.mark.parametrize("text", ["", "tRUE", "yes", "on", " true", "true\n", "2", "fALSE"])
def test_refuses_other_booleans(text: str) -> None:
    with pytest.raises(ExpressionError):
        parse_bool(text)

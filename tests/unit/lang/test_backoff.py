"""events.lang.backoff: retry schedules."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from events.errors import ExpressionError
from events.lang.backoff import LONGEST, SHORTEST, Backoff, compile_backoff


def pauses(backoff: Backoff, chance: float) -> list[float | None]:
    return [backoff.delay(attempt, chance) for attempt in range(1, backoff.steps + 1)]


def test_an_empty_object_means_five_attempts_with_pauses_of_one_to_two_seconds() -> None:
    backoff = compile_backoff(None, None, None, None)
    assert backoff == Backoff(5, 1.0, 1.0, 1.0)
    assert pauses(backoff, 0.0) == [1, 1, 1, 1, None]
    assert pauses(backoff, 0.5) == [1.5, 1.5, 1.5, 1.5, None]


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ((10**9, 2, 0, 4), [1, 2, 4, None]),
        (("10s", "1.5", "0", 4), [10, 15, 22.5, None]),
        (("100ms", 3, 0, 4), [0.1, 0.3, 0.9, None]),
        ((2 * 10**9, 0, 0, 3), [2, 2, None]),
        (("1s", 0.5, 0, 4), [1, 0.5, 0.25, None]),
        (("1s", 1, -3, 2), [1, None]),
        (("-1s", 1, 0, 2), [0, None]),
        (("1s", -2, 0, 4), [1, 0, 4, None]),
        ((0, 2, 5, 3), [0, 0, None]),
        (("1s", 1e300, 0, 4), [1, LONGEST, LONGEST, None]),
        (("1s", 1, 0, 1), [None]),
        (("1s", 1, 0, 0), [1, 1, 1, 1, None]),
        (("1s", 1, 0, -1), [1, 1, 1, 1, None]),
    ],
)
def test_pauses_grow_by_the_factor(fields: tuple[Any, ...], expected: list[float | None]) -> None:
    assert pauses(compile_backoff(*fields), 0.9) == expected


def test_jitter_adds_up_to_its_share_of_the_pause() -> None:
    backoff = compile_backoff("10s", 2, 0.25, 3)
    assert pauses(backoff, 0.0) == [10, 20, None]
    assert pauses(backoff, 1.0) == [12.5, 25, None]


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        (("1s", 2, 0, 4), [1, 2, 4, 4, 4]),
        (("8s", 0.5, 0, 3), [8, 4, 4, 4, 4]),
        (("3s", 2, 0, 1), [3, 3, 3, 3, 3]),
        ((0, 1, 0, 5), [SHORTEST] * 5),
        (("-5s", 1, 0, 5), [SHORTEST] * 5),
    ],
)
def test_who_never_gives_up_repeats_the_last_pause(fields: tuple[Any, ...], expected: list[float]) -> None:
    backoff = compile_backoff(*fields)
    assert [backoff.endless(attempt, 0.9) for attempt in range(1, 6)] == expected
    assert backoff.endless(10**9, 0.9) == expected[-1]


@pytest.mark.parametrize(
    "fields",
    [
        ("5", None, None, 2),
        ("abc", None, None, 2),
        ("", None, None, 2),
        (1.5, None, None, 2),
        (True, None, None, 2),
        (2**63, None, None, 2),
        (None, "x", None, 2),
        (None, "", None, 2),
        (None, "inf", None, 2),
        (None, True, None, 2),
        (10**5000, None, None, 2),
        (None, 10**5000, None, 2),
        (None, None, "nan", 2),
        (None, None, math.inf, 2),
        (None, None, [1], 2),
        (None, None, None, "3"),
        (None, None, None, 2.0),
        (None, None, None, True),
    ],
)
def test_an_invalid_field_is_refused(fields: tuple[Any, ...]) -> None:
    with pytest.raises(ExpressionError):
        compile_backoff(*fields)


FINITE = st.floats(allow_nan=False, allow_infinity=False)


@given(st.integers(-(2**63), 2**63 - 1), FINITE, FINITE, st.integers(2, 2**31), st.data())
def test_a_pause_is_never_negative_nor_beyond_gos_longest(
    duration: int, factor: float, jitter: float, steps: int, data: st.DataObject
) -> None:
    backoff = compile_backoff(duration, factor, jitter, steps)
    attempt = data.draw(st.integers(1, steps - 1))
    for chance in (0.0, 0.999):
        pause = backoff.delay(attempt, chance)
        assert pause is not None
        assert 0 <= pause <= LONGEST
    assert backoff.delay(steps, 0.5) is None

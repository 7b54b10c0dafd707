"""What the options of `events run` mean."""

from __future__ import annotations

import pytest

from events.cli import build
from events.cli.run import options_of


def test_retention_is_given_as_a_duration_and_in_mebibytes():
    options = options_of(build().parse_args(["run", "x", "--keep", "1h30m", "--keep-mib", "2"]))
    assert (options.keep, options.keep_bytes) == (5400.0, 2 << 20)


def test_retention_is_a_week_and_4_gib():
    options = options_of(build().parse_args(["run", "x"]))
    assert (options.keep, options.keep_bytes) == (7 * 86_400.0, 4 << 30)


@pytest.mark.parametrize(
    ("flag", "given", "said"),
    [
        ("--keep", "7", "unit"),
        ("--keep", "0s", "'0s' is not above 0"),
        ("--keep-mib", "0", "invalid mebibytes value: '0'"),
    ],
)
def test_what_is_no_retention_is_told(flag: str, given: str, said: str, capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit) as ended:
        build().parse_args(["run", "x", flag, given])
    assert ended.value.code == 2
    told = capsys.readouterr().err
    assert flag in told
    assert said in told

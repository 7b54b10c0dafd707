"""A command in this process, and data folders that nobody runs on."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from events.cli import main
from events.runtime.folder import DataFolder


class Result(NamedTuple):
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


Run = Callable[..., Result]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    def run_main(*args: str | Path) -> Result:
        try:
            code = main([str(arg) for arg in args])
        except SystemExit as ended:  # argparse
            code = int(ended.code or 0)
        out, err = capsys.readouterr()
        assert "Traceback" not in err
        return Result(code, out, err)

    return run_main


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A data folder as an instance leaves it, without any bus."""
    folder = DataFolder(tmp_path / "data")
    folder.acquire()
    folder.release()
    return folder.path


@pytest.fixture
def payload(tmp_path: Path) -> Path:
    file = tmp_path / "payload.json"
    file.write_text('{"ref": "refs/heads/main"}')
    return file

"""Conformance vectors of the sensor semantics, run against the engine.

`python -m events.testing.conformance DIR [--corpus DIR]` runs every family file of a folder. One module per
family has `run(given, fixtures)`, which returns an outcome in the shape of the case's `expect`.
"""

from __future__ import annotations

import importlib
import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

FAMILIES = (
    "gjson", "data_filters", "combining_filters", "expr_filters", "time_filters", "lua", "jq", "conditions",
    "parameters", "templates", "scalars", "source_filters", "kinds", "documented_examples",
)  # fmt: skip

OTHER_OPS = {"conditions": ("rounds", "rounds"), "expr_filters": ("filter", "expr_filter_lists")}
"""Ops that live above the languages: family -> (op, module)."""

Run = Callable[[Mapping[str, Any], Mapping[str, Any]], Any]
NOT_RUN = "not_run"


class Verdict(NamedTuple):
    """One case: what was wanted, what came, and whether they agree. `passed` None: not run."""

    family: str
    id: str
    passed: bool | None
    wanted: Any
    got: Any


def load(file: Path) -> dict[str, Any]:
    """One family file."""
    document: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return document


def verdicts(folder: Path, corpus: Path | None = None) -> Iterator[Verdict]:
    """All cases of all family files below a folder. An unknown family or kind of case counts as failed."""
    for file in sorted(folder.glob("*.json")):
        document = load(file)
        run = runner_of(file.stem, corpus)
        for case in document["cases"]:
            yield judge(file.stem, case, document["fixtures"], run)


def runner_of(family: str, corpus: Path | None) -> Run:
    if family not in FAMILIES:
        return lambda *_: {"unknown family": family}
    module = importlib.import_module(f"events.testing.conformance.{family}")
    if family in OTHER_OPS:
        return by_op(module.run, *OTHER_OPS[family])
    if family == "documented_examples":
        return lambda given, fixtures: module.run(given, fixtures, corpus)
    run: Run = module.run
    return run


def by_op(run: Run, op: str, name: str) -> Run:
    """Cases of one op go to a module of their own."""
    other: Run = importlib.import_module(f"events.testing.conformance.{name}").run
    return lambda given, fixtures: (other if given.get("op") == op else run)(given, fixtures)


def judge(family: str, case: Mapping[str, Any], fixtures: Mapping[str, Any], run: Run) -> Verdict:
    """`preferred` counts where it is given."""
    wanted = case.get("preferred", case["expect"])
    try:
        got = run(case["input"], fixtures)
    except Exception as exc:  # noqa: BLE001 - a supervisor: the case failed, the next one goes on
        got = {"raised": f"{type(exc).__name__}: {exc}"}
    if got == NOT_RUN:
        return Verdict(family, case["id"], None, wanted, got)
    return Verdict(family, case["id"], agrees(wanted, got), wanted, got)


def agrees(wanted: Any, got: Any) -> bool:
    """Every member that is wanted is there and equal; what the case does not mention is not asserted."""
    if isinstance(wanted, dict):
        return isinstance(got, dict) and all(
            key in got and agrees(value, got[key]) for key, value in wanted.items()
        )
    if isinstance(wanted, list):
        return isinstance(got, list) and len(wanted) == len(got) and all(map(agrees, wanted, got))
    if isinstance(wanted, bool) or isinstance(got, bool):
        return wanted is got
    return bool(wanted == got)

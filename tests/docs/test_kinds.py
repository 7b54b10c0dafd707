"""Every kind that runs comes with an example, a section of the reference and the clauses of the contract."""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, get_args

import pytest
import yaml

from events.manifest import load
from events.registry import Group, adapter_class, module_name, source_kinds, trigger_kinds
from events.sources._base import Replay
from events.testing.sources import QueueContract, SourceContract
from events.testing.triggers import ObjectContract, RemoteContract, TriggerContract

ROOT = Path(__file__).parents[2]
CONTRACTS: dict[Group, tuple[type, ...]] = {
    "sources": (SourceContract, QueueContract),
    "triggers": (TriggerContract, RemoteContract, ObjectContract),
}
FOLDERS: dict[Group, str] = {"sources": "event-sources", "triggers": "triggers"}
KINDS: list[tuple[Group, str]] = [
    *(("sources", kind) for kind in source_kinds() if adapter_class("sources", kind)),
    *(("triggers", kind) for kind in trigger_kinds() if adapter_class("triggers", kind)),
]

every_kind = pytest.mark.parametrize(("group", "kind"), KINDS)


def file_of(group: Group, kind: str) -> Path:
    name = module_name(group, kind).rpartition(".")[2].replace("_", "-")
    return ROOT / "examples" / FOLDERS[group] / f"{name}.yaml"


@every_kind
def test_example(group: Group, kind: str):
    """It uses its kind, and its first lines say how it is run."""
    file = file_of(group, kind)
    assert load([file]).findings == []
    assert kind in used(group, list(yaml.safe_load_all(file.read_text())))
    assert f"events run {file.relative_to(ROOT)}" in file.read_text().partition("\napiVersion:")[0]


def used(group: Group, objects: list[Any]) -> set[str]:
    """The kinds of sources or of triggers in these manifests."""
    if group == "sources":
        return {key for one in objects if one["kind"] == "EventSource" for key in one["spec"]}
    sensors = [one["spec"] for one in objects if one["kind"] == "Sensor"]
    return {key for spec in sensors for trigger in spec["triggers"] for key in trigger["template"]}


@pytest.mark.parametrize("group", FOLDERS)
def test_there_are_no_other_examples(group: Group):
    wanted = {file_of(of, kind) for of, kind in KINDS if of == group}
    assert set((ROOT / "examples" / FOLDERS[group]).iterdir()) == wanted


@every_kind
def test_reference(group: Group, kind: str):
    page = (ROOT / "docs" / "reference" / f"{group}.md").read_text()
    assert re.search(rf"^## {kind}$", page, re.MULTILINE)


@every_kind
def test_adapter_is_told_apart_by_its_kind(group: Group, kind: str):
    adapter = adapter_class(group, kind)
    assert adapter is not None
    assert adapter.kind == kind
    if group == "sources":
        assert vars(adapter).get("replay") in get_args(Replay), "says nothing of what comes again"


@cache
def kinds_with_clauses(group: Group) -> frozenset[str]:
    return frozenset(cls.kind for cls in suites(group) if whole(cls, group))


def suites(group: Group) -> Iterator[Any]:
    """Classes that pytest collects and that inherit the clauses."""
    for file in sorted((ROOT / "tests" / "contract" / group).glob("test_*.py")):
        module = importlib.import_module(f"tests.contract.{group}.{file.stem}")
        for name, value in vars(module).items():
            if name.startswith("Test") and isinstance(value, type) and issubclass(value, CONTRACTS[group]):
                yield value


def whole(suite: type, group: Group) -> bool:
    """No clause is replaced or taken out."""
    bases = [base for base in CONTRACTS[group] if issubclass(suite, base)]
    clauses = {
        name: clause for base in bases for name, clause in vars(base).items() if name.startswith("test_")
    }
    return all(getattr(suite, name) is clause for name, clause in clauses.items())


@every_kind
def test_contract(group: Group, kind: str):
    assert kind in kinds_with_clauses(group)

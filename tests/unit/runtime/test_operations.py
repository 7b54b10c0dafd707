"""Questions to an instance: what is asked wrongly is told, not ignored."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from events.errors import NotThere, Permanent
from events.runtime.folder import DataFolder
from events.runtime.offline import call, open_offline
from events.runtime.operations import OPERATIONS


@pytest.fixture
def folder(tmp_path: Path) -> DataFolder:
    made = DataFolder(tmp_path)
    made.acquire()
    made.release()
    return made


def event(**more: Any) -> dict[str, Any]:
    return {"specversion": "1.0", "id": "1", "source": "s", "subject": "e", "type": "t", "data": {}, **more}


def publish(folder: DataFolder, *events: dict[str, Any]) -> Any:
    return call(folder, "publish", {"events": list(events)})


@pytest.mark.parametrize(
    ("operation", "given", "said"),
    [
        ("events", {"sorce": "github"}, "there is no parameter sorce"),
        ("events", {"limit": "many"}, "int"),
        ("decisions", {"results": "fired,lost"}, "no result is called lost"),
        ("decisions", {"event": "x"}, "there is no parameter event"),
        ("explain", {}, "parameter 'id' is missing"),
        ("letter", {"firing": ""}, "parameter 'firing' is missing"),
        ("publish", {}, "has to be a list of CloudEvents"),
        ("publish", {"events": [{}]}, "event 0: "),
        ("publish", {"events": [event(), {"specversion": "1.0"}]}, "event 1: "),
        ("publish", {"events": [event(data={"n": 10**30})]}, "event 0: "),
        ("publish", {"events": [event(data="\ud800")]}, "event 0: "),
    ],
)
def test_wrong_parameters_are_named(folder: DataFolder, operation: str, given: dict[str, Any], said: str):
    with pytest.raises(ValueError, match=said):
        call(folder, operation, given)


def test_results_are_a_list_or_text_with_commas(folder: DataFolder):
    for results in ("fired,waiting", ["fired", "waiting"]):
        assert call(folder, "decisions", {"results": results, "limit": "5"}) == []


def test_events_are_published_found_and_explained(folder: DataFolder):
    publish(folder, event(), event(id="2", source="other"))
    assert [one["id"] for one in call(folder, "events", {})] == ["2", "1"]
    assert [one["id"] for one in call(folder, "events", {"source": "s"})] == ["1"]
    (account,) = call(folder, "explain", {"id": "1"})
    assert account["note"] == "no sensor has a dependency on s/e"


@pytest.mark.parametrize(
    ("operation", "given"),
    [("explain", {"id": "x"}), ("letter", {"firing": "x"}), ("retry", {"firing": "x"})],
)
def test_what_is_not_there(folder: DataFolder, operation: str, given: dict[str, Any]):
    with pytest.raises(NotThere, match="x"):
        call(folder, operation, given)


def test_what_needs_an_instance(folder: DataFolder):
    with pytest.raises(Permanent, match="run"):
        call(folder, "reload", {})


@pytest.mark.parametrize(
    ("namespace", "bus"), [("a", "../x"), ("a/b", "x"), ("a.b", "x"), ("a", ""), ("", "x")]
)
def test_a_bus_stays_inside_the_folder(folder: DataFolder, namespace: str, bus: str):
    with pytest.raises(Permanent, match="cannot be the name of a bus"):
        call(folder, "publish", {"namespace": namespace, "bus": bus, "events": [event()]})
    assert [path.name for path in (folder.path / "bus").iterdir()] == []


def test_a_folder_that_was_never_a_data_folder_is_left_alone(tmp_path: Path):
    for path in (tmp_path, tmp_path / "none"):
        with pytest.raises(NotThere, match=str(path)):
            call(DataFolder(path), "status", {})
    assert not any(tmp_path.iterdir())


def test_the_lock_is_given_back_when_a_store_is_damaged(folder: DataFolder):
    (folder.path / "bus" / "default.default.sqlite").write_bytes(b"x" * 5000)
    for _ in range(2):
        with pytest.raises(Permanent):
            call(folder, "events", {})
    folder.acquire(patience=0)
    folder.release()


def test_operations_are_described():
    assert all(operation.__doc__ for operation in OPERATIONS.values())


def test_a_desk_has_its_folder_for_itself(folder: DataFolder):
    async def twice() -> None:
        async with open_offline(folder), open_offline(DataFolder(folder.path)):
            pass

    with pytest.raises(Permanent, match="in use"):
        asyncio.run(twice())

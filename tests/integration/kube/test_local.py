"""The local object store: durable, and with the manners of the API server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

import events.kube.local
from events.errors import Damaged, EventsError, Permanent
from events.kube._base import (
    APPLY_PATCH,
    JSON_PATCH,
    STRATEGIC_PATCH,
    Conflict,
    Expired,
    Invalid,
    NotFound,
    Object,
    Ref,
    Wanted,
)
from events.kube.local import LocalObjects
from events.testing.objects import ObjectsContract, told

REF = Ref("v1", "ConfigMap", "default", "x")


def obj(name: str = "x", **given: Any) -> Object:
    metadata = {"name": name, **given.pop("metadata", {})}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, **given}


@asynccontextmanager
async def store(folder: Path) -> AsyncIterator[LocalObjects]:
    objects = LocalObjects(folder / "objects.db")
    await objects.open()
    try:
        yield objects
    finally:
        await objects.aclose()


async def test_everything_is_there_again_after_a_restart(tmp_path: Path):
    async with store(tmp_path) as objects:
        made = await objects.create(obj(data={"a": "1"}), "default")
        await objects.create(obj("gone"), "default")
        await objects.delete(REF._replace(name="gone"))
        changed = await objects.patch(REF, {"data": {"a": "2"}})
    async with store(tmp_path) as objects:
        assert await objects.find(None, None) == [changed]
        assert (await objects.create(obj("y"), "default"))["metadata"]["resourceVersion"] > changed[
            "metadata"
        ]["resourceVersion"]
    assert made["metadata"]["uid"] == changed["metadata"]["uid"]


async def test_only_one_process_has_it_and_only_its_user_reads_it(tmp_path: Path):
    async with store(tmp_path):
        assert (tmp_path / "objects.db").stat().st_mode & 0o777 == 0o600
        other = LocalObjects(tmp_path / "objects.db")
        with pytest.raises(Permanent):
            await other.open()


async def test_a_file_that_is_none_of_ours(tmp_path: Path):
    (tmp_path / "objects.db").write_bytes(b"not a database" * 100)
    with pytest.raises(EventsError) as caught:
        await LocalObjects(tmp_path / "objects.db").open()
    assert isinstance(caught.value, Damaged)


async def test_what_the_store_fills_in(tmp_path: Path):
    async with store(tmp_path) as objects:
        made = await objects.create({**obj(), "metadata": {"generateName": "x-"}}, "shop")
    meta = made["metadata"]
    assert meta["namespace"] == "shop"
    assert meta["name"].startswith("x-")
    assert len(meta["name"]) == 7
    assert meta["generation"] == 1
    assert meta["creationTimestamp"].endswith("Z")


async def test_names_are_unique_for_kind_group_and_namespace(tmp_path: Path):
    async with store(tmp_path) as objects:
        await objects.create(obj(), "default")
        with pytest.raises(Conflict):
            await objects.create(obj(), "default")
        await objects.create(obj(), "other")
        await objects.create({**obj(), "kind": "Secret"}, "default")
        await objects.create({**obj(), "apiVersion": "example.com/v1"}, "default")
        with pytest.raises(Conflict):
            await objects.create({**obj(), "apiVersion": "example.com/v2"}, "default")


async def test_update_replaces_keeps_identity_and_counts_changes_of_the_spec(tmp_path: Path):
    async with store(tmp_path) as objects:
        made = await objects.create(obj(spec={"n": 1}, data={"a": 1}), "default")
        new = obj(spec={"n": 2}, metadata={"namespace": "default", "uid": "forged"})
        changed = await objects.update(new)
        again = await objects.update({**new, "data": {}})
    assert "data" not in changed
    assert changed["metadata"]["uid"] == made["metadata"]["uid"]
    assert [one["metadata"]["generation"] for one in (made, changed, again)] == [1, 2, 2]


async def test_what_is_not_there(tmp_path: Path):
    async with store(tmp_path) as objects:
        assert await objects.get(REF) is None
        assert await objects.delete(REF) is False
        with pytest.raises(NotFound):
            await objects.update(obj(metadata={"namespace": "default"}))
        with pytest.raises(NotFound):
            await objects.patch(REF, {})
        assert (await objects.patch(REF, obj(), APPLY_PATCH))["metadata"]["name"] == "x"


@pytest.mark.parametrize(
    ("body", "strategy"),
    [
        ([], STRATEGIC_PATCH), ("x", "application/merge-patch+json"), (None, "application/merge-patch+json"),
        ({}, JSON_PATCH), ([{"op": "replace", "path": "", "value": []}], JSON_PATCH),
        ([{"op": "remove", "path": "/metadata"}], JSON_PATCH), ({"metadata": None}, STRATEGIC_PATCH),
        ({"metadata": {"name": "y"}}, STRATEGIC_PATCH), ({"kind": "Secret"}, STRATEGIC_PATCH),
        ({"metadata": {"labels": {"a": "b c"}}}, STRATEGIC_PATCH),
    ],
)  # fmt: skip
async def test_patches_that_are_refused_change_nothing(tmp_path: Path, body: Any, strategy: str):
    async with store(tmp_path) as objects:
        made = await objects.create(obj(), "default")
        with pytest.raises(Invalid):
            await objects.patch(REF, body, strategy)
        assert await objects.find(None, None) == [made]


async def test_listing_by_kind_namespace_and_labels(tmp_path: Path):
    async with store(tmp_path) as objects:
        for name, namespace, labels in (("b", "one", {"t": "1"}), ("a", "one", {}), ("c", "two", {"t": "1"})):
            await objects.create(obj(name, metadata={"labels": labels}), namespace)

        async def listed(namespace: str | None, labels: dict[str, str] | None = None) -> list[str]:
            found = await objects.list("v1", "ConfigMap", namespace, labels)
            return [one["metadata"]["name"] for one in found]

        assert await listed("one") == ["a", "b"]
        assert await listed(None, {"t": "1"}) == ["b", "c"]
        assert await objects.list("v2/x", "ConfigMap", None) == []
        assert [one["metadata"]["name"] for one in await objects.find("configmaps", "one")] == ["b", "a"]


async def test_applying_changes_only_what_differs(tmp_path: Path):
    async with store(tmp_path) as objects:
        first = await objects.apply(obj(data={"a": 1}), "default")
        same = await objects.apply(obj(data={"a": 1}), "default")
        labelled = await objects.apply(obj(data={"a": 1}, metadata={"labels": {"t": "1"}}), "default")
        fewer = await objects.apply(obj(metadata={"labels": {"t": "1"}}), "default")
    assert same["metadata"]["resourceVersion"] == first["metadata"]["resourceVersion"]
    assert labelled["metadata"]["labels"] == {"t": "1"}
    assert "data" not in fewer


async def test_a_change_while_it_is_deleted_finds_nothing(tmp_path: Path):
    async with store(tmp_path) as objects:
        await objects.create(obj(), "default")
        results = await asyncio.gather(
            objects.delete(REF), objects.patch(REF, {"data": {}}),
            objects.create(obj(data={"n": 2}), "default"), return_exceptions=True,
        )  # fmt: skip
        assert results[0] is True
        assert isinstance(results[1], NotFound)
        now = await objects.find(None, None)
    async with store(tmp_path) as objects:
        assert await objects.find(None, None) == now == [results[2]]


class TestContract(ObjectsContract):
    namespace = pytest.fixture(lambda self: "default")
    other = pytest.fixture(lambda self: "other")

    @pytest.fixture
    async def objects(self, tmp_path: Path) -> AsyncIterator[LocalObjects]:
        async with store(tmp_path) as objects:
            yield objects


WANTED = Wanted("", "v1", "configmaps", None)


async def test_who_falls_behind_has_to_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(events.kube.local, "HISTORY", 2)
    async with store(tmp_path) as objects:
        place = (await objects.read(WANTED)).version
        for number in range(2):
            await objects.create(obj(f"x{number}"), "default")
        assert len(await told(objects.follow(WANTED, place), 2)) == 2
        await objects.create(obj("x2"), "default")
        with pytest.raises(Expired, match="behind"):
            await anext(objects.follow(WANTED, place))


async def test_versions_of_an_earlier_life_are_not_kept(tmp_path: Path):
    async with store(tmp_path) as objects:
        await objects.create(obj(), "default")
        place = (await objects.read(WANTED)).version
    async with store(tmp_path) as objects:
        with pytest.raises(Expired):
            await objects.read(WANTED, place)
        with pytest.raises(Expired):
            await anext(objects.follow(WANTED, place))

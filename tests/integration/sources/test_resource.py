"""resource: changes of objects, in the local store and in a real API server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from events.errors import Retryable
from events.kube._base import Change, Expired, Listed, Object, Ref, Wanted
from events.kube.client import Client
from events.kube.local import LocalObjects
from events.kube.login import Login, from_kubeconfig
from events.kube.remote import RemoteObjects
from events.sources import resource
from events.sources._objects import View
from events.testing.servers import free_port
from events.testing.servers.fixtures import Own
from events.testing.servers.kubernetes import Kube
from events.testing.sources import Rig, rigged

ALL = ["ADD", "UPDATE", "DELETE"]
REF = Ref("v1", "ConfigMap", "default", "x")


def config(**filters: Any) -> dict[str, Any]:
    found = {"namespace": "default", "version": "v1", "resource": "configmaps", "eventTypes": ALL}
    return {**found, **({"filter": filters} if filters else {})}


def settings(name: str = "x", labels: dict[str, str] | None = None, **data: str) -> Object:
    meta = {"name": name, **({"labels": labels} if labels else {})}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": data}


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[LocalObjects]:
    objects = LocalObjects(tmp_path / "objects.db")
    await objects.open()
    yield objects
    await objects.aclose()


def told(rig: Rig) -> list[tuple[str, str]]:
    return [(one["type"], one["body"]["metadata"]["name"]) for one in rig.data]


async def test_every_change_is_told_with_the_object_before_it(store: LocalObjects):
    async with rigged(objects=store) as rig:
        await store.create(settings("there"), "default")
        await rig.start("resource", {**config(), "metadata": {"k": "v"}})
        await store.create(settings(a="1"), "default")
        await store.patch(REF, {"data": {"a": "2"}})
        await store.delete(REF)
        await rig.until(4)
    assert told(rig) == [("ADD", "there"), ("ADD", "x"), ("UPDATE", "x"), ("DELETE", "x")]
    update = rig.data[2]
    assert (update["body"]["data"], update["oldBody"]["data"]) == ({"a": "2"}, {"a": "1"})
    assert update["metadata"] == {"k": "v"}
    assert (update["group"], update["version"], update["resource"]) == ("", "v1", "configmaps")
    assert rig.data[1]["oldBody"] is None
    assert len({payload.id for payload in rig.emitted}) == 4


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ({"prefix": "a-"}, ["a-1", "a-2"]),
        ({"labels": [{"key": "team", "value": "shop"}]}, ["a-1"]),
        ({"labels": [{"key": "team", "operation": "in", "value": "shop, web"}]}, ["a-1", "b-1"]),
        ({"labels": [{"key": "team", "operation": "!"}]}, ["a-2"]),
        (
            {
                "labels": [
                    {"key": "team", "operation": "exists"},
                    {"key": "team", "operation": "!=", "value": "web"},
                ]
            },
            ["a-1"],
        ),
        ({"fields": [{"key": "data.text", "value": "^one"}]}, ["a-1"]),
        ({"fields": [{"key": "data.text", "operation": "!=", "value": "one"}]}, ["a-2"]),
        ({"fields": [{"key": "data.none", "operation": "!=", "value": "one"}]}, []),
        ({"createdBy": "2001-01-01T00:00:00Z"}, []),
        ({"createdBy": "2101-01-01T00:00:00Z", "prefix": "b"}, ["b-1"]),
    ],
)  # fmt: skip
async def test_filters(store: LocalObjects, filters: dict[str, Any], expected: list[str]):
    async with rigged(objects=store) as rig:
        await rig.start("resource", config(**filters))
        await store.create(settings("a-1", {"team": "shop"}, text="one"), "default")
        await store.create(settings("a-2", text="two"), "default")
        await store.create(settings("b-1", {"team": "web"}), "default")
        await store.create(settings("a-1", {"team": "shop"}, text="one"), "other")
        async with asyncio.timeout(5):
            while len(rig.cursors) < 2 or not last(rig, store):
                await asyncio.sleep(0.01)
    assert [name for _, name in told(rig)] == expected


def last(rig: Rig, store: LocalObjects) -> bool:
    """Whether the newest selected change is behind us: nothing comes after it."""
    wanted = resource.wanted_of(rig.source.cfg)
    view = View(wanted)
    view.restore(rig.cursors[-1])
    known = set(view._held)
    there = {
        f"default/{obj['metadata']['name']}"
        for key, obj in store._objects.items()
        if key[2] == "default" and wanted.labels.met(obj["metadata"].get("labels") or {})
    }
    return known == there


@pytest.mark.parametrize("types", [["ADD"], ["UPDATE"], ["DELETE"], ["DELETE", "ADD"]])
async def test_only_the_wanted_changes(store: LocalObjects, types: list[str]):
    async with rigged(objects=store) as rig:
        await rig.start("resource", {**config(), "eventTypes": types})
        await store.create(settings(), "default")
        await store.patch(REF, {"data": {"a": "1"}})
        await store.delete(REF)
        await rig.until(len(types))
    assert {kind for kind, _ in told(rig)} == set(types)


async def test_after_start_leaves_out_what_was_there(store: LocalObjects):
    async with rigged(objects=store, now_ns=lambda: 4_000_000_000_000_000_000) as rig:
        await store.create(settings("old"), "default")
        await rig.start("resource", config(afterStart=True))
        await store.create(settings("new"), "default")
        await store.patch(REF._replace(name="old"), {"data": {"a": "1"}})
        await rig.until(2)
    assert told(rig) == [("ADD", "new"), ("UPDATE", "old")]


def test_a_regular_expression_that_is_none_is_told_at_load():
    with pytest.raises(ValidationError, match=r"fields.0.value: not a regular expression"):
        resource.ResourceConfig.model_validate(config(fields=[{"key": "a", "value": "("}]))


async def test_a_large_place_is_stored_now_and_then(store: LocalObjects, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(resource, "SMALL", 10)
    monkeypatch.setattr(resource, "RATE", 1)
    async with rigged(objects=store) as rig:
        await rig.start("resource", config())
        for number in range(5):
            await store.create(settings(f"x{number}"), "default")
            await rig.until(number + 1)
        assert len(rig.cursors) == 1
        ids = [payload.id for payload in rig.emitted]
        await rig.stop()
        await rig.start("resource", config())
        await rig.until(10)
    assert sorted(payload.id for payload in rig.emitted[5:]) == sorted(ids)


class Forgetful(LocalObjects):
    """Ends the watch once, as a server that does not keep the version any more."""

    forgets = False

    async def follow(self, wanted: Wanted, version: str) -> AsyncIterator[Change]:
        if self.forgets:
            self.forgets = False
            raise Expired("too old resource version")
        async for change in super().follow(wanted, version):
            yield change
            if self.forgets:
                return


async def test_what_a_broken_watch_missed_is_made_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(resource, "PAUSE", 0.0)
    store = Forgetful(tmp_path / "objects.db")
    await store.open()
    async with rigged(objects=store) as rig:
        await store.create(settings("changed"), "default")
        await store.create(settings("gone", kept="body"), "default")
        await rig.start("resource", config())
        await rig.until(2)
        store.forgets = True
        await asyncio.gather(  # all before the watch sees any of it
            store.delete(REF._replace(name="gone")), store.create(settings("new"), "default"),
            store.patch(REF._replace(name="changed"), {"data": {"n": "2"}}),
        )  # fmt: skip
        await rig.until(5)
        await store.create(settings("later"), "default")
        await rig.until(6)
    await store.aclose()
    assert sorted(told(rig)[2:5]) == [("ADD", "new"), ("DELETE", "gone"), ("UPDATE", "changed")]
    assert told(rig)[5:] == [("ADD", "later")]
    [gone] = [one for one in rig.data if one["type"] == "DELETE"]
    assert gone["body"]["data"] == {"kept": "body"}


# a real API server


@asynccontextmanager
async def objects_of(kube: Kube, user: str = "admin") -> AsyncIterator[RemoteObjects]:
    client = Client(partial(from_kubeconfig, user, str(kube.kubeconfig)))
    try:
        yield RemoteObjects(client)
    finally:
        await client.aclose()


@pytest.mark.servers("kubernetes")
async def test_what_happened_while_the_source_was_down(kube_server: Kube, kube_namespace: str):
    raw = {**config(), "namespace": kube_namespace}
    async with objects_of(kube_server) as objects, rigged(objects=objects) as rig:
        for name in ("changed", "gone", "same"):
            await objects.create(settings(name, n="1"), kube_namespace)
        await rig.start("resource", raw)
        await rig.until(3)
        await rig.stop()
        ref = REF._replace(namespace=kube_namespace)
        for number in ("2", "3"):
            await objects.patch(ref._replace(name="changed"), {"data": {"n": number}})
        await objects.delete(ref._replace(name="gone"))
        await objects.create(settings("new"), kube_namespace)
        await rig.start("resource", raw)
        await rig.until(7)
    assert told(rig)[3:] == [("UPDATE", "changed"), ("UPDATE", "changed"), ("DELETE", "gone"), ("ADD", "new")]
    assert [one["oldBody"]["data"]["n"] for one in rig.data[3:5]] == ["1", "2"]


@pytest.mark.servers("kubernetes")
async def test_what_happened_while_the_server_forgot(own: Own):
    kube = await asyncio.to_thread(own, Kube())
    async with objects_of(kube) as objects, rigged(objects=objects) as rig:
        for name in ("changed", "gone", "same"):
            await objects.create(settings(name), "default")
        await rig.start("resource", config())
        await rig.until(3)
        await rig.stop()
        await objects.patch(REF._replace(name="changed"), {"data": {"n": "2"}})
        await objects.delete(REF._replace(name="gone"))
        await objects.create(settings("new"), "default")
        await asyncio.to_thread(kube.etcd.compact)
        await asyncio.to_thread(kube.restart)
        await rig.start("resource", config(), supervised=True)
        await rig.until(6, 20)
    assert sorted(told(rig)[3:]) == [("ADD", "new"), ("DELETE", "gone"), ("UPDATE", "changed")]
    [update] = [one for one in rig.data if one["type"] == "UPDATE"]
    assert update["oldBody"] is None


@pytest.mark.servers("kubernetes")
@pytest.mark.parametrize("ahead", [False, True], ids=["that-is-there-too", "not-reached-yet"])
async def test_a_place_of_a_server_that_was_set_up_anew(kube_server: Kube, kube_namespace: str, ahead: bool):
    """What the cursor knows was in the server before it."""
    raw = {**config(), "namespace": kube_namespace}
    wanted = resource.wanted_of(resource.ResourceConfig.model_validate(raw))
    async with objects_of(kube_server) as objects, rigged(objects=objects) as rig:
        await objects.create(settings("new"), kube_namespace)
        version = int((await objects.read(wanted)).version) + ahead * 1_000_000
        before, old = View(wanted), settings("old")
        old["metadata"] |= {"namespace": kube_namespace, "uid": "u", "resourceVersion": "7"}
        before.fill(Listed([old], str(version)))
        rig.cursors.append(before.cursor())
        await rig.start("resource", raw, supervised=True)
        await rig.until(2)
        assert sorted(told(rig)) == [("ADD", "new"), ("DELETE", "old")]
        await objects.patch(REF._replace(namespace=kube_namespace, name="new"), {"data": {"n": "2"}})
        await rig.until(3)
        assert told(rig)[2] == ("UPDATE", "new")
        assert rig.failures == []


class Interrupted(LocalObjects):
    """Forgets the version of a list while it is read, twice."""

    times = 0

    async def read(self, wanted: Wanted, at: str | None = None) -> Listed:
        self.times += 1
        if self.times <= 2:
            raise Expired("The provided continue parameter is too old")
        return await super().read(wanted, at)


async def test_a_list_that_took_too_long_is_read_again(tmp_path: Path):
    store = Interrupted(tmp_path / "objects.db")
    await store.open()
    async with rigged(objects=store) as rig:
        await store.create(settings(), "default")
        await rig.start("resource", config(), supervised=True)
        await rig.until(1)
        assert {type(error) for error in rig.failures} == {Retryable}
    await store.aclose()


@pytest.mark.servers("kubernetes")
@pytest.mark.parametrize(
    ("given", "user", "said"),
    [
        (
            {},
            "viewer",
            r'User "viewer" cannot list resource "configmaps".*has to get, list and watch configmaps in',
        ),
        ({"resource": "nothings"}, "admin", "there are no nothings in .*CustomResourceDefinition installed"),
        ({"group": "nowhere.io"}, "admin", "there are no configmaps.nowhere.io in"),
    ],
)
async def test_what_cannot_be_watched(
    kube_server: Kube, kube_namespace: str, given: dict[str, Any], user: str, said: str
):
    async with objects_of(kube_server, user) as objects, rigged(objects=objects) as rig:
        with pytest.raises(Retryable, match=said) as caught:
            await rig.start("resource", {**config(), "namespace": kube_namespace, **given})
    assert kube_server.url in str(caught.value)


@pytest.mark.servers("kubernetes")
async def test_a_server_that_is_away_and_a_token_that_is_wrong(kube_server: Kube):
    good = await from_kubeconfig("admin", str(kube_server.kubeconfig))
    port = free_port()
    for login, said in (
        (good._replace(host=f"https://127.0.0.1:{port}"), f"127.0.0.1:{port} cannot be reached"),
        (good._replace(authorization="Bearer wrong-token"), "log in again or renew the token"),
    ):

        async def log_in(login: Login = login) -> Login:
            return login

        client = Client(log_in)
        async with rigged(objects=RemoteObjects(client)) as rig:
            with pytest.raises(Retryable, match=said) as caught:
                await rig.start("resource", config())
        await client.aclose()
        assert "wrong-token" not in str(caught.value)


@pytest.mark.servers("kubernetes")
async def test_cluster_scoped_objects(kube_server: Kube, kube_namespace: str):
    raw = {
        "version": "v1",
        "resource": "namespaces",
        "eventTypes": ["ADD"],
        "filter": {"prefix": kube_namespace},
    }
    async with objects_of(kube_server) as objects, rigged(objects=objects) as rig:
        await rig.start("resource", raw)
        await rig.until(1)
    assert told(rig) == [("ADD", kube_namespace)]

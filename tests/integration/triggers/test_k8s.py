"""k8s: operations on the local object store."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from events.errors import EvaluationError, ExpressionError, Permanent, Retryable
from events.kube._base import Conflict, Invalid, NotFound, Object, Ref
from events.testing.triggers import Rig, compiled, firing_of, parameter, rendered, rigged

MAP = {"apiVersion": "v1", "kind": "ConfigMap"}
REF = Ref("v1", "ConfigMap", "default", "settings")
LABELS = {
    "events.argoproj.io/sensor": "sens",
    "events.argoproj.io/trigger": "trig",
    "events.argoproj.io/action-timestamp": "1700000000000",
}


def config(operation: str = "", meta: Any = None, **given: Any) -> dict[str, Any]:
    """A trigger for the ConfigMap `settings`; `given` are members of the object and fields of the trigger."""
    fields = {
        name: given.pop(name)
        for name in ("parameters", "patchStrategy", "liveObject", "impersonate")
        if name in given
    }
    obj = {**MAP, "metadata": {"name": "settings"} if meta is None else meta, **given}
    return {"operation": operation, "source": {"resource": obj}, **fields}


async def put(rig: Rig, **given: Any) -> Object:
    return await rig.objects.create({**MAP, "metadata": {"name": "settings"}, **given}, "default")


async def live(rig: Rig) -> Object:
    found = await rig.objects.get(REF)
    assert found is not None
    return found


# create


async def test_created_objects_carry_upstream_s_labels_and_the_firing():
    async with rigged() as rig:
        outcome = await rig.run("k8s", config(meta={"name": "settings", "labels": {"team": "shop"}}))
        meta = (await live(rig))["metadata"]
    assert meta["labels"] == {"team": "shop", **LABELS, "events-trigger/firing": firing_of().id}
    assert meta["namespace"] == "default"
    assert outcome.link == "ConfigMap/default/settings"
    assert outcome.object is not None


async def test_a_generated_name_is_the_same_whenever_the_firing_is_repeated():
    base = "g" * 60
    async with rigged() as rig:
        outcome = await rig.run("k8s", config(meta={"generateName": base}))
    assert outcome.object is not None
    assert outcome.object["metadata"]["name"] == "g" * 53 + firing_of().id[:10]


async def test_a_name_that_another_firing_has_taken_is_a_conflict():
    async with rigged() as rig:
        await rig.run("k8s", config(), event="e1")
        with pytest.raises(Conflict, match="ConfigMap/default/settings"):
            await rig.run("k8s", config(), event="e2")
        assert (await rig.run("k8s", config(), event="e1")).repeated


@pytest.mark.parametrize(("kind", "length"), [("CronJob", 52), ("ConfigMap", 63)])
async def test_a_long_generated_name_is_cut_to_what_the_kind_takes(kind: str, length: int):
    request = rendered(
        "k8s", {"source": {"resource": {**MAP, "kind": kind, "metadata": {"generateName": "c" * 60}}}}
    )
    assert len(request.object["metadata"]["name"]) == length
    assert request.object["metadata"]["name"].endswith(firing_of().id[:10])


async def test_a_conflict_without_an_object_of_that_name_passes(monkeypatch: pytest.MonkeyPatch):
    """Such as a quota that was counted by two at the same time."""

    async def create(obj: Object, namespace: str) -> Object:
        raise Conflict("Operation cannot be fulfilled on resourcequotas")

    async with rigged() as rig:
        monkeypatch.setattr(rig.objects, "create", create)
        with pytest.raises(Retryable, match="resourcequotas"):
            await rig.run("k8s", config())


def test_whom_to_be_has_to_fit_into_a_header():
    with pytest.raises(ExpressionError, match="impersonate"):
        compiled("k8s", config(impersonate={"user": "me", "groups": ["a\nb"]}))


async def test_attempts_at_once_make_one_object():
    async with rigged() as rig:
        outcomes = await asyncio.gather(
            *(rig.run("k8s", config(meta={"generateName": "x-"})) for _ in range(5))
        )
        assert sorted(outcome.repeated for outcome in outcomes) == [False, True, True, True, True]
        assert len(await rig.objects.find("configmap", None)) == 1


async def test_an_object_goes_to_the_namespace_it_names_and_cluster_kinds_to_none():
    async with rigged() as rig:
        await rig.run("k8s", config(meta={"name": "settings", "namespace": "shop"}))
        role = {
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole",
            "metadata": {"name": "system:x", "namespace": "shop"},
        }  # fmt: skip
        outcome = await rig.run("k8s", {"source": {"resource": role}})
        assert await rig.objects.get(REF._replace(namespace="shop"))
    assert outcome.link == "ClusterRole/system:x"


@pytest.mark.parametrize(
    "meta",
    [
        {"name": "Upper"}, {"name": "under_score"}, {"name": "x" * 254}, {"name": "-x"}, {},
        {"name": "x", "labels": {"a b": "c"}}, {"name": "x", "labels": {"a": "b c"}},
        {"name": "x", "labels": {"a": "b" * 64}}, {"name": "x", "labels": {"a": 7}},
        {"name": "x", "annotations": {"a/b/c": "x"}}, {"name": "x", "annotations": []},
        {"name": "x", "namespace": "Not-One"},
    ],
)  # fmt: skip
async def test_what_the_api_server_refuses_is_permanent(meta: dict[str, Any]):
    async with rigged() as rig:
        with pytest.raises(Invalid):
            await rig.run("k8s", config(meta=meta))


@pytest.mark.parametrize(
    "resource",
    [
        {"kind": "Pod"}, {"apiVersion": "v1"}, {"apiVersion": "v1", "kind": ["Pod"]},
        {**MAP, "metadata": "text"}, {**MAP, "metadata": {"labels": "text"}},
        {**MAP, "metadata": {"generateName": 7}}, {**MAP, "metadata": {"name": {}}},
    ],
)  # fmt: skip
def test_what_no_object_looks_like_is_an_evaluation_error(resource: dict[str, Any]):
    with pytest.raises(EvaluationError):
        rendered("k8s", {"source": {"resource": resource}})


# parameters and sources


def test_parameters_of_the_template_and_then_of_the_trigger():
    raw = config(data={"n": "0", "m": "0"}, parameters=[parameter("two", "data.n")])
    template = [
        parameter("one", "k8s.source.resource.data.n"),
        parameter("one", "k8s.source.resource.data.m"),
    ]
    assert rendered("k8s", raw, {"one": "1", "two": "2"}, template).object["data"] == {"n": "2", "m": "1"}


def test_parameters_of_the_template_reach_the_operation_too():
    template = [parameter("do", "k8s.operation"), parameter("name", "k8s.source.resource.metadata.name")]
    request = rendered("k8s", config(), {"do": "delete", "name": "other"}, template)
    assert (request.operation, request.object["metadata"]["name"]) == ("delete", "other")
    with pytest.raises(EvaluationError, match="unknown operation"):
        rendered("k8s", config(), {"do": "explode", "name": "x"}, template)


INLINE = """
apiVersion: v1
kind: ConfigMap
metadata: {name: settings, annotations: {when: 2024-01-01, big: "1e3"}}
data:
  on: yes
  m: 7
  8: eight
"""


def test_inline_yaml_is_read_as_kubernetes_reads_it():
    obj = rendered("k8s", {"source": {"inline": INLINE}}, {"n": "1"}, []).object
    assert obj["data"] == {"true": True, "m": 7, "8": "eight"}
    assert obj["metadata"]["annotations"] == {"when": "2024-01-01", "big": "1e3"}


def test_parameters_of_the_template_do_not_reach_into_inline_text():
    template = [parameter("n", "k8s.source.resource.data.m")]
    assert rendered("k8s", {"source": {"inline": INLINE}}, {"n": "1"}, template).object["data"]["m"] == 7
    own = {"source": {"inline": INLINE}, "parameters": [parameter("n", "data.m")]}
    assert rendered("k8s", own, {"n": "1"}).object["data"]["m"] == "1"


@pytest.mark.parametrize("text", ["[", "- 1", "text", "", "a: {", "&a [*a]"])
def test_inline_text_that_is_no_object_is_told_at_load(text: str):
    with pytest.raises(ExpressionError):
        compiled("k8s", {"source": {"inline": text}})


def test_bytes_that_are_no_utf8_are_replaced_as_go_does():
    raw = config(data={}, parameters=[parameter("inner", "data.x", useRawData=True)])
    assert rendered("k8s", raw, b'{"inner":{"t":"\xff"}}').object["data"]["x"] == {"t": "\ufffd"}


# update


async def test_update_lays_the_object_over_the_live_one():
    old = {"data": {"kept": "1", "gone": "1", "map": {"a": 1}, "list": [1, 2], "empty": {"a": 1}, "zero": 1}}
    new = {"data": {"gone": None, "map": {"b": 2}, "list": [3], "empty": {}, "zero": 0, "new": {"c": 3}}}
    async with rigged() as rig:
        before = await put(rig, **old)
        await rig.run("k8s", config("update", **new))
        after = await live(rig)
    assert after["data"] == {
        "kept": "1", "gone": None, "map": {"a": 1, "b": 2}, "list": [3], "empty": {"a": 1}, "zero": 0,
        "new": {"c": 3},
    }  # fmt: skip
    assert after["metadata"]["uid"] == before["metadata"]["uid"]
    assert int(after["metadata"]["resourceVersion"]) > int(before["metadata"]["resourceVersion"])
    assert "labels" not in after["metadata"], "an object that was there keeps its own labels"


@pytest.mark.parametrize("operation", ["update", "patch"])
async def test_what_is_not_there_is_created_and_found_again_by_the_same_firing(operation: str):
    async with rigged() as rig:
        for _ in range(2):
            await rig.run("k8s", config(operation, data={"n": "1"}))
        (made,) = await rig.objects.find(None, None)
    assert made["data"] == {"n": "1"}
    assert made["metadata"]["labels"]["events-trigger/firing"] == firing_of().id


async def test_an_update_that_somebody_else_overtook_is_done_again(monkeypatch: pytest.MonkeyPatch):
    async with rigged() as rig:
        await put(rig, data={"n": "0"})
        real, overtaken = rig.objects.update, iter([True, True, False])

        async def update(obj: Object) -> Object:
            if next(overtaken):
                await rig.objects.patch(REF, {"data": {"other": "1"}})
            return await real(obj)

        monkeypatch.setattr(rig.objects, "update", update)
        await rig.run("k8s", config("update", data={"n": "1"}))
        assert (await live(rig))["data"] == {"n": "1", "other": "1"}


async def test_an_update_that_is_overtaken_all_the_time_is_tried_later(monkeypatch: pytest.MonkeyPatch):
    async with rigged() as rig:
        await put(rig)

        async def update(obj: Object) -> Object:
            raise Conflict("changed")

        monkeypatch.setattr(rig.objects, "update", update)
        with pytest.raises(Retryable):
            await rig.run("k8s", config("update"))


async def test_updates_at_once_lose_nothing():
    async with rigged() as rig:
        await put(rig, data={})
        raws = [config("update", data={f"n{n}": "1"}) for n in range(4)]
        await asyncio.gather(*(rig.run("k8s", raw) for raw in raws))
        assert (await live(rig))["data"] == {f"n{n}": "1" for n in range(4)}


# liveObject


async def test_live_object_is_edited_where_it_is():
    raw = config("update", liveObject=True, parameters=[parameter("n", "data.n", operation="append")])
    async with rigged() as rig:
        await put(rig, data={"n": "1", "kept": "x"})
        await rig.run("k8s", raw, {"n": "2"})
        assert (await live(rig))["data"] == {"n": "12", "kept": "x"}


async def test_live_object_that_is_chosen_by_the_event():
    raw = config(
        "update", meta={"name": "placeholder"}, liveObject=True, parameters=[parameter("n", "data.n")]
    )
    template = [parameter("name", "k8s.source.resource.metadata.name")]
    async with rigged() as rig:
        await put(rig, data={"n": "1"})
        await rig.run("k8s", raw, {"n": "2", "name": "settings"}, template)
        assert (await live(rig))["data"] == {"n": "2"}


async def test_live_object_that_is_not_there():
    async with rigged() as rig:
        with pytest.raises(NotFound, match="liveObject"):
            await rig.run("k8s", config("update", liveObject=True))
        assert not await rig.objects.find(None, None)


# patch


@pytest.mark.parametrize(
    "strategy",
    [
        "",
        "application/merge-patch+json",
        "application/strategic-merge-patch+json",
        "application/apply-patch+yaml",
    ],
)
async def test_patch_with_the_object(strategy: str):
    async with rigged() as rig:
        await put(rig, data={"kept": "1", "gone": "1"})
        await rig.run("k8s", config("patch", patchStrategy=strategy, data={"gone": None, "new": "2"}))
        after = await live(rig)
    assert after["data"] == {"kept": "1", "new": "2"}
    assert "labels" not in after["metadata"]


async def test_json_patch_is_the_list_under_patch():
    patch = [{"op": "replace", "path": "/data/n", "value": "0"}]
    raw = config(
        "patch",
        patchStrategy="application/json-patch+json",
        patch=patch,
        parameters=[parameter("n", "patch.0.value")],
    )
    async with rigged() as rig:
        with pytest.raises(NotFound):
            await rig.run("k8s", raw, {"n": "5"})
        await put(rig, data={"n": "1"})
        await rig.run("k8s", raw, {"n": "5"})
        after = await live(rig)
    assert after["data"] == {"n": "5"}
    assert "patch" not in after


def test_json_patch_without_a_list():
    with pytest.raises(EvaluationError, match="under `patch`"):
        rendered("k8s", config("patch", patchStrategy="application/json-patch+json"))


def test_an_unknown_strategy_is_told_at_load():
    with pytest.raises(ExpressionError, match="patchStrategy"):
        compiled("k8s", config("patch", patchStrategy="application/json"))


async def test_a_patch_cannot_change_the_name():
    patch = [{"op": "replace", "path": "/metadata/name", "value": "other"}]
    async with rigged() as rig:
        await put(rig)
        with pytest.raises(Permanent, match="name"):
            await rig.run("k8s", config("patch", patchStrategy="application/json-patch+json", patch=patch))


# delete


async def test_delete_and_delete_again():
    async with rigged() as rig:
        await put(rig)
        assert "deleted" in (await rig.run("k8s", config("delete"))).detail
        assert await rig.objects.get(REF) is None
        outcome = await rig.run("k8s", config("delete"))
    assert outcome.detail == "ConfigMap/default/settings was not there"
    assert outcome.object is None


async def test_looking_again_at_what_was_made():
    async with rigged() as rig:
        outcome = await rig.run("k8s", config())
        await rig.objects.patch(REF, {"metadata": {"labels": {"done": "yes"}}})
        found = await rig.trigger("k8s").observe(outcome)
        assert found is not None
        assert found["metadata"]["labels"]["done"] == "yes"
        await rig.objects.delete(REF)
        assert await rig.trigger("k8s").observe(outcome) is None

"""The API server's client: the promises of all object stores, and what is its own."""

from __future__ import annotations

import asyncio
import time
import urllib.error
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any
from uuid import uuid4

import pytest

from events.errors import EventsError, Permanent, Retryable
from events.kube._base import (
    APPLY_PATCH,
    Account,
    Conflict,
    Expired,
    Forbidden,
    Invalid,
    NotFound,
    Ref,
    Wanted,
)
from events.kube.client import Client
from events.kube.login import Login, from_kubeconfig, in_cluster
from events.kube.remote import RemoteObjects
from events.testing.certificates import Authority
from events.testing.objects import CRD, ObjectsContract, settings, thing
from events.testing.proxy import Proxy
from events.testing.servers.argo import CRDS, established, served
from events.testing.servers.fixtures import Own
from events.testing.servers.kubernetes import Kube

pytestmark = pytest.mark.servers("kubernetes")


@pytest.fixture(scope="module")
def kube(kube_server: Kube) -> Kube:
    kube_server.ensure(CRDS, CRD)
    established(kube_server, CRD["metadata"]["name"])
    return kube_server


@asynccontextmanager
async def client_of(
    kube: Kube, user: str = "admin", port: int | None = None, **given: Any
) -> AsyncIterator[Client]:
    """`port`: of a proxy in front of the server."""

    async def log_in() -> Login:
        found = await from_kubeconfig(user, str(kube.kubeconfig))
        return found if port is None else found._replace(host=f"https://127.0.0.1:{port}")

    client = Client(log_in, **given)
    await client.open()
    try:
        yield client
    finally:
        await client.aclose()


@pytest.fixture
async def objects(kube: Kube) -> AsyncIterator[RemoteObjects]:
    async with client_of(kube) as client:
        yield RemoteObjects(client)


@pytest.fixture
def namespace(kube: Kube, kube_namespace: str) -> str:
    return kube_namespace


class TestContract(ObjectsContract):
    @pytest.fixture
    def other(self, kube: Kube) -> str:
        return kube.namespace(f"t-{uuid4().hex[:12]}")


# discovery


async def test_a_kind_is_found_after_its_definition_was_installed(
    objects: RemoteObjects, kube: Kube, namespace: str
):
    group = f"g{uuid4().hex[:8]}.example.com"
    late = {"apiVersion": f"{group}/v1", "kind": "Late", "metadata": {"name": "x"}}
    with pytest.raises(
        NotFound, match=f"knows no kind Late in {group}/v1: is its CustomResourceDefinition installed"
    ):
        await objects.create(late, namespace)
    names = {"plural": "latelies", "singular": "late", "kind": "Late", "listKind": "LateList"}
    spec = {**CRD["spec"], "group": group, "scope": "Cluster", "names": names}
    kube.ensure(CRDS, {**CRD, "metadata": {"name": f"latelies.{group}"}, "spec": spec})
    await asyncio.to_thread(established, kube, f"latelies.{group}")
    made = await objects.create(late, namespace)
    assert "namespace" not in made["metadata"]
    ref = Ref(f"{group}/v1", "Late", namespace, "x")
    assert await objects.get(ref) == made
    assert await objects.delete(ref)


async def test_a_kind_that_was_defined_anew_is_found_under_its_new_name(
    objects: RemoteObjects, kube: Kube, namespace: str
):
    group = f"g{uuid4().hex[:8]}.example.com"
    moved = {"apiVersion": f"{group}/v1", "kind": "Moved", "metadata": {"name": "x"}}
    for plural in ("ones", "others"):
        names = {"plural": plural, "singular": "moved", "kind": "Moved", "listKind": "MovedList"}
        spec = {**CRD["spec"], "group": group, "names": names}
        kube.ensure(CRDS, {**CRD, "metadata": {"name": f"{plural}.{group}"}, "spec": spec})
        await asyncio.to_thread(served, kube, spec)
        if plural == "others":
            with pytest.raises(Retryable, match="Moved is looked for again"):
                await objects.create(moved, namespace)
        await objects.create(moved, namespace)
        kube.call("DELETE", f"{CRDS}/{plural}.{group}")
        await asyncio.to_thread(gone, kube, f"/apis/{group}/v1/{plural}")


def gone(kube: Kube, path: str) -> None:
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        try:
            kube.call("GET", path)
        except urllib.error.HTTPError as exc:
            if exc.code == 404:
                return
        time.sleep(0.05)
    raise TimeoutError(f"{path} is still there")


async def test_objects_are_found_by_what_a_user_calls_their_kind(objects: RemoteObjects, namespace: str):
    await objects.create(thing("b"), namespace)
    await objects.create(thing("a"), namespace)
    for word in ("thing", "things", "Thing", "th"):
        assert {one["metadata"]["name"] for one in await objects.find(word, namespace)} == {"a", "b"}
    assert await objects.find("nothings", namespace) == []
    with pytest.raises(Invalid, match="ask for a kind"):
        await objects.find(None, namespace)


async def test_lists_of_built_in_kinds_say_what_their_items_are(objects: RemoteObjects, namespace: str):
    await objects.create(settings(), namespace)
    [found] = await objects.list("v1", "ConfigMap", namespace)
    assert (found["apiVersion"], found["kind"]) == ("v1", "ConfigMap")


async def test_long_lists_come_in_pages(
    objects: RemoteObjects, namespace: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("events.kube.remote.PAGE", 3)
    for number in range(8):
        await objects.create(thing(f"x{number}", labels={"n": str(number % 2)}), namespace)
    assert len(await objects.list("test.example.com/v1", "Thing", namespace)) == 8
    assert len(await objects.list("test.example.com/v1", "Thing", namespace, {"n": "1"})) == 4


# errors


async def test_what_a_user_may_not_is_forbidden_with_the_next_step(kube: Kube, namespace: str):
    async with client_of(kube, "viewer") as client:
        with pytest.raises(Forbidden) as caught:
            await RemoteObjects(client).create(settings(), namespace)
    said = str(caught.value)
    assert f"API server {kube.url}: " in said
    assert 'User "viewer" cannot create resource "configmaps"' in said
    assert "context viewer of" in said
    assert "RoleBinding" in said
    assert "view-token" not in said


async def test_a_token_that_is_not_accepted(kube: Kube, namespace: str):
    async def log_in() -> Login:
        good = await from_kubeconfig("admin", str(kube.kubeconfig))
        return good._replace(authorization="Bearer wrong-token")

    client = Client(log_in)
    with pytest.raises(Forbidden, match="log in again") as caught:
        await RemoteObjects(client).create(settings(), namespace)
    await client.aclose()
    assert "wrong-token" not in str(caught.value)


async def test_a_token_that_has_ended_is_read_again(kube: Kube, namespace: str):
    logins = 0

    async def log_in() -> Login:
        nonlocal logins
        logins += 1
        good = await from_kubeconfig("admin", str(kube.kubeconfig))
        return good if logins > 1 else good._replace(authorization="Bearer old")

    client = Client(log_in)
    objects = RemoteObjects(client)
    await asyncio.gather(*(objects.create(settings(f"x{number}"), namespace) for number in range(5)))
    await client.aclose()
    assert logins == 2


async def test_an_authority_that_was_renewed_is_read_again(kube: Kube, namespace: str, tmp_path: Any):
    (tmp_path / "token").write_text("admin-token")
    (tmp_path / "ca.crt").write_text(Authority().cert)
    host, _, port = kube.url.removeprefix("https://").partition(":")
    environ = {"KUBERNETES_SERVICE_HOST": host, "KUBERNETES_SERVICE_PORT": port}
    client = Client(partial(in_cluster, environ, tmp_path))
    with pytest.raises(Retryable, match="certificate"):
        await RemoteObjects(client).create(settings(), namespace)
    (tmp_path / "ca.crt").write_text(kube.ca.read_text())
    await RemoteObjects(client).create(settings(), namespace)
    await client.aclose()


async def test_the_server_s_reason_is_told(objects: RemoteObjects, namespace: str):
    with pytest.raises(Invalid, match=r"a lowercase RFC 1123 subdomain .*status 422"):
        await objects.create(settings("Upper"), namespace)
    with pytest.raises(NotFound, match='namespaces "nowhere" not found'):
        await objects.create(settings(), "nowhere")
    made = await objects.create(thing(), namespace)
    with pytest.raises(Invalid, match="415"):
        await objects.patch(
            Ref(made["apiVersion"], "Thing", namespace, "x"), {}, "application/strategic-merge-patch+json"
        )


async def test_no_name_never_becomes_all_objects(objects: RemoteObjects, namespace: str):
    await objects.create(settings(), namespace)
    with pytest.raises(Invalid, match="name is required"):
        await objects.delete(Ref("v1", "ConfigMap", namespace, ""))
    with pytest.raises(Invalid, match=r"may not be '\.\.'"):
        await objects.delete(Ref("v1", "ConfigMap", namespace, ".."))
    assert await objects.get(Ref("v1", "ConfigMap", namespace, "x y?limit=1#")) is None
    assert len(await objects.list("v1", "ConfigMap", namespace)) == 1


async def test_a_server_that_is_down_is_retryable_and_comes_back(kube: Kube, namespace: str):
    async with Proxy(kube.port) as proxy, client_of(kube, port=proxy.port) as client:
        objects = RemoteObjects(client)
        await objects.create(settings("a"), namespace)
        proxy.refuse()
        proxy.cut()
        with pytest.raises(Retryable, match=f"https://127.0.0.1:{proxy.port} cannot be reached"):
            await objects.create(settings("b"), namespace)
        await proxy.heal()
        await objects.create(settings("b"), namespace)


async def test_a_server_that_says_nothing_is_given_up(
    kube: Kube, namespace: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("events.kube.client.TIMEOUT", 0.5)
    async with Proxy(kube.port) as proxy, client_of(kube, port=proxy.port) as client:
        await RemoteObjects(client).create(settings("a"), namespace)
        proxy.black_hole()
        with pytest.raises(Retryable, match="did not answer in time"):
            await RemoteObjects(client).create(settings("b"), namespace)


# the rest


async def test_connections_are_used_again(kube: Kube, namespace: str):
    async with Proxy(kube.port) as proxy, client_of(kube, port=proxy.port) as client:
        objects = RemoteObjects(client)
        for number in range(5):
            await objects.create(settings(f"x{number}"), namespace)
        assert proxy.accepted == 1


async def test_a_pace_spaces_requests_out(kube: Kube, namespace: str):
    async with client_of(kube, per_second=50) as client:
        objects = RemoteObjects(client)
        await objects.create(settings(), namespace)
        clock = asyncio.get_running_loop().time
        began = clock()
        await asyncio.gather(*(objects.get(Ref("v1", "ConfigMap", namespace, "x")) for _ in range(10)))
        assert clock() - began >= 9 / 50


async def test_another_user_is_impersonated_with_his_rights(objects: RemoteObjects, namespace: str):
    nobody = objects.acting_as(Account("nobody", ("some-group",)))
    with pytest.raises(Forbidden, match='User "nobody" cannot create'):
        await nobody.create(settings(), namespace)
    rule = {"apiGroups": [""], "resources": ["configmaps"], "verbs": ["create"]}
    rbac = "rbac.authorization.k8s.io"
    role = {"apiVersion": f"{rbac}/v1", "kind": "Role", "metadata": {"name": "make"}, "rules": [rule]}
    binding = {
        "apiVersion": f"{rbac}/v1", "kind": "RoleBinding", "metadata": {"name": "make"},
        "roleRef": {"apiGroup": rbac, "kind": "Role", "name": "make"},
        "subjects": [{"apiGroup": rbac, "kind": "Group", "name": "some-group"}],
    }  # fmt: skip
    await objects.create(role, namespace)
    await objects.create(binding, namespace)
    async with asyncio.timeout(10):
        while True:
            try:
                await nobody.create(settings(), namespace)
                break
            except Forbidden:  # the authorizer learns of bindings through a watch
                await asyncio.sleep(0.05)


async def test_fields_that_others_own_are_taken_over_by_an_apply(objects: RemoteObjects, namespace: str):
    await objects.create(settings(a="1"), namespace)
    changed = await objects.patch(Ref("v1", "ConfigMap", namespace, "x"), settings(a="2"), APPLY_PATCH)
    assert changed["data"] == {"a": "2"}


async def test_an_object_under_deletion_is_there_until_its_finalizers_are_gone(
    objects: RemoteObjects, namespace: str
):
    held = thing()
    held["metadata"]["finalizers"] = ["test.example.com/held"]
    await objects.create(held, namespace)
    ref = Ref(held["apiVersion"], "Thing", namespace, "x")
    assert await objects.delete(ref)
    found = await objects.get(ref)
    assert found is not None
    assert found["metadata"]["deletionTimestamp"]
    await objects.patch(ref, {"metadata": {"finalizers": None}})
    assert await objects.get(ref) is None


async def test_following_a_kind_that_nobody_knows(objects: RemoteObjects, namespace: str):
    wanted = Wanted("test.example.com", "v1", "nothings", namespace)
    with pytest.raises(NotFound):
        await objects.read(wanted)
    with pytest.raises(NotFound):
        await anext(objects.follow(wanted, "1"))


async def test_versions_that_were_compacted_away_have_expired(own: Own):
    server = await asyncio.to_thread(own, Kube())
    wanted = Wanted("", "v1", "configmaps", "default")
    async with client_of(server) as client:
        objects = RemoteObjects(client)
        old = await objects.read(wanted)
        await objects.create(settings(), "default")
        assert (await objects.read(wanted, old.version)).objects == old.objects
        await asyncio.to_thread(server.etcd.compact)
        await asyncio.to_thread(server.restart)  # it forgets what it kept itself
        with pytest.raises(Expired):
            await objects.read(wanted, old.version)
        with pytest.raises(Expired):
            await anext(objects.follow(wanted, old.version))


# logging in


async def test_kubeconfigs_that_are_wrong(kube: Kube, tmp_path: Any):
    for context, file, said in (
        ("admin", tmp_path / "none", "there is no kubeconfig"),
        ("nobody", kube.kubeconfig, "context nobody"),
    ):
        with pytest.raises(Permanent, match=said):
            await from_kubeconfig(context, str(file))
    (tmp_path / "odd").write_text("clusters: 7\ncontexts: []\n")
    with pytest.raises(Permanent, match="odd"):
        await from_kubeconfig(None, str(tmp_path / "odd"))
    (tmp_path / "bad").write_text("a: [")
    with pytest.raises(Permanent, match="bad"):
        await from_kubeconfig(None, str(tmp_path / "bad"))


def with_plugin(kube: Kube, folder: Any, script: str) -> Client:
    """A client whose kubeconfig names a login plug-in: the script, which may use `$credential`."""
    import json

    plugin = folder / "plugin"
    credential = {
        "apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential",
        "status": {"token": "admin-token"},
    }  # fmt: skip
    plugin.write_text(f"#!/bin/sh\ncredential='{json.dumps(credential)}'\ncd {folder}\n{script}\n")
    plugin.chmod(0o755)
    config = json.loads(kube.kubeconfig.read_text())
    how = {"apiVersion": credential["apiVersion"], "command": str(plugin), "interactiveMode": "Never"}
    config["users"] = [{"name": "admin", "user": {"exec": how}}]
    file = folder / "config"
    file.write_text(json.dumps(config))
    return Client(partial(from_kubeconfig, "admin", str(file)))


async def test_a_login_plug_in_gives_the_token(kube: Kube, namespace: str, tmp_path: Any):
    client = with_plugin(kube, tmp_path, 'echo "$credential"')
    assert (await RemoteObjects(client).create(settings(), namespace))["metadata"]["name"] == "x"
    await client.aclose()


async def test_a_login_plug_in_that_fails_later_may_pass(kube: Kube, namespace: str, tmp_path: Any):
    """Its token ends while the service that it asks is away."""
    script = """
    test -e down && exit 1
    test -e first || { touch first; echo "$credential" | sed s/admin/old/; exit; }
    echo "$credential"
    """
    client = with_plugin(kube, tmp_path, script)
    objects = RemoteObjects(client)
    await client.open()
    (tmp_path / "down").touch()
    for _ in range(2):
        with pytest.raises(Retryable, match=r"logging in again failed: .*exec: process returned 1"):
            await objects.create(settings(), namespace)
    (tmp_path / "down").unlink()
    assert (await objects.create(settings(), namespace))["metadata"]["name"] == "x"
    (tmp_path / "config").unlink()
    client._login = (await client._known())._replace(authorization="Bearer old")
    with pytest.raises(Retryable, match="logging in again failed: there is no kubeconfig"):
        await objects.create(settings("y"), namespace)
    await client.aclose()


async def test_a_pod_logs_in_with_its_service_account(kube: Kube, namespace: str, tmp_path: Any):
    (tmp_path / "token").write_text("admin-token\n")
    (tmp_path / "ca.crt").write_text(kube.ca.read_text())
    environ = {"KUBERNETES_SERVICE_HOST": "127.0.0.1", "KUBERNETES_SERVICE_PORT": str(kube.port)}
    client = Client(partial(in_cluster, environ, tmp_path))
    await RemoteObjects(client).create(settings(), namespace)
    await client.aclose()
    with pytest.raises(Permanent, match="this is no pod"):
        await in_cluster({}, tmp_path)
    with pytest.raises(Permanent, match="holds no service account"):
        await in_cluster(environ, tmp_path / "none")


async def test_a_server_that_is_not_trusted(kube: Kube, tmp_path: Any):
    import json

    config = json.loads(kube.kubeconfig.read_text())
    del config["clusters"][0]["cluster"]["certificate-authority"]
    file = tmp_path / "config"
    file.write_text(json.dumps(config))
    client = Client(partial(from_kubeconfig, "admin", str(file)))
    with pytest.raises(EventsError, match="certificate"):
        await RemoteObjects(client).get(Ref("v1", "ConfigMap", "default", "x"))
    await client.aclose()


async def test_a_conflict_names_the_object(objects: RemoteObjects, namespace: str):
    await objects.create(settings(), namespace)
    with pytest.raises(Conflict, match='configmaps "x" already exists'):
        await objects.create(settings(), namespace)

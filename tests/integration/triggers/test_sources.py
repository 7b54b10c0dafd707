"""Documents that lie elsewhere: configmap, file, url, git, S3; parameters, and errors that name the place."""

from __future__ import annotations

import asyncio
import itertools
import os
import subprocess
import time
from base64 import b64decode
from collections.abc import AsyncIterator
from email.utils import formatdate
from pathlib import Path
from typing import Any

import asyncssh
import msgspec
import pytest
from aiohttp import web

from events.api.sensor import ArtifactLocation, Sensor
from events.clients import git as client
from events.clients.aws import Account, Clients
from events.clients.http import Sessions
from events.clients.secrets import Ref
from events.errors import EvaluationError, ExpressionError, Permanent, Retryable
from events.event import Outcome
from events.runtime.executor import Executor
from events.runtime.plans import compile_sensor
from events.testing.certificates import Authority
from events.testing.git import PASSWORD, USER, GitHTTP, commit, git, git_over_ssh, make_repository
from events.testing.servers.minio import Minio
from events.testing.triggers import (
    Rig,
    Target,
    compiled,
    dead_port,
    firing_of,
    parameter,
    rendered,
    rigged,
    serving,
)  # fmt: skip
from events.tools.trial.views import request_view, summary
from events.triggers import _documents

WORKFLOW = """
apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata:
  generateName: build-
spec:
  entrypoint: main
  arguments:
    parameters:
      - name: commit
        value: none
"""
DEST = "spec.arguments.parameters.0.value"


def trigger(**source: Any) -> dict[str, Any]:
    return {"operation": "submit", "source": source, "parameters": [parameter("commit", DEST)]}


async def submit(rig: Rig, source: dict[str, Any], kind: str = "argoWorkflow", **more: Any) -> Outcome:
    return await rig.run(kind, {**trigger(**source), **more}, {"commit": "abc123"})


async def commit_of(rig: Rig, source: dict[str, Any]) -> tuple[str, str]:
    """What the Workflow's parameter became, and the end of its name."""
    outcome = await submit(rig, source)
    assert outcome.object is not None
    (found,) = outcome.object["spec"]["arguments"]["parameters"]
    return found["value"], outcome.object["metadata"]["name"]


async def refused(rig: Rig, source: dict[str, Any], kind: type[Exception] = Permanent) -> str:
    with pytest.raises(kind) as caught:
        await submit(rig, source)
    return str(caught.value)


# the seam


async def test_rendering_fetches_nothing_and_shows_source_and_values():
    request = rendered("argoWorkflow", trigger(file={"path": "/nowhere"}), {"commit": "abc123"})
    view = request_view(request)
    assert view["fetch"] == {"file": {"path": "/nowhere"}}
    assert [(edit["dest"], edit["text"]) for edit in view["edits"]] == [(DEST, "abc123")]
    assert view["config"] == {"operation": "submit"}
    assert summary(request) == "submit from source file"


async def test_a_config_map():
    source = {"configmap": {"name": "workflows", "key": "build.yaml"}}
    async with rigged({"configmap:workflows/build.yaml": WORKFLOW}) as rig:
        firing = firing_of({"commit": "abc123"})
        assert await commit_of(rig, source) == ("abc123", f"build-{firing.id[:10]}")
        again = await submit(rig, source)
        assert again.repeated
        missing = await refused(rig, {"configmap": {"name": "workflows", "key": "gone"}})
        assert missing.startswith("no configmap 'workflows', key 'gone'")


async def test_a_parked_request_fetches_when_it_is_sent(tmp_path: Path):
    (tmp_path / "build.yaml").write_text(WORKFLOW)
    template = {"name": "trig", "argoWorkflow": trigger(file={"path": str(tmp_path / "build.yaml")})}
    spec = {
        "dependencies": [{"name": "dep", "eventSourceName": "src", "eventName": "ev"}],
        "triggers": [{"template": template}],
    }
    sensor = {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Sensor",
        "metadata": {"name": "sens"},
        "spec": spec,
    }
    plan = compile_sensor(Sensor.model_validate(sensor)).triggers[0]
    firing = firing_of({"commit": "abc123"})
    parked = msgspec.msgpack.encode(plan.render(firing))
    async with rigged() as rig:
        executor = Executor(lambda _: rig.context())
        request = executor.read_request(plan.kind, parked)
        outcome = await executor.fire("default", plan, request, firing.id)
        assert outcome.object is not None
        assert outcome.object["metadata"]["labels"]["events-trigger/firing"] == firing.id
        assert outcome.object["metadata"]["labels"]["events.argoproj.io/sensor"] == "sens"
        assert outcome.object["spec"]["arguments"]["parameters"] == [{"name": "commit", "value": "abc123"}]


async def test_a_file_is_read_at_each_firing(tmp_path: Path):
    path = tmp_path / "build.yaml"
    source = {"file": {"path": str(path)}}
    async with rigged() as rig:
        assert await refused(rig, source) == f"source file {path}: there is no such file on this machine"
        path.write_text(WORKFLOW)
        assert (await commit_of(rig, source))[0] == "abc123"
        path.write_text(WORKFLOW.replace("entrypoint: main", "entrypoint: other"))
        outcome = await rig.run("argoWorkflow", trigger(**source), {"commit": "x"}, event="e2")
        assert outcome.object is not None
        assert outcome.object["spec"]["entrypoint"] == "other"
        path.write_text("just text")
        assert await refused(rig, source) == "source file: the document is not an object in YAML"
        assert "Is a directory" in await refused(rig, {"file": {"path": str(tmp_path)}})


async def test_what_is_no_file_is_refused_and_not_waited_for(tmp_path: Path):
    """Opening a pipe would wait for somebody to write, and hold a thread that all share."""
    os.mkfifo(tmp_path / "pipe")
    async with rigged() as rig:
        for path in (tmp_path / "pipe", Path("/dev/zero")):
            assert "is no file" in await refused(rig, {"file": {"path": str(path)}})


async def test_parameters_of_the_template_may_choose_the_document(tmp_path: Path):
    (tmp_path / "dev.yaml").write_text(WORKFLOW)
    raw = {"operation": "submit", "source": {"file": {"path": str(tmp_path)}}}
    chosen = parameter("file", "argoWorkflow.source.file.path", operation="append")
    async with rigged() as rig:
        outcome = await rig.run("argoWorkflow", raw, {"file": "/dev.yaml"}, [chosen])
        assert outcome.object is not None
        assert outcome.object["spec"]["entrypoint"] == "main"


async def test_a_template_that_asks_for_too_much_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(_documents, "LIMIT", 100)
    (tmp_path / "big.yaml").write_text(WORKFLOW)
    async with rigged({"configmap:c/k": WORKFLOW}) as rig:
        for source in (
            {"file": {"path": str(tmp_path / "big.yaml")}},
            {"configmap": {"name": "c", "key": "k"}},
        ):
            assert "larger than the 100 bytes that are taken" in await refused(rig, source)


async def test_k8s_creates_updates_and_edits_live_objects_from_a_file(tmp_path: Path):
    path = tmp_path / "map.yaml"
    path.write_text("{apiVersion: v1, kind: ConfigMap, metadata: {name: seen}, data: {a: first}}")
    raw = {"source": {"file": {"path": str(path)}}, "parameters": [parameter("commit", "data.commit")]}
    async with rigged() as rig:
        made = await rig.run("k8s", raw, {"commit": "1"})
        assert made.object is not None
        assert made.object["data"] == {"a": "first", "commit": "1"}
        path.write_text("{apiVersion: v1, kind: ConfigMap, metadata: {name: seen}, data: {a: second}}")
        changed = await rig.run("k8s", {**raw, "operation": "update"}, {"commit": "2"}, event="e2")
        assert changed.object is not None
        assert changed.object["data"] == {"a": "second", "commit": "2"}
        live = {**raw, "operation": "update", "liveObject": True}
        live["parameters"] = [parameter("commit", "data.commit", operation="append")]
        edited = await rig.run("k8s", live, {"commit": "3"}, event="e3")
        assert edited.object is not None
        assert edited.object["data"] == {"a": "second", "commit": "23"}
        deleted = await rig.run("k8s", {**raw, "operation": "delete"}, {"commit": "4"}, event="e4")
        assert "deleted" in deleted.detail


async def test_every_operation_on_workflows_takes_a_document_from_elsewhere(tmp_path: Path):
    named = WORKFLOW.replace("generateName: build-", "name: build")
    (tmp_path / "build.yaml").write_text(named)
    (tmp_path / "template.yaml").write_text(
        "{apiVersion: argoproj.io/v1alpha1, kind: WorkflowTemplate, metadata: {name: shared}, spec: {}}"
    )
    async with rigged() as rig:

        async def operate(operation: str, name: str, event: str) -> Any:
            raw = {"operation": operation, "source": {"file": {"path": str(tmp_path / name)}}}
            outcome = await rig.run("argoWorkflow", raw, {}, event=event)
            assert outcome.object is not None
            return outcome.object

        await operate("submit", "build.yaml", "e1")
        assert (await operate("suspend", "build.yaml", "e2"))["spec"]["suspend"] is True
        assert (await operate("stop", "build.yaml", "e3"))["spec"]["shutdown"] == "Stop"
        await rig.run("k8s", {"source": {"file": {"path": str(tmp_path / "template.yaml")}}})
        made = await operate("submit-from", "template.yaml", "e4")
        assert made["spec"]["workflowTemplateRef"] == {"name": "shared"}


async def test_parameters_that_do_not_fit_are_told(tmp_path: Path):
    (tmp_path / "x.yaml").write_text(WORKFLOW)
    raw = {"source": {"file": {"path": str(tmp_path / "x.yaml")}}, "parameters": [parameter("kind", "kind")]}
    async with rigged() as rig:
        with pytest.raises(EvaluationError, match="no apiVersion and kind"):
            await rig.run("k8s", raw, {"kind": ""})


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        ({"source": {"file": {}}}, "names no path"),
        ({"source": {"url": {"path": "ftp://x/y"}}}, "cannot be called"),
        ({"source": {"git": {"url": "/x", "filePath": "../secret"}}}, "filePath may hold neither"),
        ({"source": {"git": {"url": "/x", "filePath": "a", "cloneDirectory": "/a/../b"}}}, "cloneDirectory"),
        (
            {"source": {"git": {"url": "/x", "filePath": "a", "ref": "--upload-pack=id"}}},
            "not the name of a ref",
        ),
        (
            {"source": {"git": {"url": "/x", "filePath": "a", "branch": "a:refs/heads/b"}}},
            "not the name of a ref",
        ),
        ({"source": {}}, "names nothing"),
        ({"source": {"file": {"path": "/x"}}, "args": ["--nope"]}, "can be given"),
    ],
)
def test_what_can_never_work_is_told_at_load(raw: dict[str, Any], said: str):
    with pytest.raises(ExpressionError, match=said):
        compiled("argoWorkflow", {"operation": "submit", **raw})


# url


async def test_a_url():
    target = Target()
    async with rigged() as rig, serving(target.handle) as url:
        target.answers = [web.Response(text=WORKFLOW), web.Response(text=WORKFLOW)]
        assert (await commit_of(rig, {"url": {"path": f"{url}/build.yaml?token=hidden"}}))[0] == "abc123"
        assert target.seen[0].method == "GET"
        assert target.seen[0].path == "/build.yaml?token=hidden"


@pytest.mark.parametrize(
    ("status", "kind"), [(404, Permanent), (403, Permanent), (503, Retryable), (429, Retryable)]
)
async def test_a_url_that_answers_something_else(status: int, kind: type[Exception]):
    target = Target()
    async with rigged() as rig, serving(target.handle) as url:
        target.answers = [web.Response(status=status, headers={"Retry-After": "7"})]
        source = {"url": {"path": f"{url}/build.yaml?token=hidden"}}
        text = await refused(rig, source, kind)
        assert text == f"source url {url}/build.yaml: answered {status} instead of 200"


async def test_a_url_that_asks_to_wait_until_a_time():
    target = Target()
    at = formatdate(time.time() + 60, usegmt=True)
    async with rigged() as rig, serving(target.handle) as url:
        target.answers = [web.Response(status=503, headers={"Retry-After": at})]
        with pytest.raises(Retryable) as caught:
            await rig.run("k8s", {"source": {"url": {"path": url}}})
        assert caught.value.after is not None
        assert 50 < caught.value.after < 70


async def test_a_url_that_is_away_or_too_large(monkeypatch: pytest.MonkeyPatch):
    target = Target()
    async with rigged() as rig:
        with dead_port() as port:
            url = {"url": {"path": f"http://127.0.0.1:{port}/x"}}
            assert f"http://127.0.0.1:{port}/x" in await refused(rig, url, Retryable)
        monkeypatch.setattr(_documents, "LIMIT", 100)
        async with serving(target.handle) as base:
            target.answers = [web.Response(text="x" * 101)]
            assert "larger than the 100 bytes" in await refused(rig, {"url": {"path": base}})


async def test_certificates_of_a_url_are_verified_unless_switched_off(tmp_path: Path):
    authority = Authority()
    target = Target()
    async with rigged() as rig, serving(target.handle, authority.server_context(tmp_path)) as url:
        target.answers = [web.Response(text=WORKFLOW)]
        for checked in ({}, {"verifyCert": True}):
            assert "TLS" in await refused(rig, {"url": {"path": url, **checked}})
        assert (await commit_of(rig, {"url": {"path": url, "verifyCert": False}}))[0] == "abc123"


async def test_the_guard_holds_for_a_url():
    async with rigged() as rig, serving(Target().handle) as url:
        rig.documents._sessions = guarded = Sessions("strict")
        assert "is not a public address" in await refused(rig, {"url": {"path": url}})
        await guarded.aclose()


# git


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    made = make_repository(tmp_path / "shop", {"ci/build.yaml": WORKFLOW})
    git(made, "tag", "v1")
    git(made, "checkout", "--quiet", "-b", "dev")
    commit(made, {"ci/build.yaml": WORKFLOW.replace("main", "dev"), "large.yaml": "x" * 1000})
    git(made, "update-ref", "refs/pull/7/head", "HEAD")
    git(made, "checkout", "--quiet", "main")
    (made / "link.yaml").symlink_to("/etc/passwd")
    git(made, "add", "--all")
    git(made, "commit", "--quiet", "--message", "a link")
    return made


def of(url: object, **more: Any) -> dict[str, Any]:
    return {"git": {"url": str(url), "filePath": "ci/build.yaml", **more}}


async def entrypoint(rig: Rig, source: dict[str, Any]) -> str:
    """`main` or `dev`: which version of the document it is."""
    document = await rig.documents.read(ArtifactLocation.model_validate(source))
    return "dev" if b"entrypoint: dev" in document else "main"


@pytest.mark.parametrize("shape", ["{}", "file://{}"])
async def test_branch_tag_and_ref_of_a_local_repository(repository: Path, shape: str):
    url = shape.format(repository)
    async with rigged() as rig:
        assert (await commit_of(rig, of(url, branch="main")))[0] == "abc123"
        assert await entrypoint(rig, of(url, branch="dev")) == "dev"
        assert await entrypoint(rig, of(url, branch="dev", tag="v1")) == "main"
        assert await entrypoint(rig, of(url, branch="main", tag="v1", ref="refs/pull/7/head")) == "dev"
        assert (
            await entrypoint(rig, of("/nowhere", branch="dev", remote={"name": "x", "urls": [url]})) == "dev"
        )


async def test_a_clone_directory_is_kept_and_brought_up_to_date(repository: Path, tmp_path: Path):
    folder = tmp_path / "clones" / "shop"
    async with rigged() as rig:
        source = of(repository, branch="main", cloneDirectory=str(folder))
        assert await entrypoint(rig, source) == "main"
        assert git(folder, "rev-parse", "FETCH_HEAD") == git(repository, "rev-parse", "main")
        commit(repository, {"ci/build.yaml": WORKFLOW.replace("main", "dev")})
        found = await asyncio.gather(*(entrypoint(rig, source) for _ in range(3)))
        assert found == ["dev"] * 3


async def test_a_clone_that_is_there_keeps_its_working_tree(repository: Path, tmp_path: Path):
    git(tmp_path, "clone", "--quiet", str(repository), "mine")
    (tmp_path / "mine" / "ci" / "build.yaml").write_text("work in progress")
    async with rigged() as rig:
        source = of(repository, branch="dev", cloneDirectory=str(tmp_path / "mine"))
        assert await entrypoint(rig, source) == "dev"
    assert (tmp_path / "mine" / "ci" / "build.yaml").read_text() == "work in progress"


async def test_nothing_is_left_behind(repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temp"))
    (tmp_path / "temp").mkdir()
    async with rigged() as rig:
        await entrypoint(rig, of(repository, branch="main"))
        await refused(rig, of(repository, branch="gone"))
    assert list((tmp_path / "temp").glob("events-git-*")) == []


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({}, "couldn't find remote ref refs/heads/master"),
        ({"branch": "gone"}, "couldn't find remote ref refs/heads/gone"),
        ({"branch": "main", "filePath": "gone.yaml"}, "there is no file gone.yaml: correct filePath"),
        ({"branch": "main", "filePath": "link.yaml"}, "link.yaml is a link"),
        ({"branch": "main", "filePath": "ci"}, "ci is a folder"),
    ],
)
async def test_what_is_missing_in_a_repository(repository: Path, more: dict[str, Any], said: str):
    async with rigged() as rig:
        text = await refused(rig, of(repository, **more))
        assert said in text
        assert text.startswith(f"git {repository}, refs/heads/")


async def test_a_repository_that_is_missing_or_too_large(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    async with rigged() as rig:
        assert "does not appear to be a git repository" in await refused(rig, of(tmp_path / "gone"))
        monkeypatch.setattr(_documents, "LIMIT", 999)
        source = of(repository, branch="dev", filePath="large.yaml")
        assert "large.yaml has 1000 bytes, 999 are taken" in await refused(rig, source)


CREDS = {"username": {"name": "git", "key": "user"}, "password": {"name": "git", "key": "password"}}


async def test_over_http_with_a_login(repository: Path, caplog: pytest.LogCaptureFixture):
    server = GitHTTP(repository.parent)
    secrets = {"git/user": USER, "git/password": PASSWORD}
    async with rigged(secrets) as rig, serving(server.handle) as url:
        assert await entrypoint(rig, of(f"{url}/shop/.git", branch="dev", creds=CREDS)) == "dev"
        assert [login for _, login in server.asked] == [False, *[True] * (len(server.asked) - 1)]
        wrong = f"{url.replace('//', '//deploy:wrong-password@')}/shop/.git"
        text = await refused(rig, of(wrong, branch="dev"))
        assert "Authentication failed" in text
        assert "check url, branch, tag, ref and the login" in text
        assert "wrong-password" not in text
        assert PASSWORD not in text + caplog.text


async def test_over_http_without_a_login_does_not_ask_anybody(repository: Path):
    async with rigged() as rig, serving(GitHTTP(repository.parent).handle) as url:
        text = await refused(rig, of(f"{url}/shop/.git", branch="dev"))
        assert "could not read Username" in text


async def test_as_an_app_of_github(repository: Path):
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import rsa

    key = rsa.generate_private_key(65537, 2048)
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    backend = GitHTTP(repository.parent, "installation-token")
    seen: list[str] = []

    async def handle(request: web.BaseRequest) -> web.StreamResponse:
        if not request.path.startswith("/api/"):
            login = request.headers.get("Authorization", "")
            if login:
                seen.append(b64decode(login.removeprefix("Basic ")).decode())
                return await backend._backend(request)
            return web.Response(status=401, headers={"WWW-Authenticate": 'Basic realm="git"'})
        assert request.path == "/api/v3/app/installations/9/access_tokens"
        assert request.headers["Authorization"].startswith("Bearer ")
        return web.json_response({"token": "installation-token"}, status=201)

    app = {"appID": 7, "installationID": 9, "privateKey": {"name": "app", "key": "pem"}}
    async with rigged({"app/pem": pem.decode()}) as rig, serving(handle) as url:
        source = of(f"{url}/shop/.git", branch="dev", githubApp=app)
        assert await entrypoint(rig, source) == "dev"
        assert set(seen) == {"x-access-token:installation-token"}


async def test_redirects_are_not_followed(repository: Path):
    other = Target()

    async def away(request: web.BaseRequest) -> web.StreamResponse:
        return web.Response(status=302, headers={"Location": f"{elsewhere}{request.path}"})

    async with rigged() as rig, serving(other.handle) as elsewhere, serving(away) as url:
        text = await refused(rig, of(f"{url}/shop/.git", branch="dev"))
        assert "returned error: 302: check url" in text
        assert other.seen == []


@pytest.fixture
async def ssh(repository: Path) -> AsyncIterator[tuple[asyncssh.SSHKey, int]]:
    key = asyncssh.generate_private_key("ssh-ed25519")
    async with git_over_ssh(repository.parent, key) as port:
        yield key, port


async def test_over_ssh_with_a_key(ssh: tuple[asyncssh.SSHKey, int]):
    key, port = ssh
    secrets = {"ssh/key": key.export_private_key().decode()}
    source = of(
        f"ssh://127.0.0.1:{port}/shop", branch="dev", sshKeySecret={"name": "ssh", "key": "key"},
        insecureIgnoreHostKey=True,
    )  # fmt: skip
    async with rigged(secrets) as rig:
        assert await entrypoint(rig, source) == "dev"


async def test_over_ssh_hosts_are_checked_and_keys_needed(ssh: tuple[asyncssh.SSHKey, int]):
    key, port = ssh
    other = asyncssh.generate_private_key("ssh-ed25519")
    secrets = {"ssh/key": key.export_private_key().decode(), "ssh/other": other.export_private_key().decode()}
    url = f"ssh://127.0.0.1:{port}/shop"
    async with rigged(secrets) as rig:
        unknown = await refused(rig, of(url, branch="dev", sshKeySecret={"name": "ssh", "key": "key"}))
        assert "Host key verification failed" in unknown
        wrong = of(
            url, branch="dev", sshKeySecret={"name": "ssh", "key": "other"}, insecureIgnoreHostKey=True
        )
        assert "Permission denied" in await refused(rig, wrong)


async def test_a_git_server_that_is_silent_is_given_up(repository: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(client, "TIMEOUT", 3.0)
    started = asyncio.Event()

    async def silent(_: web.BaseRequest) -> web.StreamResponse:
        started.set()
        await asyncio.sleep(20)
        return web.Response()

    async with rigged() as rig, serving(silent) as url:
        text = await refused(rig, of(f"{url}/shop/.git", branch="dev"), Retryable)
        assert text == f"git {url}/shop/.git, refs/heads/dev: not fetched in 3 s"
        assert started.is_set()
        left = await asyncio.to_thread(
            subprocess.run, ["pgrep", "-P", str(os.getpid()), "-f", "shop/.git"], capture_output=True
        )
        assert left.stdout == b""


async def test_the_guard_holds_for_git(repository: Path):
    async with rigged() as rig, serving(Target().handle) as url:
        rig.documents._sessions = guarded = Sessions("strict")
        assert "is not a public address" in await refused(rig, of(f"{url}/shop/.git", branch="dev"))
        await guarded.aclose()


async def test_git_that_is_not_installed_is_told(repository: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PATH", "/nowhere")
    async with rigged() as rig:
        assert "the program git is not installed" in await refused(rig, of(repository, branch="main"))


# S3

KEYS = {"s3/id": Minio.user, "s3/key": Minio.password, "s3/wrong": "wrong-secret-key"}
FOLDER = itertools.count()


@pytest.fixture
async def stored(minio_server: Minio) -> AsyncIterator[tuple[Rig, dict[str, Any]]]:
    """A rig, and the source of the object `ci/build 1.yaml` in a bucket of the test."""
    bucket = f"workflows-{os.getpid()}-{next(FOLDER)}"
    async with rigged(KEYS) as rig:
        clients = Clients(rig.documents._secrets, rig.sessions)
        account = Account(Minio.region, Ref("s3", "id"), Ref("s3", "key"), "", minio_server.url)
        client = await clients.get("s3", account)
        await client.create_bucket(Bucket=bucket)
        await client.put_object(Bucket=bucket, Key="ci/build 1.yaml", Body=WORKFLOW.encode())
        await clients.aclose()
        yield rig, {
            "endpoint": minio_server.address, "insecure": True,
            "bucket": {"name": bucket, "key": "ci/build 1.yaml"},
            "accessKey": {"name": "s3", "key": "id"}, "secretKey": {"name": "s3", "key": "key"},
        }  # fmt: skip


@pytest.mark.servers("minio")
async def test_an_object_of_s3(stored: tuple[Rig, dict[str, Any]], monkeypatch: pytest.MonkeyPatch):
    rig, source = stored
    assert (await commit_of(rig, {"s3": source}))[0] == "abc123"
    monkeypatch.setattr(_documents, "LIMIT", 100)
    assert "ci/build 1.yaml: larger than the 100 bytes" in await refused(rig, {"s3": source})


@pytest.mark.servers("minio")
@pytest.mark.parametrize(
    ("change", "kind", "said"),
    [
        ({"bucket": {"key": "gone"}}, Permanent, "gone: NoSuchKey"),
        ({"bucket": {"name": "no-such-bucket"}}, Retryable, "NoSuchBucket"),
        ({"secretKey": {"name": "s3", "key": "wrong"}}, Permanent, "SignatureDoesNotMatch"),
        ({"accessKey": {"name": "s3", "key": "wrong"}}, Permanent, "InvalidAccessKeyId"),
        ({"accessKey": {"name": "s3", "key": "gone"}}, Permanent, "no secret 's3', key 'gone'"),
    ],
)
async def test_what_s3_refuses(
    stored: tuple[Rig, dict[str, Any]], change: dict[str, Any], kind: type[Exception], said: str
):
    rig, source = stored
    changed = {**source, **change, "bucket": {**source["bucket"], **change.get("bucket", {})}}
    text = await refused(rig, {"s3": changed}, kind)
    assert said in text
    assert "wrong-secret-key" not in text


@pytest.mark.servers("minio")
async def test_a_large_object_of_s3_is_read_to_its_end(stored: tuple[Rig, dict[str, Any]]):
    rig, source = stored
    account = Account(Minio.region, Ref("s3", "id"), Ref("s3", "key"), "", f"http://{source['endpoint']}")
    clients = Clients(rig.documents._secrets, rig.sessions)
    text = f"{WORKFLOW}\n# {'x' * 1_000_000}\n"
    client = await clients.get("s3", account)
    await client.put_object(Bucket=source["bucket"]["name"], Key="large", Body=text.encode())
    await clients.aclose()
    wanted = ArtifactLocation.model_validate(
        {"s3": {**source, "bucket": {**source["bucket"], "key": "large"}}}
    )
    assert await rig.documents.read(wanted) == text.encode()


async def test_an_object_of_s3_that_is_cut_off():
    async def handle(request: web.BaseRequest) -> web.StreamResponse:
        answer = web.StreamResponse(headers={"Content-Length": "1000"})
        await answer.prepare(request)
        await answer.write(WORKFLOW.encode())
        assert request.transport is not None
        request.transport.close()
        return answer

    async with rigged(KEYS) as rig, serving(handle) as url:
        source = {
            "endpoint": url.removeprefix("http://"), "insecure": True, "bucket": {"name": "b", "key": "k"},
            "accessKey": {"name": "s3", "key": "id"}, "secretKey": {"name": "s3", "key": "key"},
        }  # fmt: skip
        assert "the answer was cut off" in await refused(rig, {"s3": source}, Retryable)


async def test_an_s3_that_is_away():
    async with rigged(KEYS) as rig:
        with dead_port() as port:
            source = {
                "endpoint": f"127.0.0.1:{port}", "insecure": True, "bucket": {"name": "b", "key": "k"},
                "accessKey": {"name": "s3", "key": "id"}, "secretKey": {"name": "s3", "key": "key"},
            }  # fmt: skip
            away = await refused(rig, {"s3": source}, Retryable)
            assert away.startswith(f"source s3 127.0.0.1:{port}/b/k: ")

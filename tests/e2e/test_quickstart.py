"""What the README shows to a newcomer, through real processes."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import signal
import sys
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from events.testing.servers import free_port
from tests.e2e.instance import check_workflows

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"
SECRET = "demo-webhook-secret"

STEPS = (
    r"Running the manifests in .*quickstart\n",
    r"  source  default/github\.push  http://127\.0\.0\.1:\d+/push\n",
    r"\n1\. GitHub sends a signed push to http://127\.0\.0\.1:\d+/push\n",
    r"   stored as event (\S+), answered 200\n",
    r"\n2\. Sensor ci, trigger build, created Workflow (build-\S+)\n",
    r"     repo     acme/shop\n     commit   ([0-9a-f]{40})\n     author   Ada Example\n",
    r"\n3\. Sensor ci, trigger notify, posted to #builds:\n   Ada Example pushed [0-9a-f]{7} to acme/shop\n",
    r"\n4\. The calendar ticks every ten seconds \.\.\.\n",
    r"\n   Sensor nightly, trigger report, created Workflow (report-\S+)\n     time     \S+ \S+ \S+ UTC\n",
    r"\nEverything arrived\.",
)
"""What the demo prints, in this order, as in the README."""

EDITED_DEMO = """
import sys
from pathlib import Path
import events.cli.demo
events.cli.demo.quickstart = lambda: Path(sys.argv[1])
from events.cli import main
sys.exit(main(["demo", *sys.argv[2:]]))
"""


async def start(*args: str, cwd: Path, code: Sequence[str] = ("-m", "events")) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable, *code, *args, cwd=cwd, stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip


async def events(*args: str, cwd: Path, code: Sequence[str] = ("-m", "events")) -> tuple[int, str, str]:
    """One command to its end: exit code, stdout, stderr."""
    process = await start(*args, cwd=cwd, code=code)
    out, err = await process.communicate()
    return process.returncode or 0, out.decode(), err.decode()


async def told(process: asyncio.subprocess.Process, pattern: str) -> str:
    """Everything that the process prints until a line matches."""
    assert process.stdout is not None
    text = ""
    async with asyncio.timeout(40):
        while not re.search(pattern, text):
            line = await process.stdout.readline()
            assert line, f"ended without {pattern}: {text}"
            text += line.decode()
    return text


async def stop(process: asyncio.subprocess.Process, number: int = signal.SIGTERM) -> int:
    os.kill(process.pid, number)
    await process.communicate()
    return process.returncode or 0


def check_steps(text: str) -> list[str]:
    """The ids and names that the demo told, in order."""
    found, at = [], 0
    for step in STEPS:
        match = re.compile(step).search(text, at)
        assert match, f"{step} is not in {text[at:]}"
        found += match.groups()
        at = match.end()
    return found


async def test_the_demo_shows_its_steps_and_again_in_the_same_folder(tmp_path: Path):
    port = ("--port", "0")
    code, out, err = await events("demo", "--exit", *port, cwd=tmp_path)
    assert (code, err) == (0, "")
    first = check_steps(out)
    code, out, err = await events("demo", "--exit", *port, cwd=tmp_path)
    assert (code, err) == (0, "")
    second = check_steps(out)
    assert not set(first) & set(second), "something of the first run was shown in the second one"
    code, out, _ = await events("get", "workflows", "--data", ".events-demo", cwd=tmp_path)
    assert all(name in out for name in (first[1], first[3], second[1], second[3]))


async def test_the_demo_in_json(tmp_path: Path):
    code, out, err = await events("demo", "--exit", "--port", "0", "-o", "json", cwd=tmp_path)
    assert (code, err) == (0, "")
    shown = json.loads(out)
    assert shown["workflow"]["metadata"]["name"].startswith("build-")
    assert shown["message"]["channel"] == "builds"
    assert shown["report"]["spec"]["arguments"]["parameters"][0]["name"] == "time"


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("xoxb-demo-token", "another", "trigger notify dead_lettered: Slack: invalid_auth"),
        ("secret: demo-webhook-secret", "secret: another", "the push was answered with 401"),
        ("dataKey: body.after", "dataKey: body.nothing", "trigger build parameter_error: "),
    ],
)
async def test_the_demo_tells_why_something_did_not_happen(tmp_path: Path, old: str, new: str, reason: str):
    copy = tmp_path / "manifests"
    shutil.copytree(EXAMPLES / "quickstart", copy)
    for file in copy.iterdir():
        file.write_text(file.read_text().replace(old, new))
    args = ("--exit", "--port", "0", "--log-level", "error")
    code, out, err = await events(str(copy), *args, cwd=tmp_path, code=("-c", EDITED_DEMO))
    assert code == 1, out
    assert f"events demo: {reason}" in err
    assert "Traceback" not in err
    assert "Everything arrived" not in out


async def test_the_demo_in_a_folder_that_cannot_be_written(tmp_path: Path):
    (tmp_path / "taken").write_text("")
    code, _, err = await events("demo", "--exit", "--data", "taken", cwd=tmp_path)
    assert code == 1
    assert err.startswith("events demo: cannot write ")


async def test_ctrl_c_ends_the_demo_at_once(tmp_path: Path):
    process = await start("demo", "--exit", "--port", "0", cwd=tmp_path)
    await told(process, "4\\. The calendar")
    os.kill(process.pid, signal.SIGINT)
    async with asyncio.timeout(5):
        _, err = await process.communicate()
    assert process.returncode == 1
    assert err.decode() == "events demo: stopped before everything had happened\n"


async def test_the_next_steps_of_the_demo_work_and_a_kill_loses_nothing(tmp_path: Path):
    process = await start("demo", "--port", "0", cwd=tmp_path)
    text = await told(process, "readyz")
    lines = re.findall(r"^  events (.*)$", text, re.MULTILINE)
    assert len(lines) == 4
    for line in lines:
        code, out, err = await events(*line.split(), cwd=tmp_path)
        assert (code, err) == (0, ""), line
        assert out
    delivery = re.search(r"events explain (\S+)`", out)
    assert delivery, out
    await stop(process, signal.SIGKILL)
    code, out, _ = await events("get", "events", delivery[1], "--data", ".events-demo", cwd=tmp_path)
    assert code == 0
    assert delivery[1] in out

    process = await start("demo", "--port", "0", cwd=tmp_path)
    await told(process, "Everything arrived")
    account = await explained(delivery[1], tmp_path, ".events-demo")
    assert {one["trigger"]: one["result"] for one in account["triggers"]} == {
        "build": "fired",
        "notify": "fired",
    }
    assert await stop(process) == 0


async def explained(event: str, cwd: Path, data: str) -> Any:
    code, out, err = await events("explain", event, "--data", data, "-o", "json", cwd=cwd)
    assert code == 0, err
    return json.loads(out)[0]


# what the README says under "Use"


@pytest.fixture
async def instance(tmp_path: Path) -> AsyncIterator[Path]:
    """The quickstart on free ports, running in a folder."""
    shutil.copytree(EXAMPLES, tmp_path / "examples")
    manifests = tmp_path / "examples" / "quickstart"
    github = manifests / "github.yaml"
    text = github.read_text()
    github.write_text(text.replace("12000", str(free_port())).replace("12001", str(free_port())))
    process = await start("run", "examples/quickstart", "--port", "0", cwd=tmp_path)
    await told(process, "sensor  default/ci")
    yield tmp_path
    assert await stop(process) == 0


async def test_the_commands_of_the_readme(instance: Path):
    async def ok(line: str) -> str:
        code, out, err = await events(*line.split(), cwd=instance)
        assert (code, err) == (0, ""), f"{line}: {err}"
        return out

    assert "0 errors" in await ok("lint examples/quickstart")
    sent = await ok(f"send github --secret {SECRET} --file examples/push.json")
    delivery = re.search(r"answered 200 success; `events explain (\S+)` follows it", sent)
    assert delivery, sent
    assert delivery[1] in await ok("get events")
    async with asyncio.timeout(10):
        while "✓ ci.build fired" not in (text := await ok(f"explain {delivery[1]}")):
            await asyncio.sleep(0.05)
    assert '✓ data.0 body.ref: found "refs/heads/main", wanted string = ^refs/heads/main$' in text
    workflow = re.search(r"Workflow/default/(build-\S+) created", text)
    assert workflow
    assert workflow[1] in await ok("get workflows")
    check_workflows(json.loads(await ok("get workflows --output json")), [])
    assert "generateName: build-" in await ok(f"get workflows {workflow[1]}")
    assert "default/github.push" in await ok("get sources")
    assert "build when push" in await ok("get sensors")
    assert "ci.build" in await ok("get decisions")


async def test_a_delivery_with_a_wrong_secret_is_refused(instance: Path):
    args = ("send", "github", "--secret", "wrong", "--file", "examples/push.json")
    code, out, _ = await events(*args, cwd=instance)
    assert code == 1
    assert "answered 401 the signature is wrong" in out


async def test_a_page_port_in_use_is_exit_code_3(instance: Path):
    pages = json.loads((await events("get", "buses", "-o", "json", cwd=instance))[1])
    assert pages
    port = free_port()
    server = await asyncio.start_server(lambda *_: None, "127.0.0.1", port)
    code, _, err = await events("run", "examples", "--data", "other", "--port", str(port), cwd=instance)
    server.close()
    assert code == 3
    assert f"cannot listen on 127.0.0.1:{port}" in err
    assert "Traceback" not in err

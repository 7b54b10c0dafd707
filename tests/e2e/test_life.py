"""Start, stop, reload, abuse: the command as a process."""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
import socket
from pathlib import Path

import aiohttp
import pytest

from tests.e2e.instance import Instance, Scene, deliver

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]


async def send_numbers(scene: Scene, first: int, count: int) -> None:
    async with aiohttp.ClientSession() as session:
        statuses = await asyncio.gather(
            *(
                deliver(
                    session, f"http://127.0.0.1:{scene.port}/number", {"number": number}, f"number-{number}"
                )
                for number in range(first, first + count)
            )
        )
    assert set(statuses) == {200}


async def seen(scene: Scene, numbers: range) -> None:
    async with asyncio.timeout(30):
        while not all(number in scene.target.ids for number in numbers):
            await asyncio.sleep(0.05)


async def test_sigterm_ends_with_0_and_loses_nothing(scene: Scene):
    await scene.instance.start()
    scene.target.delay = 0.3
    await send_numbers(scene, 1, 100)
    assert await scene.instance.terminate() == 0
    handled = len(scene.target.ids)
    await scene.instance.start()
    await seen(scene, range(1, 101))
    made = await scene.instance.get("configmaps")
    assert len(made) == 100
    assert handled > 0, "nothing was in hand at the stop"


async def test_a_second_signal_stops_at_once_and_loses_nothing(scene: Scene):
    await scene.instance.start()
    scene.target.delay = 20
    await send_numbers(scene, 1, 3)
    os.kill(scene.instance.pid, signal.SIGTERM)
    await asyncio.sleep(1)
    process = scene.instance.process
    assert process is not None
    assert process.returncode is None, "it did not wait for what runs"
    async with asyncio.timeout(5):
        await scene.instance.terminate()
    scene.target.delay = 0
    await scene.instance.start()
    await seen(scene, range(1, 4))


async def test_a_second_instance_on_the_folder_is_told_whose_it_is(scene: Scene):
    await scene.instance.start()
    code, _, err = await scene.instance.tool("run", str(scene.instance.manifests), "--port", "0")
    assert code == 1
    assert f"in use by the instance with pid {scene.instance.pid}" in err
    assert "Traceback" not in err


async def test_tools_work_on_the_running_instance_and_on_its_folder_alone(scene: Scene):
    await scene.instance.start()
    await send_numbers(scene, 1, 1)
    await seen(scene, range(1, 2))
    both = {"object": "fired", "call": "fired"}
    async with asyncio.timeout(10):  # what the target has seen is recorded a moment later
        while await explained(scene) != both:
            await asyncio.sleep(0.05)
    assert await scene.instance.terminate() == 0
    assert await explained(scene) == both


async def explained(scene: Scene) -> dict[str, str]:
    """What became of number-1, by trigger."""
    code, out, err = await scene.instance.tool("explain", "number-1", "-o", "json")
    assert code == 0, err
    (account,) = json.loads(out)
    return {one["trigger"]: one["result"] for one in account["triggers"]}


async def test_dead_letters_are_listed_shown_and_sent_again(scene: Scene):
    instance, target = scene.instance, scene.target
    text = instance.manifests.read_text()
    policy = "\n      policy: {status: {allow: [200]}}\n---"
    head, mark, tail = text.partition(
        "\n---\napiVersion: argoproj.io/v1alpha1\nkind: Sensor\nmetadata: {name: pairs}"
    )
    instance.manifests.write_text(head + policy + mark.removeprefix("\n---") + tail)
    target.status = 500
    await instance.start()
    await send_numbers(scene, 1, 1)
    await seen(scene, range(1, 2))
    letters = []
    async with asyncio.timeout(10):
        while not letters:
            _, out, _ = await instance.tool("dlq", "list", "-o", "json")
            letters = json.loads(out)
    (letter,) = letters
    assert letter["error"] == "status 500 is not one of 200"
    _, out, _ = await instance.tool("dlq", "show", letter["firing"])
    assert json.loads(out)["request"]["url"].startswith("http://127.0.0.1:")
    target.status = 200
    code, _, _ = await instance.tool("dlq", "retry", letter["firing"])
    assert code == 0
    async with asyncio.timeout(10):
        while len(target.ids[1]) < 2:
            await asyncio.sleep(0.05)
    assert len(set(target.ids[1])) == 1
    async with asyncio.timeout(10):
        while json.loads((await instance.tool("dlq", "list", "-o", "json"))[1]):
            await asyncio.sleep(0.05)
    code, _, err = await instance.tool("dlq", "retry", "nosuchfiring")
    assert code == 1
    assert "nosuchfiring" in err


async def test_reload_under_load_loses_nothing(scene: Scene):
    instance = scene.instance
    await instance.start()
    text = instance.manifests.read_text()
    stop = asyncio.Event()
    accepted: list[int] = []

    async def load() -> None:
        async with aiohttp.ClientSession() as session:
            while not stop.is_set():
                number = len(accepted) + 1
                url = f"http://127.0.0.1:{scene.port}/number"
                while await deliver(session, url, {"number": number}, f"number-{number}") != 200:
                    await asyncio.sleep(0.01)
                accepted.append(number)

    async with asyncio.TaskGroup() as group:
        group.create_task(load())
        for turn in range(5):
            edited = text.replace("events: [push]", f"events: [push]\n      metadata: {{turn: '{turn}'}}")
            instance.manifests.write_text(edited.replace("name: call", f"name: call\n        #{turn}"))
            await asyncio.sleep(1.3)
        stop.set()
    await seen(scene, range(1, len(accepted) + 1))
    made = sorted(int(one["data"]["number"]) for one in await instance.get("configmaps"))
    assert made == accepted


async def test_a_broken_edit_is_told_and_the_old_version_keeps_running(scene: Scene):
    instance = scene.instance
    await instance.start()
    good = instance.manifests.read_text()
    for broken in (
        good.replace("kind: ConfigMap", "kind: [ConfigMap"),
        good.replace("conditions: a && b", "conditions: a && nope"),
    ):
        instance.manifests.write_text(broken)
        async with asyncio.timeout(10):
            while "goes on as it was" not in instance.told():
                await asyncio.sleep(0.05)
        first = len(scene.target.ids) + 1
        await send_numbers(scene, first, 5)
        await seen(scene, range(first, first + 5))
        assert f"{instance.manifests}:" in instance.log.read_text()
        instance.log.write_text("")
        instance.manifests.write_text(good)
        await asyncio.sleep(1.2)


async def test_ten_thousand_bad_requests_leave_it_healthy_with_flat_memory(scene: Scene):
    await scene.instance.start()
    await bad_requests(scene.port, 1000)
    before = resident_mib(scene.instance.pid)
    await bad_requests(scene.port, 9000)
    assert resident_mib(scene.instance.pid) - before < 15
    await send_numbers(scene, 1, 10)
    await seen(scene, range(1, 11))
    assert (await scene.instance.page("/readyz"))[0] == 200


async def bad_requests(port: int, count: int) -> None:
    chance = random.Random(count)
    await asyncio.gather(*(bad_requests_one_after_another(port, chance, count // 20) for _ in range(20)))


async def bad_requests_one_after_another(port: int, chance: random.Random, count: int) -> None:
    for _ in range(count):
        await bad_request(port, chance.choice(BAD))


GOOD_HEAD = b"POST /number HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nX-GitHub-Event: push\r\n"
BAD = [
    GOOD_HEAD + b"X-Hub-Signature-256: sha256=00\r\nContent-Length: 2\r\n\r\n{}",
    GOOD_HEAD + b"Content-Length: 7\r\n\r\n{nope!}",
    GOOD_HEAD + b"Content-Length: 99999999\r\n\r\n{",
    GOOD_HEAD + b"Content-Length: 1000\r\n\r\n{",  # and then nothing more
    GOOD_HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n",
    b"GET /nothing HTTP/1.1\r\nHost: x\r\n\r\n",
    b"PUT /number HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n",
    b"NONSENSE\r\n\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    GOOD_HEAD + b"X-Long: " + b"x" * 20_000 + b"\r\nContent-Length: 0\r\n\r\n",
]


async def bad_request(port: int, request: bytes) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(request)
    try:
        await writer.drain()
        if not request.endswith((b"\r\n\r\n{", b"\xfc\x03\x03")):
            async with asyncio.timeout(5):
                await reader.read(1000)
    except ConnectionError:
        pass
    finally:
        writer.close()


def resident_mib(pid: int) -> float:
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


async def test_a_port_in_use_is_told_and_the_source_comes_when_it_is_free(scene: Scene):
    with socket.socket() as blocker:
        blocker.bind(("127.0.0.1", scene.port))
        blocker.listen()
        starting = asyncio.get_running_loop().create_task(scene.instance.start())
        async with asyncio.timeout(20):
            while f"cannot listen on 127.0.0.1:{scene.port}" not in scene.instance.told():
                await asyncio.sleep(0.05)
        assert not await scene.instance.ready()
    await starting
    await send_numbers(scene, 1, 1)
    await seen(scene, range(1, 2))


async def test_nothing_usable_is_exit_code_2(tmp_path: Path):
    instance = Instance(tmp_path, "kind: Sensor\nspec: [")
    code, _, err = await instance.tool("run", str(instance.manifests), "--port", "0")
    assert code == 2
    assert f"{instance.manifests}:" in err

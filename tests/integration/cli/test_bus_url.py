"""The tools on a bus itself, by its URL: the embedded one in a folder stands for all of them."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from events.bus._base import Changes
from events.bus.embedded import EmbeddedBus
from events.cli import main
from events.event import Position
from events.runtime.records import Parked, encode, parked_key
from events.testing.sensors import plan_of, sensor, trigger

NAME = ["--eventbus", "ci/main"]


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"file:{tmp_path / 'bus'}"


def ask(capsys: pytest.CaptureFixture[str], *args: str) -> object:
    assert main([*args, *NAME, "-o", "json"]) == 0
    return json.loads(capsys.readouterr().out)


def send(capsys: pytest.CaptureFixture[str], url: str, tmp_path: Path) -> None:
    file = tmp_path / "event.json"
    file.write_text('{"n": 1}')
    ask(
        capsys, "send", "event", "--source", "src", "--subject", "a", "--id", "e1", "-f", str(file),
        "--bus", url,
    )  # fmt: skip


def test_events_are_sent_shown_and_simulated(url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    send(capsys, url, tmp_path)
    rows = ask(capsys, "get", "events", "--bus", url)
    assert [(row["id"], row["bus"], row["data"]) for row in rows] == [("e1", "ci/main", {"n": 1})]  # type: ignore[attr-defined]
    (account,) = ask(capsys, "explain", "e1", "--bus", url)  # type: ignore[misc]
    assert account["note"] == "no sensor has a dependency on src/a"
    manifest = tmp_path / "sensor.yaml"
    manifest.write_text(json.dumps(sensor(trigger("a"), dependencies="a")))
    shown = ask(capsys, "simulate", str(manifest), "--from", url)
    assert "e1" in json.dumps(shown)


async def dead_letter(folder: Path) -> None:
    plan = plan_of(sensor(trigger("a"), dependencies="a"))
    folder.mkdir()
    bus = EmbeddedBus(folder / "ci.main.sqlite", "ci/main")
    await bus.open()
    head = await bus.head()
    lease = await bus.lease("shard/0")
    record = Parked(
        sensor=plan.name, trigger="t", role="trigger", replay=0, position=Position(0, 1), events={},
        attempt=3, first_ns=1, due_ns=None, revision="", error="broken",
    )  # fmt: skip
    await bus.commit(0, lease.epoch, Changes(records={parked_key("f1"): encode(record)}, mark=head))
    await bus.aclose()


def test_dead_letters_are_listed_and_made_due(url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    asyncio.run(dead_letter(tmp_path / "bus"))
    (letter,) = ask(capsys, "dlq", "list", "--bus", url)  # type: ignore[misc]
    assert (letter["firing"], letter["error"]) == ("f1", "broken")
    assert main(["dlq", "retry", "f1", "--bus", url, *NAME]) == 0
    assert "sent again as soon as `events run` works on it" in capsys.readouterr().out
    assert ask(capsys, "dlq", "list", "--bus", url) == []


@pytest.mark.parametrize(
    ("args", "code", "said"),
    [
        (["get", "events", "--bus", "nats:"], 2, "'nats:' is not the URL of a bus"),
        (["get", "events", "--bus", "memory:", "--eventbus", "main"], 2, "write NAMESPACE/NAME"),
        (["get", "workflows", "--bus", "memory:"], 1, "objects are not kept on a bus"),
        (["get", "sources", "--bus", "memory:"], 3, "known to a running instance only"),
        (["dlq", "retry", "nope", "--bus", "memory:"], 1, "there is no dead letter nope"),
    ],
)
def test_what_cannot_be_asked_of_a_bus_is_told(
    args: list[str], code: int, said: str, capsys: pytest.CaptureFixture[str]
):
    assert main(args) == code
    assert said in capsys.readouterr().err

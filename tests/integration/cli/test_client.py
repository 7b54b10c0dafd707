"""The tools and a socket: an instance that answers late, not at all, or goes away."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from events.cli import main
from events.runtime.folder import DataFolder


@pytest.fixture
def listening(tmp_path: Path) -> Iterator[tuple[Path, socket.socket]]:
    """A data folder whose socket listens; nobody answers unless the test does."""
    folder = DataFolder(tmp_path / ("long" * 40) / "data")
    folder.acquire()
    server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    server.bind(folder.socket_address())
    server.listen()
    yield folder.path, server
    server.close()
    folder.release()


def test_a_hung_instance_is_exit_code_3(
    listening: tuple[Path, socket.socket], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("events.cli._client.TIMEOUT", 0.2)
    assert main(["get", "events", "--data", str(listening[0])]) == 3
    assert f"the instance on {listening[0]} does not answer: timed out" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("answer", "code", "said"),
    [
        (b"", 3, "does not answer"),
        (b"nonsense\r\n\r\n", 3, "does not answer"),
        (b"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 4\r\n\r\nfoo\n", 1, "its log says why"),
        (b'HTTP/1.1 404 Not Found\r\nContent-Length: 14\r\n\r\n{"error": "x"}', 1, "events get: x"),
    ],
)
def test_answers_that_are_no_answers(
    listening: tuple[Path, socket.socket],
    capsys: pytest.CaptureFixture[str],
    answer: bytes,
    code: int,
    said: str,
):
    def serve() -> None:
        connection, _ = listening[1].accept()
        request = b""
        while not request.endswith(b"}"):
            request += connection.recv(65536)
        connection.sendall(answer)
        connection.close()

    thread = threading.Thread(target=serve)
    thread.start()
    assert main(["get", "events", "--data", str(listening[0])]) == code
    thread.join()
    assert said in capsys.readouterr().err


def test_two_tools_at_once_wait_for_each_other(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    folder = DataFolder(tmp_path)
    folder.acquire()
    release = threading.Timer(0.5, folder.release)
    release.start()
    assert main(["get", "events", "--data", str(tmp_path), "-o", "json"]) == 0
    release.join()
    assert json.loads(capsys.readouterr().out) == []


@pytest.mark.e2e
def test_a_reader_that_goes_away_is_no_traceback(tmp_path: Path):
    command = f"{sys.executable} -m events completion bash -o json | true; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False)
    assert done.returncode in {0, 1}
    assert done.stderr == ""


@pytest.mark.e2e
def test_a_full_disk_below_the_output_is_told():
    command = [sys.executable, "-m", "events", "completion", "bash"]
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr == "events completion: No space left on device\n"


@pytest.mark.e2e
@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
def test_any_encoding_of_the_terminal_will_do(tmp_path: Path, encoding: str):
    event = tmp_path / "e.json"
    event.write_text(json.dumps({"name": "ü✓"}))
    folder = DataFolder(tmp_path / "data")
    folder.acquire()
    folder.release()
    env = {**os.environ, "PYTHONIOENCODING": encoding, "EVENTS_DATA": str(folder.path)}
    tool = [sys.executable, "-m", "events"]
    sent = [*tool, "send", "event", "--source", "s", "--subject", "e", "--id", "ü✓", "--file", str(event)]
    assert subprocess.run(sent, env=env, check=False, capture_output=True).returncode == 0
    found = subprocess.run([*tool, "get", "events", "-o", "json"], env=env, check=True, capture_output=True)
    assert json.loads(found.stdout.decode(encoding))[0]["data"] == {"name": "ü✓"}
    subprocess.run([*tool, "explain", "ü✓"], env=env, check=True, capture_output=True)

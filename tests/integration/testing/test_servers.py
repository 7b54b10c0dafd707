"""What holds for all test servers: start, end, restart, pause, and the cache of their programs."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
import tomllib
from pathlib import Path

import pytest

from events.testing.servers import ORIGINS, Absent, ServerError, _cache, missing, origin
from events.testing.servers._cache import Cached, Pip, Unobtainable
from events.testing.servers._process import Server
from events.testing.servers.fixtures import Own

ECHO = """
import socket, sys, pathlib
starts = pathlib.Path("starts")
starts.write_text(starts.read_text() + "x" if starts.exists() else "x")
server = socket.create_server(("127.0.0.1", int(sys.argv[1])))
print("listening", flush=True)
while True:
    server.accept()[0].close()
"""


class Echo(Server):
    """A server of a few lines."""

    name, origin = "echo", Pip("", module="sys")
    script = ECHO

    def configure(self) -> None:
        (self.folder / "echo.py").write_text(self.script)

    def command(self) -> list[str]:
        return [sys.executable, "echo.py", str(self.port)]

    def ready(self) -> bool:
        return "listening" in self.new_log


class Broken(Echo):
    script = "print('no such option: --colour', flush=True); raise SystemExit(3)"

    def ready(self) -> bool:
        return False


class Mute(Echo):
    script = "import time; print('thinking', flush=True); time.sleep(60)"
    starts_within = 0.3


def test_a_server_that_dies_at_its_start_shows_its_log_and_leaves_nothing():
    server = Broken()
    with pytest.raises(ServerError, match="echo has ended before it was ready:\nno such option: --colour"):
        server.start()
    assert (server.ports, server.folder, server.running) == ([], Path(), False)


def test_a_server_that_is_never_ready_is_ended_and_shows_its_log():
    server = Mute()
    with pytest.raises(ServerError, match=r"echo is not ready after 0\.3 s:\nthinking"):
        server.start()
    assert not server.running


def test_a_server_that_was_not_fetched_says_how_to_get_it(made: Made):
    class Unfetched(Echo):
        origin = made

    with pytest.raises(Absent, match=r"echo is not there: .*python -m events\.testing\.servers thing"):
        Unfetched().start()


class Unlucky(Echo):
    """Somebody takes its first port."""

    tries = 0

    def command(self) -> list[str]:
        self.tries += 1
        return [*super().command()[:2], str(self.port if self.tries > 1 else 1_000_000)]


def test_a_server_that_dies_at_its_first_start_gets_other_ports_once():
    with Unlucky() as server:
        assert (server.tries, server.running) == (2, True)


def test_a_restart_keeps_port_and_data(own: Own):
    server = own(Echo())
    port, pid = server.port, server.pid
    server.restart()
    server.kill()
    assert not server.running
    server.start()
    assert (server.port, (server.folder / "starts").read_text()) == (port, "xxx")
    assert server.pid != pid


def test_nothing_is_left_of_a_closed_server():
    with Echo() as server:
        folder, pid = server.folder, server.pid
    assert not folder.exists()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def state(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


def test_a_paused_server_stands_still_until_it_is_resumed_or_stopped(own: Own):
    server = own(Echo())
    server.pause()
    assert becomes(server.pid, "T")
    server.resume()
    assert becomes(server.pid, "S")
    server.pause()
    server.stop()
    assert not server.running


def becomes(pid: int, wanted: str) -> bool:
    deadline = time.monotonic() + 5
    while state(pid) != wanted and time.monotonic() < deadline:
        time.sleep(0.01)
    return state(pid) == wanted


def test_a_server_started_by_a_thread_outlives_the_thread(own: Own):
    server = own(Echo())
    thread = threading.Thread(target=server.restart)
    thread.start()
    thread.join()
    assert server.running


def test_servers_end_with_the_process_that_started_them(tmp_path: Path):
    script = tmp_path / "starter.py"
    script.write_text(
        "import os, signal\n"
        "from tests.integration.testing.test_servers import Echo\n"
        f"open({str(tmp_path / 'pid')!r}, 'w').write(str(Echo().start().pid))\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    root = Path(__file__).resolve().parents[3]
    code = os.spawnve(
        os.P_WAIT, sys.executable, [sys.executable, str(script)], {**os.environ, "PYTHONPATH": str(root)}
    )
    assert code == -signal.SIGKILL
    pid = int((tmp_path / "pid").read_text())
    deadline = time.monotonic() + 5
    while Path(f"/proc/{pid}").exists() and state(pid) not in "ZX" and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not Path(f"/proc/{pid}").exists() or state(pid) in "ZX"


class Made(Cached):
    """Counts how often it is built."""

    builds = 0

    def build(self, folder: Path) -> None:
        self.builds += 1
        (folder / "part").write_text("whole")
        if self.version == "broken":
            raise Unobtainable("no network")


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Made:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return Made("thing", "1")


def test_what_is_fetched_once_is_kept(made: Made, tmp_path: Path):
    assert "python -m events.testing.servers thing" in str(made.missing())
    made.get()
    made.get()
    assert (made.builds, made.missing()) == (1, None)
    assert (tmp_path / "events-test-servers" / "thing-1" / "part").read_text() == "whole"


def test_half_a_fetch_is_no_entry(made: Made, tmp_path: Path):
    made.version = "broken"
    with pytest.raises(Unobtainable, match="no network"):
        made.get()
    assert made.missing() is not None
    assert [path.name for path in (tmp_path / "events-test-servers").iterdir()] == ["thing.lock"]


def test_a_command_that_fails_tells_what_it_complained_about(tmp_path: Path):
    with pytest.raises(Unobtainable, match=r"ls /nowhere has failed: .*No such file"):
        _cache.command("ls", "/nowhere", cwd=tmp_path, env={"LC_ALL": "C"})
    with pytest.raises(Unobtainable, match="it needs the program no-such-program"):
        _cache.program("no-such-program")


def test_the_list_of_servers_and_the_modules_agree():
    listed = tomllib.loads((Path(__file__).resolve().parents[2] / "servers.toml").read_text())
    assert listed.keys() == ORIGINS.keys()
    for name, table in listed.items():
        assert {"needs", "required"} == table.keys()
        assert callable(origin(name).get)
    with pytest.raises(KeyError):
        missing("no-such-server")

"""How long the imports take: the standalone entry against aiohttp alone, and `events --help`."""

from __future__ import annotations

import os
import subprocess
import sys
import time

from benchmarks.load import ROOT, tell

ENTRY = ("-c", "import events.runtime.standalone")
AIOHTTP = ("-c", "import aiohttp")
NOTHING = ("-c", "pass")
HELP = ("-m", "events", "--help")


def run(quick: bool) -> None:
    rounds = 1 if quick else 15
    times = {command: [spent(*command) for _ in range(rounds)] for command in (NOTHING, AIOHTTP, ENTRY, HELP)}
    cpu = {command: min(one[1] for one in found) for command, found in times.items()}
    empty = cpu[NOTHING]
    ours, theirs = cpu[ENTRY] - empty, cpu[AIOHTTP] - empty
    detail = f"{ours * 1e3:.0f} ms / {theirs * 1e3:.0f} ms of CPU, without {empty * 1e3:.0f} ms of python"
    tell("startup: import of standalone, to import aiohttp", ours / theirs, 2.0, detail)
    wall = min(one[0] for one in times[HELP])
    detail = f"wall; {cpu[HELP] * 1e3:.0f} ms of CPU; {(cpu[HELP] - empty) / theirs:.2f}x import aiohttp"
    tell("startup: events --help", wall, 0.3, detail, unit=" s")


def spent(*arguments: str) -> tuple[float, float]:
    """Seconds by the clock and of CPU of one run of the interpreter."""
    began = time.perf_counter()
    child = subprocess.Popen([sys.executable, *arguments], stdout=subprocess.DEVNULL, cwd=ROOT)
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        raise RuntimeError(f"{arguments} ended with {child.returncode}")
    return time.perf_counter() - began, usage.ru_utime + usage.ru_stime

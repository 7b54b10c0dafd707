"""python -m events.testing.servers [name ...]: get the servers of the tests, all by default; a line for each.

Exit code 0 also when some cannot be had: the tests that need them say so.
"""

from __future__ import annotations

import sys
import time

from events.testing.servers import ORIGINS, Unobtainable, origin


def got(name: str) -> str:
    """What happened, in a line."""
    source = origin(name)
    if source.missing() is None:
        return "had"
    began = time.monotonic()
    try:
        source.get()
    except Unobtainable as exc:
        return f"cannot be had: {exc}"
    return f"got in {time.monotonic() - began:.0f} s"


def main(names: list[str]) -> None:
    if unknown := set(names) - ORIGINS.keys():
        sys.exit(f"no such server: {', '.join(sorted(unknown))}; there are {', '.join(sorted(ORIGINS))}")
    for name in names or sorted(ORIGINS):
        print(f"{name:14} {got(name)}", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])

"""What templates may know besides their input: `now` and a seeded random source, so rendering repeats."""

from __future__ import annotations

import hashlib

from events.lang.gotemplate import Env
from events.sensors.moments import moment


class Seeded:
    """A small random source in counter mode over SHA-256: the same seed gives the same numbers."""

    def __init__(self, seed: str) -> None:
        self._seed, self._count = seed.encode(), 0

    def getrandbits(self, bits: int) -> int:
        """A number of at most `bits` bits (up to 256 per call)."""
        self._count += 1
        digest = hashlib.sha256(self._seed + self._count.to_bytes(8, "big")).digest()
        return int.from_bytes(digest, "big") >> (256 - bits) if bits else 0

    def random(self) -> float:
        """In [0, 1)."""
        return self.getrandbits(53) / (1 << 53)

    def randrange(self, start: int, stop: int | None = None) -> int:
        """In [0, start) or [start, stop)."""
        low, high = (0, start) if stop is None else (start, stop)
        return low + int(self.random() * (high - low))


def template_env(now_ns: int, seed: str) -> Env:
    return Env(now=moment(now_ns), random=Seeded(seed))

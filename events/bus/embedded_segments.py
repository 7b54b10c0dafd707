"""embedded_segments: large payloads of busy moments, in append-only files beside an embedded bus.

Why       SQLite writes a payload twice (its log, then the file) and computes a checksum of it. In groups of
          10 kB events a segment takes 1.7 times less CPU, measured with benchmarks/bus.py
When      with durability "power", in groups with WORTH_BYTES of payloads from LARGE_BYTES on: a segment needs
          a sync of its own, which does not pay for a single event
Promise   the payloads are synced before the rows that name them commit, and rows are the truth: bytes that no
          row names are written over. A segment is removed after the commit that removed its last row
Names     a segment is called after the offset of its first event, so no name is ever used for other content
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterable, Sequence
from itertools import accumulate
from pathlib import Path

from events.clients.sqlite import NEXT_STEP, make_folder, sync_folder
from events.errors import Damaged

LARGE_BYTES = 4096
WORTH_BYTES = 128 << 10
SEGMENT_BYTES = 64 << 20
BUFFERS = 512
"""Payloads that one call of the system writes (it takes up to 1024)."""

Spot = tuple[int, int, int]
"""Segment, where in it, size in bytes."""


def segments_of(path: Path) -> Path:
    """The folder with the segments of a bus."""
    return path.with_name(path.name + "-segments")


class Segments:
    """The writing side; lives in the writing thread. All methods raise OSError."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._file: int | None = None
        self.newest = self._end = 0

    def resume(self, last: Spot | None) -> None:
        """Go on behind the last payload that a row names. Raises Damaged if it is not all there."""
        self.close()
        self.newest, at, size = last or (0, 0, 0)
        self._end = at + size
        if last is not None and stored_bytes(self._path(self.newest)) < self._end:
            raise Damaged(f"{self._path(self.newest)} is missing or cut off: {NEXT_STEP}")

    def put(self, payloads: Sequence[bytes], first: int) -> list[Spot]:
        """Store the payloads durably. first: the offset after the head, which names a new segment."""
        if self.newest == 0 or self._end >= SEGMENT_BYTES:
            self.close()
            self.newest, self._end = first, 0
        file, at = self._opened(), self._end
        for start in range(0, len(payloads), BUFFERS):
            at += write_at(file, payloads[start : start + BUFFERS], at)
        sync_data(file)
        starts = accumulate(map(len, payloads), initial=self._end)
        self._end = at
        return [(self.newest, start, len(payload)) for start, payload in zip(starts, payloads, strict=False)]

    def drop_before(self, number: int) -> None:
        """Remove the segments that no row names any more: all older ones."""
        for found in self._numbers():
            if found < number:
                self._path(found).unlink()

    def drop_all(self) -> None:
        """Remove all segments: those of a log that is no more."""
        self.drop_before(max(self._numbers(), default=0) + 1)

    def _numbers(self) -> list[int]:
        files = list(self._folder.iterdir()) if self._folder.is_dir() else []
        return [int(file.name) for file in files if file.name.isdecimal()]

    def close(self) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def _opened(self) -> int:
        if self._file is None:
            make_folder(self._folder)
            self._file = os.open(self._path(self.newest), os.O_RDWR | os.O_CREAT, 0o600)
            sync_folder(self._folder)
        return self._file

    def _path(self, number: int) -> Path:
        return self._folder / f"{number}"


def read_spots(folder: Path, spots: Iterable[Spot]) -> list[bytes]:
    """The payloads at these spots. Raises FileNotFoundError for a segment that is gone, Damaged, OSError."""
    files: dict[int, int] = {}
    try:
        return [_read_spot(folder, files, spot) for spot in spots]
    finally:
        for file in files.values():
            os.close(file)


def _read_spot(folder: Path, files: dict[int, int], spot: Spot) -> bytes:
    number, at, size = spot
    if number not in files:
        files[number] = os.open(folder / f"{number}", os.O_RDONLY)
    payload = os.pread(files[number], size, at)
    if len(payload) != size:
        raise Damaged(f"{folder / str(number)} is cut off: {NEXT_STEP}")
    return payload


def write_at(file: int, buffers: Sequence[bytes], at: int) -> int:
    """Write all buffers one behind the other, from an offset on; how many bytes that was."""
    whole = sum(map(len, buffers))
    done = os.pwritev(file, buffers, at)
    while done < whole:
        done += os.pwrite(file, b"".join(buffers)[done:], at + done)
    return whole


def sync_data(file: int) -> None:
    """Have the content of a file survive a power cut; macOS needs to be asked in its own way."""
    if hasattr(fcntl, "F_FULLFSYNC"):
        fcntl.fcntl(file, fcntl.F_FULLFSYNC)
    else:
        os.fdatasync(file)


def stored_bytes(path: Path) -> int:
    """Size of a file; 0 if there is none."""
    return path.stat().st_size if path.exists() else 0

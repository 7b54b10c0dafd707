"""A small file system in memory, for tests of what happens when a disk is full.

Needs     the right to mount. Without it `SmallDisk` raises Forbidden: that is what the kernel answers (EPERM,
          EACCES), and a test is skipped for nothing else
Cleanup   it goes when it is closed, whoever still has files open there
"""

from __future__ import annotations

import ctypes
import errno
import os
from pathlib import Path
from typing import Self

REMOUNT, DETACH = 0x20, 2
"""Flags of mount(2) and umount2(2)."""


class Forbidden(Exception):
    """This process may not mount anything."""


class SmallDisk:
    """`size` bytes below the folder `place`, which is made."""

    def __init__(self, place: Path, size: int) -> None:
        self.place = place
        self._size = size

    @property
    def free(self) -> int:
        """Bytes."""
        told = os.statvfs(self.place)
        return told.f_bavail * told.f_frsize

    def grow(self, size: int) -> None:
        """As when somebody gives it a larger volume."""
        call("mount", b"tmpfs", bytes(self.place), b"tmpfs", REMOUNT, b"size=%d" % size)

    def __enter__(self) -> Self:
        """Raises Forbidden."""
        self.place.mkdir()
        call("mount", b"tmpfs", bytes(self.place), b"tmpfs", 0, b"size=%d" % self._size)
        return self

    def __exit__(self, *_: object) -> None:
        call("umount2", bytes(self.place), DETACH)


def call(name: str, *given: bytes | int) -> None:
    """A function of libc that answers 0, or -1 with an error number."""
    if getattr(ctypes.CDLL(None, use_errno=True), name)(*given) == 0:
        return
    number = ctypes.get_errno()
    if number in {errno.EPERM, errno.EACCES}:
        raise Forbidden(f"{name}: {os.strerror(number)}")
    raise OSError(number, os.strerror(number), name)

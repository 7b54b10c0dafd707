"""Paths to files: which ones are manifests, and what is in them."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO, NamedTuple

from events.errors import ManifestError

SUFFIXES = (".yaml", ".yml", ".json")
MAX_BYTES = 16 * 2**20
"""Largest file that is read."""


class File(NamedTuple):
    """A file and its content. `chosen` means that it was named and not found in a folder."""

    name: str
    data: bytes
    chosen: bool


def read_files(paths: Sequence[str | Path], stdin: BinaryIO | None = None) -> Iterator[File | ManifestError]:
    """Every manifest file below the paths, sorted within folders; for one that cannot be read, why.

    "-" is standard input (`stdin`, by default that of the process). A file reached twice is read once.
    """
    seen: set[str] = set()
    for path in paths:
        if str(path) == "-":
            yield _checked("<stdin>", (stdin or sys.stdin.buffer).read(MAX_BYTES + 1), chosen=True)
        elif Path(path).is_dir():
            yield from _read_folder(Path(path), seen)
        else:
            yield from _read_once(Path(path), seen, chosen=True)


def is_manifest(name: str) -> bool:
    """True for file names that are read in folders: no tests of ours, nothing hidden."""
    path = Path(name)
    return path.suffix in SUFFIXES and not path.stem.endswith(".test") and not name.startswith(".")


def _read_folder(top: Path, seen: set[str]) -> Iterator[File | ManifestError]:
    failed: list[OSError] = []
    for folder, folders, names in os.walk(top, onerror=failed.append):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(filter(is_manifest, names)):
            path = Path(folder, name)
            if not path.exists() or path.is_file():  # no pipes or sockets, which would not end
                yield from _read_once(path, seen, chosen=False)
    yield from (_unreadable(str(exc.filename), exc) for exc in failed)


def _read_once(path: Path, seen: set[str], *, chosen: bool) -> Iterator[File | ManifestError]:
    real = os.path.realpath(path)
    if real in seen:
        return
    seen.add(real)
    try:
        with path.open("rb") as file:
            yield _checked(str(path), file.read(MAX_BYTES + 1), chosen=chosen)
    except OSError as exc:
        yield _unreadable(str(path), exc)


def _unreadable(name: str, exc: OSError) -> ManifestError:
    return ManifestError(f"cannot be read: {exc.strerror or exc}", file=name)


def _checked(name: str, data: bytes, *, chosen: bool) -> File | ManifestError:
    if len(data) > MAX_BYTES:
        return ManifestError(f"is larger than {MAX_BYTES} bytes", file=name)
    return File(name, data, chosen)

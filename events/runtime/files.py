"""What the manifest files look like from outside: enough to notice an edit."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from events.manifest.files import is_manifest

Snapshot = dict[str, tuple[int, int, int]]
"""path -> (inode, size, time of the last change in nanoseconds)"""


def snapshot(paths: Sequence[str]) -> Snapshot:
    """All files that the loader would read, as they are now; `-` is left out."""
    found: Snapshot = {}
    for path in paths:
        if path != "-":
            for file in files_below(Path(path)):
                look(file, found)
    return found


def files_below(path: Path) -> Iterator[Path]:
    """The path itself, or the manifests in the folder that it is; hidden folders are left out."""
    if not path.is_dir():
        yield path
        return
    for folder, folders, names in os.walk(path):
        folders[:] = [name for name in folders if not name.startswith(".")]
        yield from (Path(folder, name) for name in names if is_manifest(name))


def look(file: Path, found: Snapshot) -> None:
    """Note the file; one that has gone meanwhile is not there."""
    try:
        state = file.stat()
    except OSError:
        return
    found[str(file)] = (state.st_ino, state.st_size, state.st_mtime_ns)

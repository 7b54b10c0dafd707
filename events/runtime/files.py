"""What the manifest files look like from outside: enough to notice an edit."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

Snapshot = dict[str, tuple[int, int, int]]
"""path -> (inode, size, time of the last change in nanoseconds)"""


def snapshot(paths: Sequence[str]) -> Snapshot:
    """All files that could be manifests, as they are now; `-` is left out."""
    found: Snapshot = {}
    for path in paths:
        if path != "-":
            for file in files_below(Path(path)):
                look(file, found)
    return found


def files_below(path: Path) -> list[Path]:
    if not path.is_dir():
        return [path]
    return [
        Path(folder) / name
        for folder, folders, names in os.walk(path)
        for name in names
        if hidden_out(folders) and name.endswith((".yaml", ".yml", ".json"))
    ]


def hidden_out(folders: list[str]) -> bool:
    folders[:] = [folder for folder in folders if not folder.startswith(".")]
    return True


def look(file: Path, found: Snapshot) -> None:
    try:
        state = file.stat()
    except OSError:
        return
    found[str(file)] = (state.st_ino, state.st_size, state.st_mtime_ns)

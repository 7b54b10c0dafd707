"""Edits are noticed in the files that the loader reads, and in no others."""

from __future__ import annotations

import os
from itertools import pairwise
from pathlib import Path

from events.runtime.files import snapshot


def test_only_what_the_loader_reads_is_looked_at(tmp_path: Path):
    for name in ("a.yaml", "sub/b.yml", "sub/c.json", ".hidden/d.yaml", ".e.yaml", "f.test.yaml", "g.txt"):
        file = tmp_path / name
        file.parent.mkdir(exist_ok=True)
        file.write_text("")
    assert {os.path.relpath(name, tmp_path) for name in snapshot([str(tmp_path)])} == {
        "a.yaml", "sub/b.yml", "sub/c.json",
    }  # fmt: skip


def test_hidden_folders_are_left_out_also_below_a_folder_without_files(tmp_path: Path):
    (tmp_path / ".git" / "deep").mkdir(parents=True)
    (tmp_path / ".git" / "deep" / "a.yaml").write_text("")
    assert snapshot([str(tmp_path)]) == {}


def test_a_change_of_any_kind_is_noticed(tmp_path: Path):
    file = tmp_path / "a.yaml"
    seen = []
    for text in (None, "a", "ab"):
        if text is not None:
            file.write_text(text)
        seen.append(snapshot([str(tmp_path), "-"]))
    os.utime(file, ns=(1, 1))
    seen.append(snapshot([str(tmp_path)]))
    other = tmp_path / "b.tmp"
    other.write_text("ab")
    os.utime(other, ns=(1, 1))
    other.replace(file)
    seen.append(snapshot([str(tmp_path)]))
    assert all(before != after for before, after in pairwise(seen))


def test_a_named_file_is_looked_at_whatever_its_name_is(tmp_path: Path):
    file = tmp_path / "manifest.txt"
    assert snapshot([str(file)]) == {}
    file.write_text("x")
    assert list(snapshot([str(file)])) == [str(file)]

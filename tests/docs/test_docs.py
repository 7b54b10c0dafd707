"""What the documents say is true: commands run, manifests load, links lead somewhere."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from events.manifest import load
from events.manifest.reference import files
from events.testing.servers import free_port
from events.tools.lint import lint

ROOT = Path(__file__).parents[2]
PAGES = [*ROOT.glob("*.md"), *ROOT.glob("benchmarks/*.md"), *sorted(ROOT.glob("docs/**/*.md"))]
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\[[^\]]+\]\(([^)\s]+)\)")


class Block(NamedTuple):
    page: Path
    language: str
    text: str

    @property
    def name(self) -> str:
        return f"{self.page.relative_to(ROOT)}: {self.text.splitlines()[0][:40]}"


def blocks(*languages: str) -> list[Block]:
    return [
        Block(page, language, text)
        for page in PAGES
        for language, text in FENCE.findall(page.read_text())
        if language in languages
    ]


def commands(block: Block) -> list[str]:
    """The lines of a block without comments."""
    lines = (line.partition("#")[0].strip() for line in block.text.splitlines())
    return [line for line in lines if line]


SHELL = blocks("sh", "bash", "console")


# links and sizes


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_to_files_and_headings(page: Path):
    text = FENCE.sub("", page.read_text())
    for link in LINK.findall(text):
        if link.startswith(("http://", "https://")):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), link
        if anchor:
            assert anchor in anchors(target), link


def anchors(page: Path) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_the_readme_is_about_a_hundred_lines():
    assert 70 <= len((ROOT / "README.md").read_text().splitlines()) <= 120


def test_all_fences_are_closed():
    for page in PAGES:
        assert page.read_text().count("```") % 2 == 0, page


# manifests


def test_manifests_load_without_errors(tmp_path: Path):
    for number, block in enumerate(blocks("yaml", "yml")):
        file = tmp_path / f"{number}.yaml"
        file.write_text(block.text)
        assert load([file]).errors == [], block.name


def test_the_examples_can_be_run_together():
    """No name is there twice. The JSON files are bodies for `curl` and `events send`, not manifests."""
    findings = lint(load([ROOT / "examples"]))
    found = {(Path(str(finding.file)).name, finding.severity) for finding in findings}
    assert found == {("alert.json", "warning"), ("push.json", "warning")}, "\n".join(map(str, findings))


# generated pages


@pytest.mark.parametrize("name", sorted(files()))
def test_the_reference_is_up_to_date(name: str):
    page = ROOT / "docs" / "reference" / name
    assert page.read_text() == files()[name], "run `make docs`"


# commands


def test_make_targets_exist():
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = {
        word
        for block in SHELL
        for line in commands(block)
        if shlex.split(line)[0] == "make"
        for word in shlex.split(line)[1:]
        if not word.startswith("-") and "=" not in word
    }
    assert named
    assert named <= targets
    assert {
        target for page in PAGES for target in re.findall(r"`make ([a-z-]+)", page.read_text())
    } <= targets


KNOWN = ("events ", "make ", ". .venv/bin/activate", "python -m ", ".venv/bin/python -m ", "pip ")


def test_no_command_is_left_unchecked():
    """Lines of other programs would need a test of their own."""
    for block in SHELL:
        for line in commands(block):
            assert line.startswith(KNOWN), f"{block.name}: {line}"


def test_modules_that_are_run_exist():
    for block in SHELL:
        for line in commands(block):
            found = re.search(r"python -m ([\w.]+)", line)
            if found and found[1] not in {"pytest", "venv"}:
                path = ROOT / found[1].replace(".", "/")
                assert path.with_suffix(".py").exists() or (path / "__main__.py").exists(), line


def event_lines() -> list[str]:
    return [line for block in SHELL for line in commands(block) if line.startswith("events ")]


class Scene:
    """The examples in a folder of their own, an instance on them, and what its placeholders stand for."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        shutil.copytree(ROOT / "examples", folder / "examples")
        github = folder / "examples" / "quickstart" / "github.yaml"
        text = github.read_text()
        # At once a dead letter: what listens there is no chat.
        text = text.replace("12001", str(free_port())).replace("steps: 5", "steps: 1")
        github.write_text(text.replace("12000", str(free_port())))
        self.instance: subprocess.Popen[str] | None = None
        self.places: dict[str, str] = {}

    def run(self, line: str) -> str:
        """A line of a document; its output. Fails unless it ends with 0."""
        words = [self.places.get(word, word) for word in shlex.split(line)]
        if words[1] == "run":
            return self.start(words)
        if words[1] == "demo":
            words += ["--exit", "--port", "0"]
        done = subprocess.run(
            [sys.executable, "-m", *words],
            cwd=self.folder,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert done.returncode == 0, f"{line}: {done.stderr}"
        assert done.stdout
        return done.stdout

    def start(self, words: list[str]) -> str:
        if self.instance is not None:
            return "runs already"
        self.instance = subprocess.Popen(
            [sys.executable, "-m", *words, "--port", "0"],
            cwd=self.folder, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
        )  # fmt: skip
        assert self.instance.stdout is not None
        told = self.instance.stdout.readline()
        assert told.startswith("data in ")
        return told

    def learn(self, line: str, out: str) -> None:
        """After a delivery: its id, and the firing that became a dead letter of it."""
        found = re.search(r"`events explain (\S+)`", out)
        if line.startswith("events send") and found:
            self.places["EVENT_ID"] = found[1]
            self.places["FIRING"] = self.dead_letter()

    def dead_letter(self) -> str:
        end = time.monotonic() + 20
        while time.monotonic() < end:
            first, *rows = self.run("events dlq list").splitlines()
            if first.startswith("FIRING") and rows:
                return rows[0].split()[0]
            time.sleep(0.2)
        raise AssertionError("there is no dead letter")

    def stop(self) -> int:
        if self.instance is None:
            return 0
        self.instance.terminate()
        self.instance.communicate(timeout=40)
        return self.instance.returncode


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    made = Scene(tmp_path)
    yield made
    assert made.stop() == 0


@pytest.mark.e2e
@pytest.mark.timeout(240)
def test_the_commands_run_as_they_are_written(scene: Scene):
    lines = event_lines()
    assert any(line.startswith("events run") for line in lines)
    for line in lines:
        scene.learn(line, scene.run(line))
    assert set(scene.places) == {"EVENT_ID", "FIRING"}


def inline_lines() -> list[str]:
    found = [code for page in PAGES for code in re.findall(r"`(events [^`]+)`", page.read_text())]
    return sorted({line for line in found if "..." not in line and not line.startswith("events --")})


LEAST = {
    **{name: ["X"] for name in ("run", "lint", "test", "explain", "get")},
    "simulate": ["X", "--from", "X"],
    "render": ["X", "--trigger", "s.t", "-e", "X"],
    "eval": ["--path", "X"],
    "dlq": ["list"],
    "send": ["event"],
}
"""What a command cannot do without, where a sentence only names it."""


@pytest.mark.parametrize("line", inline_lines())
def test_commands_within_sentences_exist(line: str):
    from events.cli import build

    words = shlex.split(line)[1:]
    if len(words) == 1:
        words += LEAST.get(words[0], [])
    assert build().parse_args(words).command == words[0]


@pytest.mark.parametrize("page", sorted(ROOT.glob("examples/*/README.md")), ids=lambda page: page.parent.name)
def test_commands_of_the_examples_exist(page: Path):
    from events.cli import build

    lines = [line for line in page.read_text().splitlines() if line.startswith("events ")]
    assert lines
    for line in lines:
        build().parse_args(shlex.split(line, comments=True)[1:])

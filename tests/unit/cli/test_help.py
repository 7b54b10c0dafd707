"""Help: every command tells what it does, with an example that parses, and the exit codes."""

from __future__ import annotations

import argparse
import itertools
import re
import shlex
from collections.abc import Iterator

import pytest

from events.cli import COMMANDS, build, main
from events.cli._shared import EXIT_CODES
from events.cli.completion import subcommands


def all_commands(parser: argparse.ArgumentParser, words: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    for name, inner in subcommands(parser).items():
        yield (*words, name)
        yield from all_commands(inner, (*words, name))


EVERY = [(), *all_commands(build())]


def help_of(words: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> str:
    with pytest.raises(SystemExit) as ended:
        main([*words, "--help"])
    assert ended.value.code == 0
    return capsys.readouterr().out


@pytest.mark.parametrize("words", EVERY, ids=" ".join)
def test_help_has_an_example_and_the_exit_codes(words: tuple[str, ...], capsys: pytest.CaptureFixture[str]):
    text = help_of(words, capsys)
    example = text.partition("Example:\n  ")[2]
    assert " ".join(("events", *words)) in example
    assert EXIT_CODES in text


@pytest.mark.parametrize("words", EVERY, ids=" ".join)
def test_examples_are_command_lines_that_parse(words: tuple[str, ...], capsys: pytest.CaptureFixture[str]):
    lines = [line.strip() for line in help_of(words, capsys).splitlines() if line.startswith("  events ")]
    assert lines
    for line in lines:
        command = list(itertools.takewhile(lambda word: word not in {">", "|"}, shlex.split(line)))
        assert command[1 : len(words) + 1] == list(words) or not words or len(words) == 1
        assert build().parse_args(command[1:]).command == command[1]


@pytest.mark.parametrize("words", EVERY, ids=" ".join)
def test_every_argument_is_described(words: tuple[str, ...]):
    parser = build()
    for word in words:
        parser = subcommands(parser)[word]
    for action in parser._actions:
        assert action.help or isinstance(action, argparse._SubParsersAction), action.dest


def test_all_commands_are_listed(capsys: pytest.CaptureFixture[str]):
    text = help_of((), capsys)
    assert all(re.search(rf"^ +{name}\b", text, re.MULTILINE) for name in COMMANDS)


def test_without_a_command_help_is_shown_and_the_exit_code_is_2(capsys: pytest.CaptureFixture[str]):
    assert main([]) == 2
    assert "commands:" in capsys.readouterr().out


@pytest.mark.parametrize(
    "words", [w for w in EVERY if len(w) > 0 and w not in {("dlq",), ("send",)}], ids=" ".join
)
def test_every_command_offers_json(words: tuple[str, ...]):
    parser = build()
    for word in words:
        parser = subcommands(parser)[word]
    assert any("--output" in action.option_strings for action in parser._actions)

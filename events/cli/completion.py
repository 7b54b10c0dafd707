"""`events completion`: a script that completes commands, options and their values in a shell."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from events.cli._shared import OK, add_output, command
from events.cli._show import show_json

EXAMPLE = """source <(events completion bash)
events completion zsh > ~/.zfunc/_events
events completion fish > ~/.config/fish/completions/events.fish"""

BASH = """\
_events() {{
  local word="${{COMP_WORDS[COMP_CWORD]}}" before="${{COMP_WORDS[COMP_CWORD-1]}}" words files=
  case "${{COMP_WORDS[1]-}} ${{COMP_WORDS[2]-}}" in
{cases}
  *) words="{top}"; [ "$COMP_CWORD" -gt 1 ] && words= ;;
  esac
  case "$before" in
{values}
  esac
  COMPREPLY=($(compgen -W "$words" -- "$word"))
  if [ -n "$files" ]; then COMPREPLY+=($(compgen -f -- "$word")); compopt -o filenames 2>/dev/null; fi
}}
complete -F _events events"""

ZSH = """\
#compdef events
_events() {{
  local before="${{words[CURRENT-1]}}"
  local -a found; local files=
  if (( CURRENT == 2 )); then compadd -- {top}; return; fi
  case "${{words[2]}} ${{words[3]}}" in
{cases}
  esac
  case "$before" in
{values}
  esac
  compadd -- $found
  if [[ -n "$files" ]]; then _files; fi
}}
if [[ "${{funcstack[1]}}" == _events ]]; then _events "$@"; else compdef _events events; fi"""

FILES = frozenset({"--file", "--data", "--secrets"})
"""Options whose value is a path."""


class Level(NamedTuple):
    """What can follow some words of a command line."""

    words: tuple[str, ...]
    summary: str
    offered: list[str]
    paths: bool


def register(commands: Any) -> None:
    parser = command(commands, "completion", "print a shell completion script", EXAMPLE, run)
    parser.add_argument("shell", choices=("bash", "zsh", "fish"), help="for which shell")
    add_output(parser)


def run(args: argparse.Namespace) -> int:
    from events.cli import build

    parser = build()
    script = {"bash": bash, "zsh": zsh, "fish": fish}[args.shell](parser)
    if args.output == "json":
        show_json({"shell": args.shell, "script": script})
    else:
        print(script)
    return OK


def levels(parser: argparse.ArgumentParser, words: tuple[str, ...] = ()) -> Iterator[Level]:
    """The deepest first, so that the first one that fits is the right one."""
    for name, inner in subcommands(parser).items():
        yield from levels(inner, (*words, name))
    if words:
        summary = (parser.description or "").rstrip(".").replace("'", "")
        yield Level(words, summary, offered(parser), any(one.dest == "paths" for one in parser._actions))


def subcommands(parser: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            return dict(action.choices)
    return {}


def offered(parser: argparse.ArgumentParser) -> list[str]:
    """Subcommands or fixed values of the next word, then long options."""
    found, options = list[str](), list[str]()
    for action in parser._actions:
        if not action.option_strings and action.choices:
            found += map(str, action.choices)
        elif action.dest == "what":
            found += ["events", "decisions", "sources", "sensors", "buses", "objects", "workflows"]
        options += [name for name in action.option_strings if name.startswith("--")]
    return found + options


def values(parser: argparse.ArgumentParser) -> dict[str, Sequence[str]]:
    """Option -> its fixed values, over all commands."""
    found: dict[str, Sequence[str]] = {}
    for inner in subcommands(parser).values():
        found |= values(inner)
    for action in parser._actions:
        if action.option_strings and action.choices:
            choices = [str(choice) for choice in action.choices]
            found |= dict.fromkeys(action.option_strings, choices)
    return found


def bash(parser: argparse.ArgumentParser) -> str:
    return BASH.format(
        top=" ".join(subcommands(parser)),
        cases="\n".join(
            f'  "{" ".join(one.words)}"*) words="{" ".join(one.offered)}"{"; files=1" * one.paths} ;;'
            for one in levels(parser)
        ),
        values="\n".join(
            [
                *(f'  {name}) words="{" ".join(of)}"; files= ;;' for name, of in values(parser).items()),
                f"  {'|'.join(sorted(FILES))}) words=; files=1 ;;",
            ]
        ),
    )


def zsh(parser: argparse.ArgumentParser) -> str:
    return ZSH.format(
        top=" ".join(subcommands(parser)),
        cases="\n".join(
            f'  "{" ".join(one.words)}"*) found=({" ".join(one.offered)}){"; files=1" * one.paths} ;;'
            for one in levels(parser)
        ),
        values="\n".join(
            [
                *(f"  {name}) found=({' '.join(of)}); files= ;;" for name, of in values(parser).items()),
                f"  {'|'.join(sorted(FILES))}) found=(); files=1 ;;",
            ]
        ),
    )


def fish(parser: argparse.ArgumentParser) -> str:
    lines = ["complete -c events -f"]
    known = values(parser)
    for one in levels(parser):
        *before, name = one.words
        lines.append(f"complete -c events -n '{fish_after(before)}' -a {name} -d '{one.summary}'")
        lines += [
            fish_option(one.words, option, known.get(option)) for option in one.offered if "--" in option
        ]
        if one.paths:
            lines.append(f"complete -c events -n '{fish_after(one.words)}' -F")
    return "\n".join(lines)


def fish_after(words: Sequence[str]) -> str:
    if not words:
        return "__fish_use_subcommand"
    return "; and ".join(f"__fish_seen_subcommand_from {word}" for word in words)


def fish_option(words: Sequence[str], option: str, choices: Sequence[str] | None) -> str:
    line = f"complete -c events -n '{fish_after(words)}' -l {option.removeprefix('--')}"
    if choices:
        return f"{line} -x -a '{' '.join(choices)}'"
    return f"{line} -r -F" if option in FILES else line

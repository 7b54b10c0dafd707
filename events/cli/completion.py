"""`events completion`: a script that completes commands and options in a shell."""

from __future__ import annotations

import argparse
from typing import Any

from events.cli._shared import OK, command

EXAMPLE = "source <(events completion bash)\nevents completion zsh > ~/.zfunc/_events"

BASH = """_events() {{
  local words="{top}"
  case "${{COMP_WORDS[1]}}" in
{cases}
  esac
  COMPREPLY=($(compgen -f -W "$words" -- "${{COMP_WORDS[COMP_CWORD]}}"))
}}
complete -o filenames -F _events events"""

FISH = "complete -c events -n __fish_use_subcommand -f -a '{name}' -d '{help}'"


def register(commands: Any) -> None:
    parser = command(commands, "completion", "print a shell completion script", EXAMPLE, run)
    parser.add_argument("shell", choices=("bash", "zsh", "fish"))


def run(args: argparse.Namespace) -> int:
    from events.cli import build

    parser = build()
    found = subcommands(parser)
    if args.shell == "fish":
        print(fish(found))
    elif args.shell == "zsh":
        print("#compdef events\nautoload -U bashcompinit && bashcompinit\n" + bash(found))
    else:
        print(bash(found))
    return OK


def subcommands(parser: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    return next(
        (
            dict(action.choices)
            for action in parser._actions
            if isinstance(action, argparse._SubParsersAction)
        ),
        {},
    )


def words(parser: argparse.ArgumentParser) -> list[str]:
    """Subcommands, fixed choices and long options of a command, one level down."""
    found: list[str] = []
    for action in parser._actions:
        found += [name for name in action.option_strings if name.startswith("--")]
        if isinstance(action, argparse._SubParsersAction):
            for name, inner in action.choices.items():
                found += [name, *words(inner)]
        elif not action.option_strings and action.choices:
            found += [str(choice) for choice in action.choices]
    return list(dict.fromkeys(found))


def bash(found: dict[str, argparse.ArgumentParser]) -> str:
    cases = "\n".join(f'    {name}) words="{" ".join(words(one))}" ;;' for name, one in found.items())
    return BASH.format(top=" ".join(found), cases=cases)


def fish(found: dict[str, argparse.ArgumentParser]) -> str:
    lines = [
        FISH.format(name=name, help=(one.description or "").replace("'", "")) for name, one in found.items()
    ]
    for name, one in found.items():
        lines += [
            f"complete -c events -n '__fish_seen_subcommand_from {name}' -l {word.removeprefix('--')}"
            for word in words(one)
            if word.startswith("--")
        ]
    return "\n".join(lines)

"""`args` of argoWorkflow: options of the argo command line that change a workflow or choose its nodes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

from events.errors import EvaluationError, ExpressionError
from events.kube._base import Object
from events.triggers._workflow_nodes import as_map, compile_selector, set_parameter

SUBMIT = {
    "-p": "parameter", "--parameter": "parameter", "--entrypoint": "entrypoint",
    "--serviceaccount": "serviceAccountName", "--name": "name", "--generate-name": "generateName",
    "-l": "labels", "--labels": "labels", "--priority": "priority",
}  # fmt: skip
PARAMETER = {"-p": "parameter", "--parameter": "parameter"}
SELECTOR = {"--node-field-selector": "selector"}

WATCHING = {
    "--log": "watch",
    "-w": "watch",
    "--wait": "watch",
    "--watch": "watch",
    "-o": "show",
    "--output": "show",
}
SHOWING = {**WATCHING, "--strict": "watch", "--status": "show", "--node-field-selector": "show"}
"""About what the program prints, and nothing else: taken, without an effect."""

FLAGS: Mapping[str, Mapping[str, str]] = {
    "submit": {**SUBMIT, **SHOWING},
    "submit-from": {**SUBMIT, **SHOWING},
    "resubmit": {**PARAMETER, **WATCHING, "--memoized": "memoized", "--priority": "priority"},
    "retry": {**PARAMETER, **SELECTOR, **WATCHING, "--restart-successful": "restartSuccessful"},
    "resume": SELECTOR,
    "stop": {**SELECTOR, "--message": "message"},
    "suspend": {},
    "terminate": {},
}
"""What each operation can be told."""

SWITCHES = frozenset({"memoized", "restartSuccessful", "watch"})
"""Options without a value."""

WITHOUT_EFFECT = frozenset({"watch", "show"})

CHECKS: Mapping[str, Callable[[str], object]] = {"selector": compile_selector, "priority": int}


class Option(NamedTuple):
    """One option and its value."""

    name: str
    value: str = ""


def compile_options(operation: str, args: Sequence[str]) -> list[Option]:
    """The options in `args`. Raises ExpressionError for one that the operation does not have."""
    given = options_in(FLAGS[operation], iter(args), operation)
    found = [option for option in given if option.name not in WITHOUT_EFFECT]
    for option in found:
        try:
            CHECKS.get(option.name, str)(option.value)
        except ValueError as exc:
            raise ExpressionError(f"{option.name} is not a whole number", option.value) from exc
        if option.name == "parameter" and "=" not in option.value:
            raise ExpressionError("a parameter is NAME=VALUE", option.value)
    return found


def options_in(flags: Mapping[str, str], words: Iterator[str], operation: str) -> Iterator[Option]:
    for word in words:
        flag, given, value = word.partition("=")
        if flag not in flags:
            useful = [name for name, what in flags.items() if what not in WITHOUT_EFFECT]
            can = f"only {', '.join(useful)} can be given" if useful else "no options can be given"
            raise ExpressionError(f"{operation}: {can}", word)
        if flags[flag] in SWITCHES:
            if not given or value == "true":
                yield Option(flags[flag])
            continue
        text = value if given else next(words, None)
        if text is None:
            raise ExpressionError("a value is missing", word)
        yield Option(flags[flag], text)


def value_of(options: Sequence[Option], name: str) -> str | None:
    """The last one of that name."""
    return next((option.value for option in reversed(options) if option.name == name), None)


def parameters_of(options: Sequence[Option]) -> list[tuple[str, str]]:
    pairs = (option.value.partition("=") for option in options if option.name == "parameter")
    return [(name, value) for name, _, value in pairs]


def with_options(obj: Object, options: Sequence[Option]) -> Object:
    """A copy of a workflow with the options laid over it. Raises EvaluationError for what is no workflow."""
    if obj["kind"] != "Workflow":
        raise EvaluationError(f"only a Workflow can be submitted, this is a {obj['kind']}")
    if not options:
        return obj
    meta, spec = dict(obj["metadata"]), dict(as_map(obj.get("spec"), "spec"))
    for what, text in options:
        if what in {"name", "generateName"}:
            meta[what] = text
        elif what == "labels":
            pairs = (pair.partition("=") for pair in text.split(","))
            meta["labels"] = {**(meta.get("labels") or {}), **{key: value for key, _, value in pairs}}
        elif what == "parameter":
            set_parameter(spec, *text.partition("=")[::2])
        else:
            spec[what] = int(text) if what == "priority" else text
    return {**obj, "metadata": meta, "spec": spec}

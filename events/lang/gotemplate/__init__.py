"""Go text/template with the Sprig functions, compiled to closures.

Syntax    Go 1.26 text/template, default missing-key mode, no HTML escaping; Sprig's GenericFuncMap
Data      decoded JSON (see govalue); what a caller wants as `.Input` it puts under that key
Limits    output of MAX_TEXT characters, MAX_STEPS steps in loops and nested templates
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, TypeAlias, TypeGuard, cast

from events.errors import EvaluationError, ExpressionError
from events.lang.gofmt import MAX_TEXT
from events.lang.gotemplate.builtins import BUILTINS
from events.lang.gotemplate.expressions import LOGIC_NAMES, Frame, Program, Scope, unset_pipeline
from events.lang.gotemplate.nodes import Action, Block, Field, Text, Tree
from events.lang.gotemplate.parse import ROOT, parse
from events.lang.gotemplate.run import MAX_STEPS, Env, Expression, Run
from events.lang.gotemplate.statements import Linker, shown
from events.lang.govalue import canonical

__all__ = ["MAX_STEPS", "MAX_TEXT", "Env", "Template", "compile_template"]

_Code: TypeAlias = Callable[[Any, Env], str]

_NO_RUN: Final = cast(Run, None)  # for expressions that never look at it: making one costs more than they do


class Template:
    """A compiled template."""

    __slots__ = ("_code", "_mutates", "plain_path", "source")

    def __init__(
        self, source: str, code: _Code, *, mutates: bool, plain_path: tuple[str, ...] | None
    ) -> None:
        self.source, self._code, self._mutates = source, code, mutates
        self.plain_path = plain_path
        """The names of `{{ .a.b }}` if the template is nothing else, for an index of paths."""

    def render(self, data: Any, env: Env) -> str:
        """The output for this data, which stays as it is. Raises EvaluationError.

        Empty output and `<no value>` are results like any other.
        """
        try:
            return canonical(self._code(_copied(data) if self._mutates else data, env))
        except EvaluationError as exc:
            raise EvaluationError(exc.message, self.source) from exc
        except RecursionError as exc:
            raise EvaluationError("template or data is nested too deeply", self.source) from exc


def compile_template(text: str) -> Template:
    """Parse and compile a template. Raises ExpressionError: bad syntax, unknown function or variable."""
    from events.lang import sprig  # most programs have no template and need not load its groups

    program = Program({**BUILTINS, **sprig.FUNCTIONS}, sprig.ENV_FUNCTIONS, frozenset(sprig.MUTATING))
    tree = parse(text, {*program.functions, *program.env_functions, *LOGIC_NAMES})
    try:
        code = _compiled(tree, program)
    except RecursionError as exc:
        raise ExpressionError("template is nested too deeply", text) from exc
    return Template(text, code, mutates=program.mutates, plain_path=_plain_path(tree.blocks[ROOT]))


def _compiled(tree: Tree, program: Program) -> _Code:
    nodes = tree.blocks[ROOT]
    if _is_flat(nodes):
        return _flat(nodes, Scope(program, Frame()))
    unit = Linker(program).compile(tree, ROOT)

    def code(data: Any, env: Env) -> str:
        run = Run(env, unit.frame.fresh(data))
        unit.code(run, data)
        return "".join(run.parts)

    return code


def _is_flat(nodes: Block) -> TypeGuard[tuple[Text | Action, ...]]:
    return all(
        isinstance(node, Text) or (isinstance(node, Action) and not node.pipeline.variables) for node in nodes
    )


def _flat(nodes: tuple[Text | Action, ...], scope: Scope) -> _Code:
    """Code of a template without control flow: its pieces, joined."""
    pieces: list[str | Expression] = [
        node.text if isinstance(node, Text) else unset_pipeline(node.pipeline, scope) for node in nodes
    ]
    needs_run = scope.program.needs_run

    def code(data: Any, env: Env) -> str:
        run = Run(env, scope.frame.fresh(data)) if needs_run else _NO_RUN
        parts, size = [], 0
        for piece in pieces:
            text = piece if isinstance(piece, str) else shown(piece(run, data))
            parts.append(text)
            size += len(text)
            if size > MAX_TEXT:
                raise EvaluationError(f"output is longer than {MAX_TEXT} characters")
        return "".join(parts)

    return code


def _plain_path(nodes: Block) -> tuple[str, ...] | None:
    if len(nodes) != 1 or not isinstance(nodes[0], Action):
        return None
    node = nodes[0].pipeline
    if node.variables or len(node.commands) != 1 or len(node.commands[0]) != 1:
        return None
    operand = node.commands[0][0]
    return operand.names if isinstance(operand, Field) else None


def _copied(value: Any) -> Any:
    """Maps and lists anew, for functions that change a map in place."""
    if isinstance(value, dict):
        return {key: _copied(item) for key, item in value.items()}
    return [_copied(item) for item in value] if isinstance(value, list) else value

"""One expression on one payload, in each of the languages of manifests.

path           gjson or JSONPath, as in `path` and `dataKey`
expr           govaluate, as in `exprs`; variables are `fields`, else paths into the payload
template       Go template, as in `dataTemplate`: the payload is `.Input`
source_filter  expr-lang, as in the `filter` of an event source
jq, lua        as in `transform`, and `script` for Lua: in a process of their own, with a deadline
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from events.errors import EvaluationError
from events.lang.document import Document
from events.lang.path import compile_path
from events.manifest.yamltext import MAX_DEPTH, is_deeper
from events.tools.trial.script import Given, Script, run_script


class Value(NamedTuple):
    """What an expression gave. `kind` names the type of the value."""

    kind: str
    value: Any

    @classmethod
    def of(cls, value: Any) -> Value:
        """Raises EvaluationError for what is too deep to be shown."""
        if is_deeper(value, MAX_DEPTH):
            raise EvaluationError(f"the value nests deeper than {MAX_DEPTH} levels")
        return cls(kind_of(value), whole(value))


def evaluate(language: str, text: str, data: bytes, now_ns: int, fields: Mapping[str, str]) -> Value:
    """Raises ExpressionError for text that does not compile, EvaluationError when there is no value.

    `fields`: name of a variable -> path, for `expr` only.
    """
    if language == "expr":
        return expr(text, data, fields)
    return LANGUAGES[language](text, data, now_ns)


def document(data: bytes) -> Document:
    """Raises EvaluationError."""
    doc = Document(data)
    if not doc.valid:
        raise EvaluationError("the payload is not valid JSON")
    return doc


def path(text: str, data: bytes, _: int) -> Value:
    found = compile_path(text).get(document(data))
    if not found.exists:
        raise EvaluationError("there is nothing at this path", text)
    value = found.value()
    return Value.of(value)


def expr(text: str, data: bytes, fields: Mapping[str, str]) -> Value:
    from events.lang.govaluate import compile_expression

    compiled, doc = compile_expression(text), document(data)
    variables = {name: variable(name, fields.get(name, name), doc) for name in sorted(compiled.names)}
    value = compiled.evaluate(variables)
    return Value.of(value)


def variable(name: str, where: str, doc: Document) -> Any:
    found = compile_path(where).get(doc)
    if not found.exists:
        raise EvaluationError(f"variable {name}: there is nothing at this path", where)
    return found.value()


def template(text: str, data: bytes, now_ns: int) -> Value:
    from events.lang.gotemplate import compile_template
    from events.sensors.templating import template_env

    compiled = compile_template(text)
    return Value("text", compiled.render({"Input": document(data).value}, template_env(now_ns, "eval")))


def source_filter(text: str, data: bytes, now_ns: int) -> Value:
    from events.lang.exprlang import compile_filter

    value = compile_filter(text).evaluate(document(data).tree)
    return Value.of(value)


def script(language: str) -> Callable[[str, bytes, int], Value]:
    def run(text: str, data: bytes, now_ns: int) -> Value:
        value = run_script(Script(language, text), Given(document(data).tree, now_ns / 1e9))
        return Value.of(value)

    return run


LANGUAGES: Mapping[str, Callable[[str, bytes, int], Value]] = {
    "path": path, "template": template, "jq": script("jq"), "lua": script("lua"),
    "source_filter": source_filter,
}  # fmt: skip


EXACT = 1 << 53
"""Above it, not every whole number is a double."""


def whole(value: Any) -> Any:
    """The value with whole numbers without a fraction, as JSON and Go write them."""
    if isinstance(value, float) and value.is_integer() and abs(value) < EXACT:
        return int(value)
    if isinstance(value, dict):
        return {key: whole(item) for key, item in value.items()}
    return [whole(item) for item in value] if isinstance(value, (list, tuple)) else value


def kind_of(value: Any) -> str:
    """The type of a value in words."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, (int, float)):
        return "number"
    if isinstance(value, str):
        return "text"
    if isinstance(value, dict):
        return "object"
    return "list" if isinstance(value, (list, tuple)) else type(value).__name__

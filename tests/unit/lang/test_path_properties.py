"""Properties of paths: the decoded document and the text give the same, and nothing unlisted is raised."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from events.errors import EvaluationError, ExpressionError
from events.lang.document import Document, Extractor
from events.lang.gjson_query import pattern
from events.lang.path import Result, compile_path

NAMES = ["a", "b", "c", "a.b", "", "0", "1", "#", "é"]
NUMBERS = [
    "0",
    "-0",
    "-0.0",
    "7",
    "1.50",
    "1e3",
    "1E-7",
    "9223372036854775808",
    "123456789012345678901",
    "1e400",
]
STRINGS = [
    '""',
    '"a"',
    '"[1]"',
    '"{\\"a\\":1}"',
    r'"\u0041:"',
    r'"\u003a"',
    r'"\ud83d\ude00"',
    r'"\ud800"',
    '"é"',
]

blanks = st.sampled_from(["", "", "", " ", "\n\t"])
scalars = st.sampled_from(NUMBERS + STRINGS + ["true", "false", "null"])


def arrays(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.builds(
        lambda parts, blank: f"[{blank}{(',' + blank).join(parts)}]", st.lists(inner, max_size=4), blanks
    )


def objects(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    member = st.builds(
        lambda name, blank, value: f"{json.dumps(name)}{blank}:{blank}{value}",
        st.sampled_from(NAMES),
        blanks,
        inner,
    )
    return st.builds(
        lambda parts, blank: f"{{{blank}{','.join(parts)}{blank}}}", st.lists(member, max_size=4), blanks
    )


documents = st.recursive(scalars, lambda inner: arrays(inner) | objects(inner), max_leaves=20)
components = st.sampled_from(
    ["a", "b", "c", "0", "1", "01", "", "é", r"a\.b", "#", "#", "#(a)", "#(a==1)#", '#(=="a")#',
     '#(a.b!="x")', "#(#>1)#", "#(b==~false)#", "*", "a*", "@this", "@reverse", "@keys", "[a,b]", '{"x":a}'],
)  # fmt: skip
paths = st.lists(components, min_size=1, max_size=4).map(".".join)
plain_paths = st.lists(st.sampled_from(["a", "b", "c", "0", "1", "2", "", "é"]), min_size=1, max_size=4).map(
    ".".join
)


def forms(result: Result) -> tuple[object, ...]:
    return result.exists, result.kind, result.raw, result.text, str(result.number), result.boolean


@given(documents, paths | plain_paths)
def test_decoded_document_and_text_agree(text: str, path: str) -> None:
    doc = Document(text)
    compiled = compile_path(path)
    found, scanned = compiled.get(doc), compiled.scan(doc)
    assert forms(found) == forms(scanned)
    assert found.value() == scanned.value()


@given(documents, st.lists(plain_paths, max_size=4))
def test_primed_document_and_text_agree(text: str, sources: list[str]) -> None:
    compiled = [compile_path(source) for source in sources]
    doc = Document(text)
    doc.prime(Extractor(compiled))
    for path in compiled:
        assert forms(path.get(doc)) == forms(path.scan(Document(text)))


@given(documents)
def test_every_member_of_every_object_is_found(text: str) -> None:
    doc = Document(text)
    tree = json.loads(
        text.replace("\\ud800", "\\ufffd"), object_pairs_hook=lambda pairs: dict(reversed(pairs))
    )
    unread = [((), tree)]
    while unread:
        keys, node = unread.pop()
        found = compile_path(".".join(keys) if keys else "@this").get(doc)
        assert found.exists
        if isinstance(node, dict):
            assert found.raw.startswith("{")
            unread += [
                ((*keys, name.replace(".", r"\.")), value)
                for name, value in node.items()
                if name not in ("", "#")
            ]
        elif isinstance(node, list):
            assert found.raw.startswith("[")
            unread += [((*keys, str(i)), value) for i, value in enumerate(node)]
        elif isinstance(node, str):
            assert found.text == node


@given(
    st.binary() | st.text() | st.text('{}[]",:\\a1 '),
    st.text() | paths | st.text("ab.#()[]{}@|!\\*?\"'=<>%~:,$0 "),
)
def test_nothing_but_listed_errors_escapes(data: bytes | str, path: str) -> None:
    doc = Document(data)
    try:
        result = compile_path(path).get(doc)
        forms(result)
        result.value()
    except (EvaluationError, ExpressionError):
        assert path


@given(st.text("ab*?\\é", max_size=8), st.text("abé\\*", max_size=8))
def test_patterns_fit_as_a_slow_matcher_says(text: str, candidate: str) -> None:
    assert pattern(text)(candidate) is fits(text, candidate)


def fits(wanted: str, text: str) -> bool:
    """The obvious recursion. A backslash at the end is an ordinary character behind a star only."""
    if not wanted:
        return not text
    if wanted[0] == "*":
        return any(fits(wanted[1:], text[i:]) for i in range(len(text) + 1)) or (
            text.endswith("\\") and wanted.endswith("\\") and fits_lone_escape(wanted, text)
        )
    if wanted[0] == "\\":
        return len(wanted) > 1 and bool(text) and text[0] == wanted[1] and fits(wanted[2:], text[1:])
    return bool(text) and wanted[0] in ("?", text[0]) and fits(wanted[1:], text[1:])


def fits_lone_escape(wanted: str, text: str) -> bool:
    escapes = len(wanted) - len(wanted.rstrip("\\"))
    return escapes % 2 == 1 and fits(wanted[:-1], text[:-1])

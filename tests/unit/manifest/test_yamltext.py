from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from events.errors import ManifestError
from events.manifest.yamltext import MAX_DEPTH, Document, is_deeper, read_documents


def values(text: str) -> list[Any]:
    """The values of all documents; an error as its line and message."""
    return [
        item.value if isinstance(item, Document) else (item.line, item.message)
        for item in read_documents(text.encode())
    ]


def only(text: str) -> Any:
    (value,) = values(text)
    return value


def test_mappings_lists_and_scalars() -> None:
    assert only("a:\n  - 1\n  - {b: x, 'c d': [~]}\n") == {"a": [1, {"b": "x", "c d": [None]}]}


def test_keys_become_text() -> None:
    found = only("1: a\ntrue: b\n1.5: c\n2001-01-01: d\nn: e\n")
    assert found == {"1": "a", "true": "b", "1.5": "c", "2001-01-01": "d", "false": "e"}


@pytest.mark.parametrize("key", ["~", "[a]", "{a: b}"])
def test_keys_that_cannot_be_text(key: str) -> None:
    assert only(f"x: 1\n? {key}\n: 1\n") == (2, "has a key that is not text")


def test_lines() -> None:
    text = "# c\na: 1\nb:\n  - x\n  -\n    c: |\n      text\n    d: {e: 1,\n        f: 2}\n"
    (document,) = read_documents(text.encode())
    assert isinstance(document, Document)
    lines = document.lines
    assert lines.line == 2
    assert lines.inner["b"].line == 3
    second = lines.inner["b"].inner[1]
    assert (second.line, second.inner["c"].line, second.inner["d"].inner["f"].line) == (6, 6, 9)


def test_several_documents_and_their_lines() -> None:
    text = "a: 1\n---\n# nothing\n---\nb: 2\n...\n---\nc: 3\n--- {d: 4}\n---\n"
    documents = [item for item in read_documents(text.encode()) if isinstance(item, Document)]
    assert [document.value for document in documents] == [{"a": 1}, {"b": 2}, {"c": 3}, {"d": 4}]
    assert [document.lines.line for document in documents] == [1, 5, 8, 9]


@pytest.mark.parametrize("text", ["", "\n \n", "# only\n", "---\n---\n", "~\n", "%YAML 1.1\n---\n"])
def test_nothing(text: str) -> None:
    assert values(text) == []


def test_a_directive_before_the_first_document() -> None:
    assert only("%YAML 1.1\n---\na: 1\n") == {"a": 1}


def test_three_dashes_inside_text_do_not_end_a_document() -> None:
    assert only("a: |\n  ---\n  b\n---x: 1\n") == {"a": "---\nb\n", "---x": 1}


def test_a_broken_document_hides_no_other() -> None:
    text = "a: 1\n---\nb: [\n---\nc: 3\n"
    assert values(text)[0] == {"a": 1}
    assert values(text)[1][0] in (3, 4)
    assert values(text)[2] == {"c": 3}


def test_byte_order_mark_and_line_ends_of_windows() -> None:
    assert [
        item.value
        for item in read_documents(b"\xef\xbb\xbfa: 1\r\nb: 2\r\n---\r\nc: 3\r\n")
        if isinstance(item, Document)
    ] == [
        {"a": 1, "b": 2},
        {"c": 3},
    ]


def test_aliases_are_copies() -> None:
    value = only("a: &x {k: [1]}\nb: *x\nc: [*x, *x]\n")
    assert value == {"a": {"k": [1]}, "b": {"k": [1]}, "c": [{"k": [1]}, {"k": [1]}]}
    assert value["a"]["k"] is not value["b"]["k"]
    assert value["c"][0] is not value["c"][1]


def test_lines_behind_an_alias_are_those_of_the_anchor() -> None:
    (document,) = read_documents(b"a: &x\n  k: 1\nb: *x\n")
    assert isinstance(document, Document)
    assert document.lines.inner["b"].line == 3
    assert document.lines.inner["b"].inner["k"].line == 2


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("m: {<<: *x, a: 5}", {"a": 5, "b": 2}),
        ("m: {a: 5, <<: *x}", {"a": 1, "b": 2}),
        ("m: {<<: [*y, *x]}", {"a": 9, "b": 2}),
        ("m: {<<: {c: 3}, a: 1}", {"c": 3, "a": 1}),
        ("m: {'<<': 1}", {"<<": 1}),
    ],
)
def test_merges_happen_where_they_stand(text: str, value: dict[str, int]) -> None:
    assert only(f"x: &x {{a: 1, b: 2}}\ny: &y {{a: 9}}\n{text}\n")["m"] == value


@pytest.mark.parametrize(
    ("text", "value", "doubts"),
    [
        ("a: 1\nb: 2\na: 3\n", {"a": 3, "b": 2}, [(3, "the key 'a' stands above as well, this one wins")]),
        ("1: 2\n'1': 3\n", {"1": 3}, [(2, "the key '1' stands above as well, this one wins")]),
        (
            "x: {a: 1}\na: 2\n<<: {a: 3, b: 4}\n",
            {"x": {"a": 1}, "a": 3, "b": 4},
            [(3, "the merge replaces a above; put it first")],
        ),
        ("<<: {a: 3}\na: 2\n", {"a": 2}, []),
    ],
)
def test_keys_that_replace_others_are_told(
    text: str, value: dict[str, Any], doubts: list[tuple[int, str]]
) -> None:
    (document,) = read_documents(text.encode())
    assert isinstance(document, Document)
    assert (document.value, document.doubts) == (value, doubts)


@pytest.mark.parametrize("text", ["m: {<<: 1}", "m: {<<: [1]}", "x: &x [1]\nm: {<<: *x}"])
def test_only_maps_can_be_merged(text: str) -> None:
    assert values(text)[-1][1] == "merges something that is not a map"


@pytest.mark.parametrize(
    ("text", "line", "part"),
    [
        ("a:\n\tb: 1\n", 2, "is indented with a tab"),
        ("a: b: c\n", 1, "is not YAML"),
        ("a: *b\n", 1, "there is no &b"),
        ("a: &a [*a]\n", 1, "holds itself"),
        ("a: .inf\n", 1, "is not a number that JSON knows"),
        ("a: !!int x\n", 1, "is marked !!int"),
        ("a: 1\nb: \x00\n", 2, "control character U+0000"),
        ("a: 1\nb: \x7f\n", 2, "control character U+007F"),
        ("x: 1\n" + "[" * 10_000, 2, ""),
        ("[" * 10_000 + "]" * 10_000, 1, f"nests deeper than {MAX_DEPTH}"),
        ("- " * 10_000, 1, f"nests deeper than {MAX_DEPTH}"),
        ("".join(f"{' ' * n}a:\n" for n in range(300)), MAX_DEPTH + 1, "nests deeper than"),
    ],
)
def test_errors_have_their_line(text: str, line: int, part: str) -> None:
    found = values(text)[0]
    assert found[0] == line
    assert part in found[1]


@pytest.mark.parametrize(
    ("data", "line", "part"),
    [
        (b"\xff\xfea\x00", 1, "UTF-16"),
        (b"a: 1\nb: \xc3\n", 2, "not text in UTF-8"),
        (b"\x89PNG", 1, "not text"),
    ],
)
def test_files_that_are_no_text(data: bytes, line: int, part: str) -> None:
    (found,) = read_documents(data)
    assert isinstance(found, ManifestError)
    assert found.line == line
    assert part in found.message


def test_a_bomb_of_aliases() -> None:
    levels = [f"l{n}: &l{n} [{', '.join([f'*l{n - 1}'] * 9)}]" for n in range(1, 12)]
    found = only("\n".join(["l0: &l0 [1, 1, 1]", *levels]))
    assert "counting those behind aliases" in found[1]


def test_json_with_characters_beyond_the_basic_plane() -> None:
    text = r'{"a": "\ud83d\ude00", "b": "\\ud83d\\ude00", "c": "\/\t"}'
    assert only(text) == {"a": "\U0001f600", "b": r"\ud83d\ude00", "c": "/\t"}


def test_json_text_inside_yaml_is_left_alone() -> None:
    assert only("a: '\\ud83d\\ude00'\n") == {"a": "\\ud83d\\ude00"}


def test_depth() -> None:
    assert not is_deeper({"a": [1]}, 2)
    assert is_deeper({"a": [[1]]}, 2)
    assert not is_deeper(1, 0)


texts = st.text("aZé\U0001f600\"\\/{}[]:,- \n\t#&*!|>'%@`~0", max_size=8)
scalars = st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | texts
trees = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=10,
)


@given(st.lists(trees, max_size=3), st.booleans())
def test_json_is_read_as_it_is(value: list[Any], ascii_only: bool) -> None:
    text = json.dumps({"a": value}, ensure_ascii=ascii_only)
    assert only(text) == {"a": value}


@given(
    st.binary(max_size=200) | st.text(alphabet="ab:-{}[]&*!|>'\"%@`#,\n \t<?.", max_size=60).map(str.encode)
)
def test_no_input_raises(data: bytes) -> None:
    for item in read_documents(data):
        assert isinstance(item, (Document, ManifestError))

"""Payloads: text, validity, decoded tree, partial decoding."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from events.errors import EvaluationError
from events.lang.document import INEXACT, UNREAD, Document, Extractor, with_floats
from events.lang.json_text import well_formed
from events.lang.path import compile_path


def test_text_keeps_bytes_that_are_not_utf8() -> None:
    doc = Document(b'{"a":"\xff"}')
    assert doc.text == '{"a":"\udcff"}'
    assert Document(doc.text).data == doc.data


def test_surrogates_that_stand_for_no_byte_are_replaced() -> None:
    assert Document("\ud800\udcff").data == b"\xef\xbf\xbd\xff"


@pytest.mark.parametrize(
    "text",
    ["{}", "[]", "0", "-1.5e+3", '""', " \t\n\r[1 , 2]\n", "1e400", '"\\ud800"', '"\\u0000"', '{"a":1,"a":2}',
     '"\x7f"',     '{"a":[{"b":null},true,false]}', "[" * 3000 + "]" * 3000,
     '{"a":' * 2000 + "{}" + "}" * 2000, '"\udcff"'],
)  # fmt: skip
def test_valid(text: str) -> None:
    assert Document(text).valid
    assert well_formed(text)


@pytest.mark.parametrize(
    "text",
    ["", " ", "{", "}", "[1,]", "[,1]", "[1 2]", '{"a"}', '{"a":}', '{"a":1,}', "{1:2}", '{"a":1 "b":2}',
     "01", "1.", ".5", "+1", "-", "1e", "tru", "nul", "NaN", "Infinity", '"', '"\n"', '"\\x"', '"\\u12"',
     '"\\ud80"', "\ufeff1", "1 2", "[1}", "{]", "'a'", "[" * 3000 + "]" * 2999, "[\udcff]"],
)  # fmt: skip
def test_invalid(text: str) -> None:
    assert not Document(text).valid
    assert not well_formed(text)


@given(st.text('{}[]",:\\ 1e-.tru\n') | st.text())
def test_both_judges_of_validity_agree(text: str) -> None:
    assert Document(text).valid == well_formed(Document(text).text)


def test_tree_is_decoded_once_and_shared() -> None:
    doc = Document('{"a":[1,2.5,"x",null,true]}')
    assert doc.plain is UNREAD
    assert doc.tree == {"a": [1, 2.5, "x", None, True]}
    assert doc.tree is doc.tree
    assert doc.plain is doc.tree


@pytest.mark.parametrize(
    ("text", "tree"),
    [
        (
            r'["\ud800","\ud83d\ude00","\ud800\u0041","\\ud800","\udc00"]',
            ["\ufffd", "😀", "\ufffdA", "\\ud800", "\ufffd"],
        ),
        ('["\udcff\udce9"]', ["\ufffd\ufffd"]),
        ('{"a":1,"a":2}', {"a": 2}),
        ("3", 3),
    ],
)
def test_tree_is_that_of_encoding_json(text: str, tree: Any) -> None:
    assert Document(text).tree == tree


@pytest.mark.parametrize("text", ["", "{", "nope", "[1e400]", "[" * 2000 + "]" * 2000])
def test_tree_of_what_cannot_be_decoded(text: str) -> None:
    doc = Document(text)
    for _ in range(2):
        with pytest.raises(EvaluationError, match="not usable JSON"):
            _ = doc.tree


@pytest.mark.parametrize(
    ("text", "exact", "canonical"),
    [
        ('{"a":[1,"x:y"]}', True, True),
        ('{"a": [1, 2.50]}', True, False),
        ('{"a":"\\u003c"}', True, False),
        ('{"a":"\\u003a"}', False, False),
        ('{"a":1,"a":1}', False, False),
        ('{"a":1,"\\u0061":1}', False, False),
        ('{"b":{"a":1,"a":{"c":1}}}', False, False),
        ('{"s":"\\u003A","a":1,"a":2}', False, False),
        ('"s"', False, False),
        ("[" * 300 + "]" * 300, False, False),
    ],
)
def test_when_the_tree_may_answer_paths(text: str, exact: bool, canonical: bool) -> None:
    doc = Document(text)
    doc.decode()
    assert ((doc.plain is not INEXACT), doc.canonical) == (exact, canonical)


def test_with_floats_copies() -> None:
    tree = {"a": [1, True, {"b": 2, "c": "x"}], "d": 3}
    floats = with_floats(tree)
    assert floats == tree
    assert [type(floats["d"]), type(floats["a"][0]), type(floats["a"][1])] == [float, float, bool]
    assert type(tree["a"][2]["b"]) is int  # type: ignore[index]
    assert type(with_floats(7)) is float


PUSH = {
    "body": {
        "ref": "refs/heads/main",
        "size": 3,
        "ok": True,
        "none": None,
        "list": [1],
        "repo": {"name": "r"},
    }
}


def primed(data: str | bytes, *paths: str) -> Document:
    doc = Document(data)
    doc.prime(Extractor([compile_path(path) for path in paths]))
    return doc


def test_primed_paths_are_answered_without_a_tree() -> None:
    paths = ["body.ref", "body.size", "body.ok", "body.none", "body.repo.name", "body.nope", "nope.x"]
    doc = primed(json.dumps(PUSH), *paths)
    texts = [compile_path(path).get(doc).text for path in paths]
    assert texts == ["refs/heads/main", "3", "true", "", "r", "", ""]
    assert [compile_path(path).get(doc).exists for path in paths] == [True] * 5 + [False] * 2
    assert doc.plain is UNREAD
    assert doc.valid


def test_other_paths_decode_a_primed_document() -> None:
    doc = primed(json.dumps(PUSH), "body.ref", "body.list")
    assert compile_path("body.list").get(doc).raw == "[1]"
    assert compile_path("body.size").get(doc).text == "3"
    assert compile_path("body.ref").get(doc).text == "refs/heads/main"


def test_source_text_of_primed_values() -> None:
    doc = primed('{"a": -0, "b": 1.50, "c": "\\u0041", "d": 12345678901234567890123}', "a", "b", "c", "d")
    found = [compile_path(name).get(doc) for name in "abcd"]
    assert [result.raw for result in found] == ["-0", "1.50", '"\\u0041"', "12345678901234567890123"]
    assert [result.text for result in found] == ["-0", "1.5", "A", "12345678901234567890123"]


@pytest.mark.parametrize(
    "data",
    [
        b'{"a":{"b":1},"a":{"b":2}}',
        b'{"a":{"b":1,"b":2}}',
        b'{"a":{"b":1,"\\u0062":2}}',
        b'{"a":5}',
        b'{"a":null}',
        b'[{"a":1}]',
        b'"text"',
        b"{",
        b"",
        b'{"x":"\xff","a":{"b":1}}',
        b'{"x":"\\ud800","a":{"b":1}}',
        b'{"x":' + b"[" * 5000 + b"]" * 5000 + b',"a":{"b":1}}',
    ],
)
def test_doubtful_documents_are_not_primed(data: bytes) -> None:
    path = compile_path("a.b")
    doc = primed(data, "a.b")
    assert doc.primed == {}
    assert path.get(doc).text == path.scan(Document(data)).text
    assert doc.valid == well_formed(Document(data).text)


def test_paths_that_an_extractor_cannot_read_are_left_out() -> None:
    doc = primed(
        json.dumps(PUSH),
        "body.list.0",
        "body.*",
        'body.q"t',
        "body",
        "body.repo",
        "body.repo.name",
        "a\ud800",
    )
    assert set(doc.primed) == {("body", "repo", "name")}


def test_priming_a_decoded_document_changes_nothing() -> None:
    doc = Document(json.dumps(PUSH))
    tree = doc.tree
    doc.prime(Extractor([compile_path("body.ref")]))
    assert doc.primed == {}
    assert doc.tree is tree

"""Sprig functions for JSON, encodings, paths, URLs and hashes."""

from __future__ import annotations

import math
from typing import Any

import pytest

from events.errors import EvaluationError
from events.lang.govalue import GoNilList
from events.lang.sprig import FUNCTIONS
from tests.unit.lang.sprig_cases import ERROR, check

# name, arguments, result; what Go 1.26 with Sprig 3.3.0 gives
CASES: list[tuple[str, tuple[Any, ...], Any]] = [
    (
        "toJson",
        ({"a": "<\xe9>&\u2028", "b": [1.0, 2.5, None, True]},),
        '{"a":"\\u003cé\\u003e\\u0026\\u2028","b":[1,2.5,null,true]}',
    ),
    ("toJson", (1e21,), "1e+21"),
    ("toJson", (1e20,), "100000000000000000000"),
    ("toJson", (1e-07,), "1e-7"),
    ("toJson", (-0.0,), "-0"),
    ("toJson", (math.nan,), ""),
    ("mustToJson", (math.inf,), ERROR),
    ("toRawJson", (math.nan,), ERROR),
    ("toJson", ("a\udcffb\x01\x7f",), '"a\\ufffdb\\u0001\x7f"'),
    ("toJson", (GoNilList(),), "null"),
    ("toJson", (None,), "null"),
    ("toRawJson", ("<a>&",), '"<a>&"'),
    ("toPrettyJson", ({"a": [1.0], "b": {}, "c": []},), '{\n  "a": [\n    1\n  ],\n  "b": {},\n  "c": []\n}'),
    ("toPrettyJson", ([],), "[]"),
    ("fromJson", ('{"a":[1,2.5,null,true,"x"],"a":1}',), {"a": 1.0}),
    ("fromJson", ("{",), None),
    ("fromJson", ("1e999",), None),
    ("fromJson", ("[1,1e999]",), [1.0, None]),
    ("mustFromJson", ("[1,1e999]",), ERROR),
    ("mustFromJson", ("{",), ERROR),
    ("fromJson", ("NaN",), None),
    ("fromJson", ('"\\ud800x"',), "�x"),
    ("fromJson", (" [ ] ",), []),
    ("fromJson", ("01",), None),
    ("b64enc", ("a",), "YQ=="),
    ("b64enc", ("\xe9\udcff",), "w6n/"),
    ("b64dec", ("YQ==",), "a"),
    ("b64dec", ("!!",), "illegal base64 data at input byte 0"),
    ("b64dec", ("YQ=",), "illegal base64 data at input byte 3"),
    ("b64dec", ("YQ",), "illegal base64 data at input byte 0"),
    ("b64dec", ("YQ==x",), "illegal base64 data at input byte 4"),
    ("b64dec", ("Y\nQ=\n=",), "a"),
    ("b64dec", ("YR==",), "a"),
    ("b64dec", ("/w==",), "\udcff"),
    ("b32enc", ("a",), "ME======"),
    ("b32dec", ("ME======",), "a"),
    ("b32dec", ("me======",), "illegal base32 data at input byte 0"),
    ("b32dec", ("ME",), "illegal base32 data at input byte 0"),
    ("b32dec", ("ME=====x",), "illegal base32 data at input byte 6"),
    ("b32dec", ("M=======",), "illegal base32 data at input byte 1"),
    ("base", ("/a/b/",), "b"),
    ("base", ("",), "."),
    ("base", ("//",), "/"),
    ("dir", ("/a/b",), "/a"),
    ("dir", ("a",), "."),
    ("dir", ("",), "."),
    ("clean", ("a//b/../c/.",), "a/c"),
    ("clean", ("//a",), "/a"),
    ("clean", ("/..",), "/"),
    ("ext", ("a.tar.gz",), ".gz"),
    ("ext", ("/x.d/a",), ""),
    ("isAbs", ("/a",), True),
    ("osBase", ("a/b",), "b"),
    ("osDir", ("a/b",), "a"),
    ("osClean", ("a/..",), "."),
    ("osExt", (".x",), ".x"),
    ("osIsAbs", ("a",), False),
    (
        "urlParse",
        ("http://u:p@h:80/p%20q?q=1#f%20g",),
        {
            "fragment": "f g",
            "host": "h:80",
            "hostname": "h",
            "opaque": "",
            "path": "/p q",
            "query": "q=1",
            "scheme": "http",
            "userinfo": "u:p",
        },
    ),
    (
        "urlParse",
        ("mailto:a@b",),
        {
            "fragment": "",
            "host": "",
            "hostname": "",
            "opaque": "a@b",
            "path": "",
            "query": "",
            "scheme": "mailto",
            "userinfo": "",
        },
    ),
    (
        "urlParse",
        ("//h/p",),
        {
            "fragment": "",
            "host": "h",
            "hostname": "h",
            "opaque": "",
            "path": "/p",
            "query": "",
            "scheme": "",
            "userinfo": "",
        },
    ),
    (
        "urlParse",
        ("HTTP://[::1]:80",),
        {
            "fragment": "",
            "host": "[::1]:80",
            "hostname": "::1",
            "opaque": "",
            "path": "",
            "query": "",
            "scheme": "http",
            "userinfo": "",
        },
    ),
    (
        "urlParse",
        ("/a?b",),
        {
            "fragment": "",
            "host": "",
            "hostname": "",
            "opaque": "",
            "path": "/a",
            "query": "b",
            "scheme": "",
            "userinfo": "",
        },
    ),
    ("urlParse", ("http://a b/",), ERROR),
    ("urlParse", ("%zz",), ERROR),
    ("urlParse", (":x",), ERROR),
    ("urlParse", ("http://h:x/",), ERROR),
    (
        "urlParse",
        ("a:b:c",),
        {
            "fragment": "",
            "host": "",
            "hostname": "",
            "opaque": "b:c",
            "path": "",
            "query": "",
            "scheme": "a",
            "userinfo": "",
        },
    ),
    (
        "urlParse",
        ("",),
        {
            "fragment": "",
            "host": "",
            "hostname": "",
            "opaque": "",
            "path": "",
            "query": "",
            "scheme": "",
            "userinfo": "",
        },
    ),
    (
        "urlJoin",
        (
            {
                "fragment": "f g",
                "host": "h:80",
                "path": "/p q",
                "query": "a=b",
                "scheme": "http",
                "userinfo": "u:p@x",
            },
        ),
        "http://u:p%40x@h:80/p%20q?a=b#f%20g",
    ),
    ("urlJoin", ({"host": "h", "path": "p"},), "//h/p"),
    ("urlJoin", ({"path": "a:b"},), "./a:b"),
    ("urlJoin", ({"opaque": "a@b", "scheme": "mailto"},), "mailto:a@b"),
    ("urlJoin", ({"host": 1.0},), ERROR),
    ("urlJoin", ({},), ""),
    ("sha1sum", ("hello world",), "2aae6c35c94fcfb415dbe95f408b9ce91ee846ed"),
    ("sha256sum", ("",), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
    (
        "sha512sum",
        ("a",),
        "1f40fc92da241694750979ee6cf582f2d5d7d28e18335de05abc54d0560e0f5302860c652bf08d560252aa5e74210546f369fbbbce8c12cfc7957b2652fe9a75",
    ),
    ("adler32sum", ("x",), "7929977"),
    ("derivePassword", (1, "long", "p", "u", "s"), "Rude2$QafoJela"),
    ("derivePassword", (1, "pin", "p", "u", "s"), "2461"),
    ("derivePassword", (2, "maximum", "é", "u", "s"), "y1jQZhV&I9G!(@hpNh2?"),
    ("derivePassword", (1, "nope", "p", "u", "s"), "cannot find password template nope"),
    ("decryptAES", ("k", ""), ""),
    ("decryptAES", ("k", "!!"), ERROR),
    ("decryptAES", ("k", "AAAA"), ERROR),
    (
        "bcrypt",
        ("xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",),
        "failed to encrypt string with bcrypt: bcrypt: password length exceeds 72 bytes",
    ),
    ("htpasswd", ("a:b", "c"), "invalid username: a:b"),
    ("genPrivateKey", ("nope",), "Unknown type nope"),
]


@pytest.mark.parametrize(("name", "arguments", "expected"), CASES)
def test_gives_what_go_gives(name: str, arguments: tuple[Any, ...], expected: Any) -> None:
    check(name, arguments, expected)


def test_json_that_would_be_too_long_is_refused() -> None:
    with pytest.raises(EvaluationError, match="longer"):
        FUNCTIONS["toJson"](["x" * 1_000_000] * 5)
    with pytest.raises(EvaluationError, match="longer"):
        FUNCTIONS["toPrettyJson"]([[1.0] * 700_000])


def test_json_that_nests_too_deeply_is_an_error() -> None:
    deep: list[Any] = []
    for _ in range(100_000):
        deep = [deep]
    for name in ("toJson", "mustToJson", "toPrettyJson"):
        with pytest.raises(EvaluationError):
            FUNCTIONS[name](deep)
    for name in ("fromJson", "mustFromJson"):
        with pytest.raises(EvaluationError):
            FUNCTIONS[name]("[" * 100_000 + "]" * 100_000)

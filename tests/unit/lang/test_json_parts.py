"""JSON text put together from parts."""

from __future__ import annotations

import pytest

from events.lang.json_parts import body_json, checked_json, metadata_json


@pytest.mark.parametrize("text", [b'{"a":1}', b" [1] ", b"null", b'"\\ud800"', b"1e999"])
def test_json_stays_as_it_is(text: bytes):
    assert checked_json(text) == text


def test_bytes_that_are_not_utf8_are_replaced_as_go_does():
    assert checked_json(b'"\xff"') == '"\ufffd"'.encode()


@pytest.mark.parametrize("text", [b"", b"{", b"nul", b"{'a':1}", b"\xff"])
def test_what_is_no_json_is_refused(text: bytes):
    with pytest.raises(ValueError, match="not valid JSON"):
        checked_json(text)


def test_a_body_is_base64_unless_it_is_to_be_json():
    assert body_json(b'{"a": 1}', as_json=True) == b'{"a": 1}'
    assert body_json(b"hi\xff", as_json=False) == b'"aGn/"'
    assert body_json(b"", as_json=False) == b'""'


def test_metadata_is_left_out_when_empty():
    assert metadata_json({}) == b""
    assert metadata_json({"team": "a"}) == b',"metadata":{"team":"a"}'

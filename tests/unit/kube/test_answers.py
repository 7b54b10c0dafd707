"""Refusals of an API server, told apart."""

from __future__ import annotations

import json
from typing import Any

import pytest

from events.errors import Retryable
from events.kube._base import Conflict, Expired, Forbidden, Invalid, NotFound
from events.kube.answers import error_of, status_error


def status(code: int, message: str = "no", **details: Any) -> dict[str, Any]:
    return {"kind": "Status", "code": code, "message": message, "details": details}


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (400, Invalid), (401, Forbidden), (403, Forbidden), (404, NotFound), (405, Invalid), (409, Conflict),
        (410, Expired), (413, Invalid), (415, Invalid), (422, Invalid), (429, Retryable), (500, Retryable),
        (502, Retryable), (503, Retryable), (504, Retryable),
    ],
)  # fmt: skip
def test_each_status_is_one_kind_of_error_with_the_server_s_words(code: int, kind: type[Exception]):
    for error in (
        error_of(code, json.dumps(status(code, "quota exceeded")).encode(), "https://k"),
        status_error(status(code, "quota exceeded"), "https://k"),
    ):
        assert type(error) is kind
        assert str(error).startswith("API server https://k: quota exceeded")


def test_what_a_proxy_says_is_told_too():
    error = error_of(502, b"<html>bad gateway</html>", "https://k")
    assert isinstance(error, Retryable)
    assert "bad gateway" in str(error)
    assert str(error_of(404, b"", "https://k")) == "API server https://k: status 404"


@pytest.mark.parametrize(
    ("header", "details", "after"),
    [
        ("7", {"retryAfterSeconds": 1}, 7.0),
        ("", {"retryAfterSeconds": 3}, 3.0),
        ("", {}, None),
        ("x", {}, None),
    ],
)
def test_the_server_s_wish_when_to_come_again(header: str, details: dict[str, Any], after: float | None):
    error = error_of(429, json.dumps(status(429, **details)).encode(), "https://k", header)
    assert isinstance(error, Retryable)
    assert error.after == after


def test_a_missing_object_is_told_from_a_missing_kind():
    missing = error_of(404, json.dumps(status(404, name="x", kind="pods")).encode(), "https://k")
    unknown = error_of(404, b"404 page not found", "https://k")
    assert isinstance(missing, NotFound)
    assert isinstance(unknown, NotFound)
    assert (missing.name, unknown.name) == ("x", None)


def test_a_long_message_is_cut():
    error = error_of(422, json.dumps(status(422, "x" * 5000)).encode(), "https://k")
    assert len(str(error)) < 1100

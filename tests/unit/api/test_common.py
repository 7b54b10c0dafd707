from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from events.api.common import (
    SASL,
    TLS,
    Backoff,
    BasicAuth,
    Persistence,
    SecretKeySelector,
    check_duration,
    check_login,
    check_tls,
    config_map_refs,
    secret_refs,
)
from events.sources.webhook import WebhookConfig
from events.triggers.custom import CustomConfig

SELECTOR = {"name": "s", "key": "k"}


@pytest.mark.parametrize(
    ("raw", "count"),
    [
        ({}, 1),
        ({"enabled": True}, 0),
        ({"insecureSkipVerify": True}, 0),
        ({"insecureSkipVerify": True, "clientCertSecret": SELECTOR}, 0),
        ({"caCertSecret": SELECTOR}, 0),
        ({"clientCertSecret": SELECTOR, "clientKeySecret": SELECTOR}, 0),
        ({"clientCertSecret": SELECTOR}, 1),
        ({"clientKeySecret": SELECTOR, "enabled": True}, 1),
    ],
)
def test_tls(raw: dict[str, Any], count: int) -> None:
    assert len([*check_tls(TLS.model_validate(raw))]) == count


def test_no_tls_is_fine() -> None:
    assert [*check_tls(None)] == []


def test_login_has_both_parts() -> None:
    assert [*check_login(None)] == []
    assert [*check_login(BasicAuth.model_validate({"username": SELECTOR, "password": SELECTOR}))] == []
    (problem,) = check_login(BasicAuth.model_validate({"username": SELECTOR}), "auth")
    assert problem.field == "auth"


@pytest.mark.parametrize("mechanism", ["", "PLAIN", "SCRAM-SHA-512", "GSSAPI"])
def test_sasl_mechanisms(mechanism: str) -> None:
    SASL.model_validate({"mechanism": mechanism, "userSecret": SELECTOR, "passwordSecret": SELECTOR})


@pytest.mark.parametrize(
    "raw",
    [
        {"mechanism": "plain", "userSecret": SELECTOR, "passwordSecret": SELECTOR},
        {"userSecret": SELECTOR},
        {},
    ],
)
def test_sasl_rejections(raw: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        SASL.model_validate(raw)


@pytest.mark.parametrize("text", ["", "0", "1s", "1m30s", "1.5h", ".5s", "1.s", "+3ms", "-1h", "1us", "1µs"])
def test_durations(text: str) -> None:
    assert [*check_duration(text, "x")] == []


@pytest.mark.parametrize("text", ["1", "1d", "s", "1 s", "1h 3m", ".s", "1e3s", "h1", "1S"])
def test_what_is_no_duration(text: str) -> None:
    assert [problem.field for problem in check_duration(text, "x")] == ["x"]


def test_backoff_takes_text_and_nanoseconds() -> None:
    assert Backoff.model_validate({"duration": "2s"}).duration == "2s"
    assert Backoff.model_validate({"duration": 10.0}).duration == 10
    assert Backoff().duration == "1s"


def test_backoff_takes_quoted_numbers() -> None:
    made = Backoff.model_validate({"factor": "2.0", "jitter": 1})
    assert (made.factor, made.jitter) == (2.0, 1.0)


@pytest.mark.parametrize(
    "raw", [{"duration": "5"}, {"duration": 1.5}, {"duration": True}, {"factor": "x"}, {"factor": True}]
)
def test_backoff_rejections(raw: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Backoff.model_validate(raw)


def test_a_quantity_is_text_or_a_number() -> None:
    assert Persistence.model_validate({"volumeSize": "10Gi"}).volume_size == "10Gi"
    assert Persistence.model_validate({"volumeSize": 5}).volume_size == "5"


@pytest.mark.parametrize("raw", [{"name": "s"}, {"key": "k"}, {"name": "", "key": "k"}, "text"])
def test_a_selector_is_whole(raw: Any) -> None:
    with pytest.raises(ValidationError):
        SecretKeySelector.model_validate(raw)


def test_references_to_secrets_have_their_paths() -> None:
    made = WebhookConfig.model_validate({"endpoint": "/x", "port": "1", "authSecret": SELECTOR})
    assert [(path, found.name, found.key) for path, found in secret_refs(made)] == [
        (("authSecret",), "s", "k")
    ]
    assert [*config_map_refs(made)] == []


def test_references_in_lists() -> None:
    made = CustomConfig.model_validate(
        {"serverURL": "x", "spec": {}, "secure": True, "certSecret": {"name": "c", "key": "ca"}}
    )
    assert [path for path, _ in secret_refs(made)] == [("certSecret",)]

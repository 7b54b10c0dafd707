"""Kafka clients: brokers and logins from manifests, errors of the library as ours."""

from __future__ import annotations

import logging
import socket
import ssl
from collections.abc import Iterator

import pytest
from aiokafka import AIOKafkaProducer, errors

from events.api.common import SASL, TLS
from events.clients.kafka import Brokers, start, tame, translated
from events.clients.kafka_guard import Gate
from events.clients.secrets import LocalSecrets, Ref
from events.errors import Permanent, Retryable

LOGIN = {
    "userSecret": {"name": "kafka", "key": "user"},
    "passwordSecret": {"name": "kafka", "key": "password"},
}


def secrets(**values: str) -> LocalSecrets:
    held = {Ref("kafka", key): value.encode() for key, value in values.items()}
    return LocalSecrets(lambda: held, environ={})


@pytest.mark.parametrize("url", ["a:1,b:2", "kafka://a:1,b:2", " a:1 , b:2,"])
def test_brokers_are_separated_by_commas(url: str):
    brokers = Brokers.of(url)
    assert brokers.hosts == ("a:1", "b:2")
    assert brokers.place == "Kafka at a:1,b:2"


async def test_without_tls_and_login_the_link_is_plain():
    settings = await Brokers.of("a:1").settings(secrets())
    assert settings["security_protocol"] == "PLAINTEXT"
    assert not {"ssl_context", "sasl_mechanism"} & settings.keys()


@pytest.mark.parametrize("mechanism", ["", "PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"])
async def test_a_login_is_read_at_connect_and_is_in_no_text(mechanism: str):
    sasl = SASL.model_validate({"mechanism": mechanism, **LOGIN})
    brokers = Brokers.of("a:1", TLS.model_validate({"enabled": True}), sasl)
    settings = await brokers.settings(secrets(user="me", password="hidden"))
    assert settings["security_protocol"] == "SASL_SSL"
    assert settings["sasl_mechanism"] == (mechanism or "PLAIN")
    assert (settings["sasl_plain_username"], settings["sasl_plain_password"]) == ("me", "hidden")
    assert settings["ssl_context"].verify_mode == ssl.CERT_REQUIRED
    assert "hidden" not in repr(brokers)
    with pytest.raises(Permanent, match="'kafka', key 'password'"):
        await brokers.settings(secrets(user="me"))


@pytest.mark.parametrize("mechanism", ["GSSAPI", "OAUTHBEARER"])
def test_logins_that_need_more_than_a_password_are_refused(mechanism: str):
    with pytest.raises(Permanent, match=r"sasl\.mechanism"):
        Brokers.of("a:1", None, SASL.model_validate({"mechanism": mechanism, **LOGIN}))


def test_half_a_login_and_no_broker_are_refused():
    with pytest.raises(Permanent, match="passwordSecret"):
        Brokers.of("a:1", None, SASL.model_construct(mechanism="", user_secret=None, password_secret=None))
    with pytest.raises(Permanent, match="no broker"):
        Brokers.of(" , ")


@pytest.mark.parametrize(
    ("error", "kind", "says"),
    [
        (errors.SaslAuthenticationFailed("secret detail"), Permanent, "check the secrets of sasl"),
        (errors.UnsupportedSaslMechanismError(), Permanent, "mechanism"),
        (errors.TopicAuthorizationFailedError("t"), Permanent, "grant"),
        (errors.GroupAuthorizationFailedError("g"), Permanent, "grant"),
        (errors.UnknownTopicOrPartitionError(), Permanent, "create it"),
        (errors.MessageSizeTooLargeError(), Permanent, "max.message.bytes"),
        (ssl.SSLCertVerificationError(1, "self-signed"), Permanent, "caCertSecret"),
        (errors.KafkaTimeoutError(), Retryable, "KafkaTimeoutError"),
        (errors.NotLeaderForPartitionError(), Retryable, "not the leader"),
        (errors.IllegalOperation("not now"), Retryable, "not now"),
        (ConnectionRefusedError(111, "Connection refused"), Retryable, "is it up"),
        (TimeoutError(), Retryable, "in time"),
    ],
)
def test_errors_say_where_and_what_to_do(error: Exception, kind: type[Exception], says: str):
    with pytest.raises(kind, match=says) as raised, translated("Kafka at a:1: topic t"):
        raise error
    assert str(raised.value).startswith("Kafka at a:1: topic t: ")
    assert "secret detail" not in str(raised.value)
    assert raised.value.__cause__ is error


async def test_a_server_that_is_down_is_named_with_its_reason():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        brokers = Brokers.of(f"127.0.0.1:{port}")
        settings = await brokers.settings(secrets())
        with pytest.raises(Retryable, match=f"Kafka at 127.0.0.1:{port}: .*is it up"):
            await start(AIOKafkaProducer(**settings), brokers.place, settings, Gate(None))


@pytest.fixture
def library() -> Iterator[logging.Logger]:
    logger = logging.getLogger("aiokafka")
    before = logger.level
    logger.setLevel(logging.NOTSET)
    yield logger
    logger.setLevel(before)


def test_the_log_of_the_library_is_off_unless_ours_is_at_debug(
    library: logging.Logger, caplog: pytest.LogCaptureFixture
):
    with caplog.at_level(logging.DEBUG, "events"):
        tame()
    assert library.isEnabledFor(logging.ERROR)
    with caplog.at_level(logging.INFO, "events"):
        tame()
    assert not library.isEnabledFor(logging.ERROR)

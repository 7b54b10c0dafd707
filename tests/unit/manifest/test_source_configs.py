"""The config models of the event sources: what upstream's validation rejects is rejected."""

from __future__ import annotations

from typing import Any

import pytest

from events.api.model import Model
from events.api.shapes import fields
from events.manifest.decode import decode, warnings
from events.registry import config_class, source_kinds

SECRET = {"name": "s", "key": "k"}
HOOK = {"endpoint": "/x", "port": "12000", "method": "POST", "url": "https://example.com"}
LOGIN = {"username": SECRET, "password": SECRET}

GOOD: dict[str, dict[str, Any]] = {
    "amqp": {"url": "amqp://x", "exchangeType": "fanout", "routingKey": "k"},
    "azureEventsHub": {"fqdn": "x", "hubName": "h"},
    "azureQueueStorage": {"storageAccountName": "x", "queueName": "q"},
    "azureServiceBus": {"connectionString": SECRET, "queueName": "q"},
    "bitbucket": {
        "webhook": HOOK,
        "auth": {"oauthToken": SECRET},
        "events": ["repo:push"],
        "repositories": [{"owner": "o", "repositorySlug": "r"}],
    },
    "bitbucketserver": {
        "webhook": HOOK,
        "bitbucketserverBaseURL": "https://b/rest",
        "accessToken": SECRET,
        "projects": ["P"],
        "events": ["repo:refs_changed"],
    },
    "calendar": {"interval": "10s"},
    "emitter": {"broker": "tcp://x", "channelKey": "k", "channelName": "c"},
    "file": {"eventType": "CREATE", "watchPathConfig": {"directory": "/d", "path": "x"}},
    "generic": {"url": "x:1", "config": "c"},
    "gerrit": {
        "webhook": HOOK,
        "hookName": "h",
        "events": [],
        "auth": LOGIN,
        "gerritBaseURL": "https://g",
        "projects": ["p"],
    },
    "github": {
        "webhook": HOOK,
        "apiToken": SECRET,
        "events": ["push"],
        "repositories": [{"owner": "o", "names": ["r"]}],
    },
    "gitlab": {"webhook": HOOK, "gitlabBaseURL": "https://g", "accessToken": SECRET, "events": []},
    "hdfs": {"directory": "/d", "path": "x", "type": "CREATE|WRITE", "addresses": ["n:1"], "hdfsUser": "u"},
    "kafka": {"url": "k:9092", "topic": "t", "consumerGroup": {"groupName": "g"}},
    "minio": {
        "endpoint": "m:9000",
        "bucket": {"name": "b"},
        "accessKey": SECRET,
        "secretKey": SECRET,
        "events": ["s3:ObjectCreated:*"],
    },
    "mns": {"endpoint": "e", "queue": "q", "accessKey": SECRET, "secretKey": SECRET},
    "mqtt": {"url": "tcp://x", "topic": "t", "clientId": "c"},
    "nats": {"url": "nats://x", "subject": "s"},
    "nsq": {"hostAddress": "x:1", "topic": "t", "channel": "c"},
    "pubSub": {"topic": "t"},
    "pulsar": {"url": "pulsar://x", "topics": ["t"], "type": "shared"},
    "redis": {"hostAddress": "x:1", "channels": ["c"]},
    "redisStream": {"hostAddress": "x:1", "streams": ["s"]},
    "resource": {"version": "v1", "resource": "pods", "eventTypes": ["ADD"]},
    "s3": {"bucket": "b", "region": "r", "poll": {}},
    "sftp": {
        "eventType": "CREATE",
        "watchPathConfig": {"directory": "/d", "path": "x"},
        "username": SECRET,
        "password": SECRET,
        "address": SECRET,
    },
    "slack": {"webhook": HOOK, "token": SECRET, "signingSecret": SECRET},
    "sns": {"webhook": HOOK, "topicArn": "arn", "region": "r"},
    "sqs": {"region": "r", "queue": "q"},
    "storageGrid": {
        "webhook": HOOK,
        "topicArn": "urn",
        "bucket": "b",
        "events": ["s3:ObjectCreated:*"],
        "authToken": SECRET,
        "apiURL": "https://s",
    },
    "stripe": {"webhook": HOOK},
    "webhook": HOOK,
}


def found(kind: str, raw: dict[str, Any]) -> list[tuple[str, str]]:
    made = decode(config_class("sources", kind), raw)
    return [] if isinstance(made, Model) else [(problem.field, problem.code) for problem in made]


def doubts(kind: str, raw: dict[str, Any]) -> list[tuple[str, str]]:
    made = decode(config_class("sources", kind), raw)
    assert isinstance(made, Model), made
    return [(problem.field, problem.code) for problem in warnings(made)]


def without(kind: str, *names: str) -> dict[str, Any]:
    return {key: value for key, value in GOOD[kind].items() if key not in names}


def test_there_is_an_example_of_every_kind() -> None:
    assert set(GOOD) == set(source_kinds())


@pytest.mark.parametrize("kind", GOOD)
def test_a_small_config_is_accepted_without_doubts(kind: str) -> None:
    assert found(kind, GOOD[kind]) == []
    assert doubts(kind, GOOD[kind]) == []


@pytest.mark.parametrize("kind", GOOD)
def test_every_required_field_is_asked_for(kind: str) -> None:
    for name, field in fields(config_class("sources", kind)).items():
        if field.required:
            assert found(kind, without(kind, name)) == [(name, "required")]
            if field.shape.form == "text":
                assert found(kind, {**GOOD[kind], name: ""}) == [(name, "required")]


@pytest.mark.parametrize(
    ("kind", "names"),
    [
        ("amqp", ["exchangeType", "routingKey"]),
        ("azureEventsHub", ["fqdn", "hubName"]),
        ("azureQueueStorage", ["queueName"]),
        ("bitbucket", ["webhook"]),
        ("bitbucketserver", ["webhook", "bitbucketserverBaseURL"]),
        ("emitter", ["broker", "channelKey", "channelName"]),
        ("file", ["eventType", "watchPathConfig"]),
        ("generic", ["url", "config"]),
        ("gerrit", ["webhook", "events", "auth", "gerritBaseURL", "projects"]),
        ("github", ["webhook"]),
        ("gitlab", ["webhook", "events", "accessToken", "gitlabBaseURL"]),
        ("hdfs", ["directory", "type", "addresses"]),
        ("kafka", ["url", "topic"]),
        ("minio", ["endpoint", "bucket", "accessKey", "secretKey"]),
        ("mns", ["endpoint", "queue"]),
        ("mqtt", ["url", "topic", "clientId"]),
        ("nats", ["url", "subject"]),
        ("nsq", ["hostAddress", "topic", "channel"]),
        ("pulsar", ["url", "topics"]),
        ("redis", ["hostAddress", "channels"]),
        ("redisStream", ["hostAddress", "streams"]),
        ("resource", ["version", "resource", "eventTypes"]),
        ("sftp", ["eventType", "watchPathConfig"]),
        ("slack", ["webhook", "token", "signingSecret"]),
        ("sns", ["webhook", "topicArn", "region"]),
        ("sqs", ["region", "queue"]),
        ("storageGrid", ["webhook", "topicArn", "bucket", "events", "authToken", "apiURL"]),
        ("stripe", ["webhook"]),
        ("webhook", ["endpoint", "port"]),
    ],
)
def test_what_upstream_requires_is_required(kind: str, names: list[str]) -> None:
    required = {name for name, field in fields(config_class("sources", kind)).items() if field.required}
    assert required >= set(names)


TLS = {"clientCertSecret": SECRET}
BAD_LOGIN = {"username": SECRET}


@pytest.mark.parametrize("kind", ["amqp", "emitter", "kafka", "mqtt", "nats", "nsq", "redis", "redisStream"])
def test_tls_is_checked(kind: str) -> None:
    assert found(kind, {**GOOD[kind], "tls": TLS}) == [("tls", "tls")]
    assert found(kind, {**GOOD[kind], "tls": {}}) == [("tls", "tls")]


@pytest.mark.parametrize("kind", ["azureServiceBus", "bitbucketserver", "storageGrid"])
def test_tls_that_upstream_does_not_check_is_doubted(kind: str) -> None:
    assert doubts(kind, {**GOOD[kind], "tls": {}}) == [("tls", "tls")]


@pytest.mark.parametrize(
    ("kind", "change", "field", "code"),
    [
        ("amqp", {"urlSecret": SECRET}, "", "choice"),
        ("amqp", {"url": ""}, "", "choice"),
        ("amqp", {"auth": BAD_LOGIN}, "auth", "required"),
        ("azureEventsHub", {"sharedAccessKey": SECRET}, "", "choice"),
        ("azureQueueStorage", {"storageAccountName": ""}, "", "required"),
        ("azureServiceBus", {"connectionString": None}, "", "required"),
        ("azureServiceBus", {"queueName": ""}, "", "required"),
        ("azureServiceBus", {"topicName": "t"}, "queueName", "choice"),
        ("azureServiceBus", {"subscriptionName": "s"}, "queueName", "choice"),
        ("azureServiceBus", {"queueName": "", "topicName": "t"}, "", "choice"),
        ("azureServiceBus", {"queueName": "", "subscriptionName": "t"}, "", "choice"),
        ("bitbucket", {"repositories": []}, "repositories", "required"),
        ("bitbucket", {"events": []}, "events", "required"),
        ("bitbucket", {"webhook": {"port": "1"}}, "webhook.endpoint", "required"),
        ("bitbucketserver", {"events": []}, "events", "required"),
        ("bitbucketserver", {"checkInterval": "5"}, "checkInterval", "duration"),
        ("calendar", {"interval": ""}, "", "required"),
        ("calendar", {"interval": "1d"}, "interval", "duration"),
        (
            "calendar",
            {"persistence": {"catchup": {"maxDuration": "1d"}}},
            "persistence.catchup.maxDuration",
            "duration",
        ),
        (
            "file",
            {"watchPathConfig": {"directory": "d", "path": "x"}},
            "watchPathConfig.directory",
            "invalid-value",
        ),
        ("file", {"watchPathConfig": {"directory": "/d"}}, "watchPathConfig", "choice"),
        ("gerrit", {"projects": []}, "projects", "required"),
        ("github", {"repositories": []}, "", "required"),
        ("github", {"organizations": ["o"]}, "organizations", "choice"),
        ("github", {"events": []}, "events", "required"),
        ("github", {"contentType": "xml"}, "contentType", "choice"),
        ("github", {"githubBaseURL": "https://g"}, "", "choice"),
        ("hdfs", {"type": "MOVE"}, "type", "choice"),
        ("hdfs", {"path": "/x"}, "path", "invalid-value"),
        ("hdfs", {"checkInterval": "x"}, "checkInterval", "duration"),
        ("hdfs", {"addresses": []}, "addresses", "required"),
        ("hdfs", {"hdfsUser": ""}, "", "required"),
        ("hdfs", {"krbCCacheSecret": SECRET}, "", "required"),
        (
            "hdfs",
            {"krbKeytabSecret": SECRET, "krbServicePrincipalName": "p", "krbConfigConfigMap": SECRET},
            "",
            "required",
        ),
        ("kafka", {"consumerGroup": None}, "", "required"),
        ("kafka", {"consumerGroup": None, "partition": "a"}, "partition", "invalid-value"),
        ("kafka", {"sasl": {"userSecret": SECRET}}, "sasl", "required"),
        ("kafka", {"awsMskIamAuth": {}}, "awsMskIamAuth.region", "required"),
        ("minio", {"bucket": {}}, "bucket.name", "required"),
        ("minio", {"events": ["s3:x", ""]}, "events.1", "required"),
        ("mqtt", {"auth": BAD_LOGIN}, "auth", "required"),
        ("nats", {"queue": ""}, "queue", "required"),
        ("pubSub", {"topic": "", "subscriptionID": ""}, "", "required"),
        ("pubSub", {"topic": "", "subscriptionID": "s", "topicProjectID": "p"}, "topicProjectID", "required"),
        ("pulsar", {"type": "failover"}, "type", "choice"),
        ("resource", {"eventTypes": ["ADDED"]}, "eventTypes.0", "choice"),
        ("resource", {"filter": {"labels": [{"value": "x"}]}}, "filter.labels.0.key", "required"),
        (
            "resource",
            {"filter": {"fields": [{"key": "a", "operation": "in"}]}},
            "filter.fields.0.operation",
            "choice",
        ),
        ("resource", {"filter": {"createdBy": "2024-01-01"}}, "filter.createdBy", "invalid-value"),
        ("s3", {"accessKey": SECRET}, "", "choice"),
        ("s3", {"events": ["s3:Objects:*"]}, "events.0", "choice"),
        ("s3", {"events": ["s3:ObjectCreated:*", "s3:ObjectRemoved:*"]}, "events.1", "choice"),
        ("s3", {"poll": None}, "", "choice"),
        ("s3", {"poll": {}, "queue": {"name": "q"}}, "", "choice"),
        ("s3", {"poll": {"interval": "5"}}, "poll.interval", "duration"),
        ("s3", {"poll": {"startAt": "never"}}, "poll.startAt", "choice"),
        ("s3", {"poll": None, "queue": {}}, "queue", "choice"),
        ("s3", {"poll": None, "queue": {"name": "q", "url": "https://q"}}, "queue", "choice"),
        ("sftp", {"password": None}, "", "required"),
        ("sftp", {"pollIntervalDuration": "5"}, "pollIntervalDuration", "duration"),
        ("sftp", {"settleDuration": "5"}, "settleDuration", "duration"),
        ("file", {"settleDuration": "soon"}, "settleDuration", "duration"),
        ("sns", {"accessKey": SECRET}, "", "choice"),
        ("sqs", {"secretKey": SECRET}, "", "choice"),
        ("stripe", {"createWebhook": True}, "apiKey", "required"),
        ("webhook", {"port": "http"}, "port", "invalid-value"),
    ],
)
def test_rejections(kind: str, change: dict[str, Any], field: str, code: str) -> None:
    assert found(kind, {**GOOD[kind], **change}) == [(field, code)]


@pytest.mark.parametrize(
    ("kind", "change"),
    [
        ("amqp", {"url": "", "urlSecret": SECRET}),
        ("azureEventsHub", {"sharedAccessKey": SECRET, "sharedAccessKeyName": SECRET}),
        ("azureServiceBus", {"queueName": "", "topicName": "t", "subscriptionName": "s"}),
        ("bitbucket", {"repositories": [], "owner": "o", "repositorySlug": "r"}),
        ("bitbucket", {"auth": None, "events": []}),
        ("bitbucketserver", {"projects": [], "events": []}),
        ("calendar", {"interval": "", "schedule": "0 * * * *"}),
        ("github", {"repositories": [], "owner": "o", "repository": "r"}),
        ("github", {"repositories": [], "organizations": ["o"]}),
        ("github", {"apiToken": None, "events": []}),
        ("github", {"githubBaseURL": "https://g", "githubUploadURL": "https://g"}),
        ("hdfs", {"path": "", "pathRegexp": ".*"}),
        ("kafka", {"consumerGroup": None, "partition": "0"}),
        ("kafka", {"consumerGroup": {}}),
        ("pubSub", {"topic": "", "subscriptionID": "s"}),
        (
            "resource",
            {"filter": {"createdBy": "2024-01-01T10:00:00Z", "labels": [{"key": "a", "operation": "!"}]}},
        ),
        ("s3", {"poll": None, "queue": {"url": "https://q"}, "events": ["s3:ObjectRemoved:Delete"]}),
        ("s3", {"poll": {"interval": "1m", "startAt": "oldest"}, "prefix": "in/", "suffix": ".csv"}),
        ("sqs", {"accessKey": SECRET, "secretKey": SECRET}),
    ],
)
def test_other_ways_to_write_it(kind: str, change: dict[str, Any]) -> None:
    assert found(kind, {**GOOD[kind], **change}) == []


@pytest.mark.parametrize(
    ("kind", "change", "field", "code"),
    [
        ("file", {"eventType": "CREATE|WRITE"}, "eventType", "choice"),
        ("file", {"eventType": "MOVE"}, "eventType", "choice"),
        (
            "file",
            {"watchPathConfig": {"directory": "/d", "path": "sub/x"}},
            "watchPathConfig.path",
            "choice",
        ),
        ("gerrit", {"auth": BAD_LOGIN}, "auth", "required"),
        ("kafka", {"consumerGroup": {"rebalanceStrategy": "x"}}, "consumerGroup.rebalanceStrategy", "choice"),
        ("minio", {"events": []}, "events", "required"),
        ("pulsar", {"type": ""}, "type", "upstream-refuses"),
        ("redis", {"password": SECRET}, "namespace", "upstream-refuses"),
        ("sftp", {"eventType": "WRITE"}, "eventType", "choice"),
        ("sqs", {"waitTimeSeconds": 30}, "waitTimeSeconds", "invalid-value"),
        ("webhook", {"method": ""}, "method", "invalid-value"),
    ],
)
def test_doubts(kind: str, change: dict[str, Any], field: str, code: str) -> None:
    assert doubts(kind, {**GOOD[kind], **change}) == [(field, code)]


def test_deprecated_fields_are_folded_in() -> None:
    github = config_class("sources", "github").model_validate(
        {"webhook": HOOK, "owner": "o", "repository": "r"}
    )
    assert [(item.owner, item.names) for item in github.all_repositories] == [("o", ["r"])]
    gitlab = config_class("sources", "gitlab").model_validate({**GOOD["gitlab"], "projectID": "1"})
    assert gitlab.all_projects == ["1"]
    bitbucket = config_class("sources", "bitbucketserver").model_validate(
        {"webhook": HOOK, "bitbucketserverBaseURL": "x", "projectKey": "P", "repositorySlug": "r"}
    )
    assert [item.project_key for item in bitbucket.all_repositories] == ["P"]


def test_the_expression_of_a_filter() -> None:
    filtered = {"filter": {"expression": "body.a == 1"}}
    sqs = config_class("sources", "sqs").model_validate({**GOOD["sqs"], **filtered})
    assert sqs.filter_expression == "body.a == 1"
    minio = config_class("sources", "minio").model_validate({**GOOD["minio"], "filter": {"prefix": "x"}})
    assert minio.filter_expression == ""

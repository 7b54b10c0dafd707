"""Compatibility with the public manifests and types of Argo Events v1alpha1.

The corpus is not part of this repository: EVENTS_CORPUS names the folder that holds `argo-events`, by
default `../shared/corpus` beside the repository. Without it these tests are skipped.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from events.api import common, eventbus, eventsource, sensor
from events.api.model import Model
from events.api.shapes import Shape, fields
from events.manifest import load
from events.manifest.schemas import all_fields
from events.registry import config_class, source_kinds, trigger_kinds

ROOT = Path(__file__).parents[2]
CORPUS = Path(os.environ.get("EVENTS_CORPUS", ROOT.parent / "shared" / "corpus")) / "argo-events"

pytestmark = pytest.mark.skipif(not CORPUS.is_dir(), reason=f"no corpus at {CORPUS}: set EVENTS_CORPUS")

KNOWN = json.loads((CORPUS / "fields.json").read_text()) if CORPUS.is_dir() else {}

# types

SOURCES = {
    "AMQPEventSource": "amqp", "AzureEventsHubEventSource": "azureEventsHub",
    "AzureQueueStorageEventSource": "azureQueueStorage", "AzureServiceBusEventSource": "azureServiceBus",
    "BitbucketEventSource": "bitbucket", "BitbucketServerEventSource": "bitbucketserver",
    "CalendarEventSource": "calendar", "EmitterEventSource": "emitter", "FileEventSource": "file",
    "GenericEventSource": "generic", "GerritEventSource": "gerrit", "GithubEventSource": "github",
    "GitlabEventSource": "gitlab", "HDFSEventSource": "hdfs", "KafkaEventSource": "kafka",
    "MNSEventSource": "mns", "MQTTEventSource": "mqtt", "NATSEventsSource": "nats", "NSQEventSource": "nsq",
    "PubSubEventSource": "pubSub", "PulsarEventSource": "pulsar", "RedisEventSource": "redis",
    "RedisStreamEventSource": "redisStream", "ResourceEventSource": "resource", "SFTPEventSource": "sftp",
    "SNSEventSource": "sns", "SQSEventSource": "sqs", "SlackEventSource": "slack",
    "StorageGridEventSource": "storageGrid", "StripeEventSource": "stripe", "WebhookEventSource": "webhook",
}  # fmt: skip
TRIGGERS = {
    "AWSLambdaTrigger": "awsLambda", "ArgoWorkflowTrigger": "argoWorkflow",
    "AzureEventHubsTrigger": "azureEventHubs", "AzureServiceBusTrigger": "azureServiceBus",
    "CustomTrigger": "custom", "EmailTrigger": "email", "HTTPTrigger": "http", "KafkaTrigger": "kafka",
    "LogTrigger": "log", "NATSTrigger": "nats", "OpenWhiskTrigger": "openWhisk", "PulsarTrigger": "pulsar",
    "SlackTrigger": "slack", "StandardK8STrigger": "k8s",
}  # fmt: skip
INSIDE_KINDS = {
    "AMQPConsumeConfig": ("sources", "amqp", "consume"),
    "AMQPExchangeDeclareConfig": ("sources", "amqp", "exchangeDeclare"),
    "AMQPQueueBindConfig": ("sources", "amqp", "queueBind"),
    "AMQPQueueDeclareConfig": ("sources", "amqp", "queueDeclare"),
    "BitbucketAuth": ("sources", "bitbucket", "auth"),
    "BitbucketBasicAuth": ("sources", "bitbucket", "auth", "basic"),
    "BitbucketRepository": ("sources", "bitbucket", "repositories"),
    "BitbucketServerRepository": ("sources", "bitbucketserver", "repositories"),
    "CatchupConfiguration": ("sources", "calendar", "persistence", "catchup"),
    "ConfigMapPersistence": ("sources", "calendar", "persistence", "configMap"),
    "EventPersistence": ("sources", "calendar", "persistence"),
    "OwnedRepositories": ("sources", "github", "repositories"),
    "ResourceFilter": ("sources", "resource", "filter"),
    "Selector": ("sources", "resource", "filter", "labels"),
    "StorageGridFilter": ("sources", "storageGrid", "filter"),
    "SlackSender": ("triggers", "slack", "sender"),
    "SlackThread": ("triggers", "slack", "thread"),
}
OTHER_NAMES: dict[str, type[Model]] = {
    "AWSMSKIAMConfig": common.AWSMSKIAM,
    "ConditionsResetCriteria": sensor.ConditionsReset,
    "EventDependencyFilter": sensor.Filters,
    "GitCreds": common.BasicAuth,
    "GitRemoteConfig": sensor.GitRemote,
    "GithubAppCreds": common.GithubApp,
    "K8SResourcePolicy": sensor.K8sPolicy,
    "PersistenceStrategy": common.Persistence,
    "SASLConfig": common.SASL,
    "SchemaRegistryConfig": common.SchemaRegistry,
    "TLSConfig": common.TLS,
    "ValueFromSource": common.ValueFrom,
    "WatchPathConfig": eventsource.WatchPath,
    "EventSourceStatus": common.Status,
    "SensorStatus": common.Status,
}
NO_MODEL = {
    "Amount": "a number; see Backoff",
    "Int64OrString": "a number or text; see Backoff",
    "K8SResource": "any object",
    "Event": "the event on the wire, not part of a manifest",
    "EventBusList": "lists are read item by item",
    "EventSourceList": "lists are read item by item",
    "SensorList": "lists are read item by item",
}

PLAIN = {
    "text": {"string", "Time"},
    "boolean": {"boolean"},
    "integer": {"integer (int32)", "integer (int64)"},
    "number": {"Amount"},
    "int-or-string": {"Int64OrString", "Quantity"},
}
OBJECTS = {
    "Affinity", "PodSecurityContext", "SecurityContext", "ResourceRequirements", "K8SResource",
    "LocalObjectReference", "Toleration", "Volume", "EnvVar", "EnvFromSource", "VolumeMount", "ServicePort",
}  # fmt: skip
"""Structs of Kubernetes, and the document of a trigger: kept as they are."""

OURS = {
    ("Trigger", "maxInFlight"): "how many firings of a trigger may run at once",
    ("RateLimit", "burst"): "how many firings may run at once after a quiet time",
    ("MNSEventSource", "metadata"): "the only kind that lacks it upstream",
    ("LogTrigger", "parameters"): "the only kind that lacks it upstream",
    ("EmailTrigger", "html"): "upstream sends text alone",
    ("SlackTrigger", "endpoint"): "for stand-ins of the API",
    ("AWSLambdaTrigger", "endpoint"): "for stand-ins of the API",
    ("FileEventSource", "settleDuration"): "no half-written file is told",
    ("SFTPEventSource", "settleDuration"): "no half-written file is told",
    ("SFTPEventSource", "knownHosts"): "the server is checked from the first login on",
    ("AMQPConsumeConfig", "prefetchCount"): "upstream leaves it to the broker, which sends all it has",
    ("MQTTEventSource", "qos"): "upstream subscribes with 0",
    ("NATSTrigger", "jetstream"): "upstream publishes to core NATS only",
    ("EventSourceSpec", "s3"): "a kind of our own",
    ("StandardK8STrigger", "impersonate"): "upstream acts as its service account only",
    ("ArgoWorkflowTrigger", "impersonate"): "upstream acts as its service account only",
    ("GitCreds", "username"): "same struct as BasicAuth",
}

LAXER = "upstream's schema lists it, but its validation accepts manifests without it"
PARAMETERS_MAY_SET_IT = "upstream leaves it to the first firing, when parameters may have set it"
NOT_REQUIRED = {
    ("AMQPEventSource", "exchangeName"): LAXER,
    ("AzureEventHubsTrigger", "fqdn"): PARAMETERS_MAY_SET_IT,
    ("AzureEventHubsTrigger", "hubName"): PARAMETERS_MAY_SET_IT,
    ("AzureEventHubsTrigger", "payload"): PARAMETERS_MAY_SET_IT,
    ("AzureEventHubsTrigger", "sharedAccessKeyName"): PARAMETERS_MAY_SET_IT,
    ("AzureServiceBusEventSource", "queueName"): "a queue or a topic",
    ("AzureServiceBusEventSource", "subscriptionName"): "a queue or a topic",
    ("AzureServiceBusEventSource", "topicName"): "a queue or a topic",
    ("AzureServiceBusTrigger", "payload"): PARAMETERS_MAY_SET_IT,
    ("AzureServiceBusTrigger", "queueName"): PARAMETERS_MAY_SET_IT,
    ("AzureServiceBusTrigger", "subscriptionName"): "has no effect",
    ("AzureServiceBusTrigger", "topicName"): PARAMETERS_MAY_SET_IT,
    ("BitbucketEventSource", "auth"): "upstream crashes without it; it is only needed to create webhooks",
    ("BitbucketEventSource", "events"): "only needed to create webhooks",
    ("Condition", "status"): "a status is written by a controller and never refused",
    ("Condition", "type"): "a status is written by a controller and never refused",
    ("CustomTrigger", "payload"): LAXER,
    ("CustomTrigger", "secure"): LAXER,
    **dict.fromkeys(
        [
            ("EventContext", name)
            for name in ("datacontenttype", "id", "source", "specversion", "subject", "time", "type")
        ],
        "a filter names those it compares",
    ),
    ("GerritEventSource", "hookName"): LAXER,
    ("GitArtifact", "cloneDirectory"): "a temporary folder",
    ("GitRemoteConfig", "name"): LAXER,
    ("GitRemoteConfig", "urls"): LAXER,
    ("GithubEventSource", "events"): "only needed to create webhooks",
    ("HTTPTrigger", "payload"): LAXER,
    ("K8SResourcePolicy", "backoff"): LAXER,
    ("K8SResourcePolicy", "errorOnBackoffTimeout"): LAXER,
    ("KafkaConsumerGroup", "groupName"): LAXER,
    ("PulsarTrigger", "payload"): PARAMETERS_MAY_SET_IT,
    ("PulsarTrigger", "topic"): PARAMETERS_MAY_SET_IT,
    ("PulsarTrigger", "url"): PARAMETERS_MAY_SET_IT,
    ("ResourceEventSource", "group"): "empty for the core group",
    ("ResourceEventSource", "namespace"): "empty for all namespaces",
    ("S3Filter", "prefix"): LAXER,
    ("S3Filter", "suffix"): LAXER,
    ("SQSEventSource", "waitTimeSeconds"): LAXER,
    ("Selector", "value"): "not needed for `exists`",
    ("StatusPolicy", "allow"): "checked where the policy is used",
    ("StorageGridFilter", "prefix"): LAXER,
    ("StorageGridFilter", "suffix"): LAXER,
    ("TriggerParameter", "dest"): "may be empty in the payload of http",
    ("TriggerParameterSource", "dependencyName"): "checked where the parameter is used",
    ("WebhookContext", "method"): LAXER,
    ("WebhookContext", "url"): LAXER,
    ("WebhookEventSource", "method"): LAXER,
    ("WebhookEventSource", "url"): LAXER,
}
"""What upstream's schema requires and our models do not."""


NEVER_WORKS = "upstream's validation lets it pass, and the first use fails"
ALSO_REQUIRED = {
    **dict.fromkeys(
        [
            ("ArgoWorkflowTrigger", "source"), ("BitbucketServerEventSource", "webhook"),
            ("ConditionsResetCriteria", "byTime"), ("EmailTrigger", "host"), ("GerritEventSource", "auth"),
            ("GerritEventSource", "projects"), ("GerritEventSource", "webhook"),
            ("GithubEventSource", "webhook"), ("GitlabEventSource", "accessToken"),
            ("GitlabEventSource", "webhook"), ("JetStreamBus", "version"), ("JetStreamConfig", "url"),
            ("KafkaBus", "url"), ("MNSEventSource", "endpoint"), ("NATSConfig", "clusterID"),
            ("NATSConfig", "url"), ("SNSEventSource", "webhook"), ("SlackEventSource", "signingSecret"),
            ("SlackEventSource", "token"), ("SlackEventSource", "webhook"), ("SlackTrigger", "slackToken"),
            ("StandardK8STrigger", "source"), ("StorageGridEventSource", "events"),
            ("StorageGridEventSource", "webhook"), ("StripeEventSource", "webhook"), ("Trigger", "template"),
        ],
        "upstream's validation asks for it",
    ),
    ("MNSEventSource", "accessKey"): NEVER_WORKS,
    ("MNSEventSource", "secretKey"): NEVER_WORKS,
    ("SFTPEventSource", "address"): NEVER_WORKS,
    ("SFTPEventSource", "username"): NEVER_WORKS,
}  # fmt: skip
"""What our models require and upstream's schema does not."""


def model_of(name: str) -> type[Model]:
    """Our model of a type of upstream."""
    if name in SOURCES:
        return config_class("sources", SOURCES[name])
    if name in TRIGGERS:
        return config_class("triggers", TRIGGERS[name])
    if name in INSIDE_KINDS:
        group, kind, *path = INSIDE_KINDS[name]
        return inside(config_class(group, kind), path)  # type: ignore[arg-type] # "sources" or "triggers"
    if name in OTHER_NAMES:
        return OTHER_NAMES[name]
    for module in (common, eventbus, eventsource, sensor):
        found = vars(module).get(name)
        if isinstance(found, type) and issubclass(found, Model):
            return found
    raise AssertionError(f"no model for {name}")


def inside(model: type[Model], path: list[str]) -> type[Model]:
    for name in path:
        shape = fields(model)[name].shape
        found = shape.model or (shape.item.model if shape.item else None)
        assert found
        model = found
    return model


def fits(shape: Shape, wanted: str) -> bool:
    """Whether a field of ours has the type that upstream's has."""
    if wanted.startswith("array of "):
        item = shape.item
        return shape.form == "list" and item is not None and fits(item, wanted.removeprefix("array of "))
    if wanted.startswith("map of "):
        item = shape.item
        return shape.form == "map" and item is not None and fits(item, wanted.removeprefix("map of "))
    if wanted in OBJECTS:
        return shape.form == "map" and shape.item is not None and shape.item.form == "any"
    if shape.model:
        return wanted in ("ObjectMeta", "S3Artifact") or shape.model is model_of(wanted)
    return wanted in PLAIN[shape.form] and (shape.form != "integer" or shape.width in wanted)


TYPES = sorted(name for name in KNOWN if name not in NO_MODEL)


@pytest.mark.parametrize("name", TYPES)
def test_every_field_of_upstream_is_there_with_its_type(name: str) -> None:
    ours = all_fields(model_of(name))
    wrong = {
        field: wanted
        for field, wanted in KNOWN[name]["fields"].items()
        if field not in ours or not fits(ours[field].shape, wanted)
    }
    assert wrong == {}


@pytest.mark.parametrize("name", TYPES)
def test_fields_of_our_own_are_listed(name: str) -> None:
    extra = set(all_fields(model_of(name))) - set(KNOWN[name]["fields"])
    assert extra == {field for type_name, field in OURS if type_name == name} - set(KNOWN[name]["fields"])


@pytest.mark.parametrize("name", TYPES)
def test_required_fields_are_required_or_excused(name: str) -> None:
    ours = fields(model_of(name))
    lax = {field for field in KNOWN[name].get("required", []) if not ours[field].required}
    assert lax == {field for type_name, field in NOT_REQUIRED if type_name == name}


@pytest.mark.parametrize("name", TYPES)
def test_other_required_fields_are_listed(name: str) -> None:
    strict = {field.name for field in fields(model_of(name)).values() if field.required}
    assert strict - set(KNOWN[name].get("required", [])) == {
        field for type_name, field in ALSO_REQUIRED if type_name == name
    }


def test_the_tables_name_types_that_exist() -> None:
    named = {name for name, _ in (*OURS, *NOT_REQUIRED, *ALSO_REQUIRED)} | {
        *SOURCES,
        *TRIGGERS,
        *INSIDE_KINDS,
        *OTHER_NAMES,
    }
    assert named | set(NO_MODEL) <= set(KNOWN)


def test_every_kind_of_upstream_is_there() -> None:
    spec = KNOWN["EventSourceSpec"]["fields"]
    assert {name for name, kind in spec.items() if kind.startswith("map of ")} == {*source_kinds()} - {"s3"}
    template = KNOWN["TriggerTemplate"]["fields"]
    assert {name for name, kind in template.items() if kind.endswith("Trigger")} == {*trigger_kinds()}


# manifests

MANIFESTS = sorted(
    str(path.relative_to(CORPUS)) for path in CORPUS.rglob("*") if path.suffix in (".yaml", ".yml")
)
REFUSED = {
    "tutorials/09-http-trigger/sensor-01.yaml": "`serverURL` instead of `url`: upstream refuses it as well",
    "tutorials/09-http-trigger/sensor-02.yaml": "`serverURL` instead of `url`: upstream refuses it as well",
}


def findings(name: str) -> list[Any]:
    return load([CORPUS / name]).findings


@pytest.mark.parametrize("name", [name for name in MANIFESTS if name not in REFUSED])
def test_a_manifest_of_upstream_loads(name: str) -> None:
    made = load([CORPUS / name])
    assert [str(finding) for finding in made.errors] == []
    assert made.event_sources or made.sensors or made.event_buses or made.objects or made.config_maps


@pytest.mark.parametrize("name", REFUSED)
def test_a_manifest_that_upstream_refuses_is_refused(name: str) -> None:
    made = load([CORPUS / name])
    assert [finding.field for finding in made.errors] == ["spec.triggers.0.template.http.url"]
    assert any("serverURL" in finding.field for finding in made.findings)


def test_doubts_about_the_manifests_of_upstream() -> None:
    """What is doubted is really doubtful: fields that have no effect there, one that is replaced."""
    doubted = {
        (name, finding.field)
        for name in MANIFESTS
        for finding in findings(name)
        if finding.severity == "warning" and finding.code not in ("kind-not-available", "missing-extra")
    }
    assert doubted == {
        ("event-sources/stripe.yaml", "spec.stripe.example.namespace"),
        ("sensors/trigger-openwhisk.yaml", "spec.triggers.0.template.openWhisk"),
        ("sensors/trigger-with-atleast-once-semantics.yaml", "spec.triggers.0.template.atLeastOnce"),
        ("sensors/trigger-with-policy.yaml", "spec.triggers.0.template.policy"),
        ("sensors/url-sensor.yaml", "spec.triggers.0.template.k8s.source.url.verifyCert"),
        ("test/e2e/testdata/sensor-multi-sensor-2-atleastonce.yaml", "spec.triggers.0.template.atLeastOnce"),
        ("test/e2e/testdata/sensor-multi-sensor-atleastonce.yaml", "spec.triggers.0.template.atLeastOnce"),
        (
            "tutorials/02-parameterization/sensor-05.yaml",
            "spec.triggers.0.template.argoWorkflow.parameters.0.src.dependencyName",
        ),
        (
            "tutorials/03-trigger-sources/sensor-cm.yaml",
            "spec.triggers.0.template.k8s.source.configmap.namespace",
        ),
        ("tutorials/03-trigger-sources/sensor-git.yaml", "spec.triggers.0.template.k8s.source.git.namespace"),
        (
            "tutorials/03-trigger-sources/sensor-git.yaml",
            "spec.triggers.0.template.k8s.source.git.sshKeyPath",
        ),
        ("tutorials/06-trigger-conditions/minio-event-source.yaml", "spec.type"),
        ("tutorials/06-trigger-conditions/webhook-event-source.yaml", "spec.type"),
        ("tutorials/09-http-trigger/minio-event-source.yaml", "spec.type"),
        ("tutorials/09-http-trigger/sensor-01.yaml", "spec.triggers.0.template.http.serverURL"),
        ("tutorials/09-http-trigger/sensor-02.yaml", "spec.triggers.0.template.http.serverURL"),
    }


def test_workflows_load_as_they_are() -> None:
    made = load([CORPUS.parent / "argo-workflows"])
    assert [str(finding) for finding in made.errors] == []
    assert [finding.code for finding in made.findings] == ["duplicate-key"]
    assert {item["kind"] for item in made.objects} >= {"Workflow", "WorkflowTemplate", "CronWorkflow"}

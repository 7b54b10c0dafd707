"""Shared structs of the v1alpha1 API: selectors, TLS, authentication, backoff, pod templates, status.

Spec      pkg/apis/events/v1alpha1 of the Go project: same fields, same names
Durations stay the text of the manifest: `events.lang.duration` reads them where they are used
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Annotated, Any, TypeAlias

from pydantic import Field, PlainValidator, PrivateAttr
from pydantic_core import PydanticCustomError

from events.api.model import (
    Holder,
    Int32,
    Int64,
    IntOrString,
    Lenient,
    LenientStr,
    Model,
    NonEmpty,
    Problem,
    Severity,
    StringMap,
    Strings,
    walk,
)
from events.api.origin import Origin, Path
from events.lang.backoff import Backoff as Schedule
from events.lang.backoff import compile_backoff

__all__ = [
    "API_VERSION",
    "AWSMSKIAM",
    "SASL",
    "TLS",
    "Amount",
    "Backoff",
    "BasicAuth",
    "Condition",
    "ConfigMapKeySelector",
    "Container",
    "ContainerTemplate",
    "DurationOrNanoseconds",
    "Envelope",
    "GithubApp",
    "Holder",
    "Int32",
    "Int64",
    "KafkaConsumerGroup",
    "LenientStr",
    "Metadata",
    "Model",
    "NATSAuth",
    "NonEmpty",
    "Object",
    "ObjectMeta",
    "Objects",
    "Origin",
    "Path",
    "Persistence",
    "Pods",
    "Problem",
    "Quantity",
    "S3Bucket",
    "S3Filter",
    "SchemaRegistry",
    "SecretKeySelector",
    "SecureHeader",
    "Severity",
    "Status",
    "StringMap",
    "Strings",
    "Template",
    "ValueFrom",
    "check_choice",
    "check_duration",
    "check_login",
    "check_tls",
    "config_map_refs",
    "secret_refs",
    "walk",
]

Object: TypeAlias = dict[str, Any]
"""A Kubernetes struct that is handed on as it is."""
Objects: TypeAlias = list[dict[str, Any]]


class SecretKeySelector(Model):
    """One key of a Secret in the same namespace."""

    name: NonEmpty = Field(description="name of the Secret")
    key: NonEmpty = Field(description="key inside the Secret")
    optional: bool = Field(False, description="has no effect: a secret that is missing is an error")


class ConfigMapKeySelector(Model):
    """One key of a ConfigMap in the same namespace."""

    name: NonEmpty = Field(description="name of the ConfigMap")
    key: NonEmpty = Field(description="key inside the ConfigMap")
    optional: bool = Field(False, description="has no effect: a key that is missing is an error")


class TLS(Model):
    """Client side of a TLS connection."""

    ca_cert_secret: SecretKeySelector | None = Field(
        None, description="PEM certificates that become the only trust root"
    )
    client_cert_secret: SecretKeySelector | None = Field(
        None, description="PEM client certificate; goes with clientKeySecret"
    )
    client_key_secret: SecretKeySelector | None = Field(None, description="PEM key of the client certificate")
    insecure_skip_verify: bool = Field(False, description="do not verify the certificate of the server")
    enabled: bool = Field(False, description="use TLS with the trust roots of the system")

    @property
    def half_pair(self) -> bool:
        """True when client certificate or key is there without the other."""
        return (self.client_cert_secret is None) != (self.client_key_secret is None)

    @property
    def undecided(self) -> bool:
        """True when nothing says which certificates to trust or show."""
        given = self.ca_cert_secret or self.client_cert_secret or self.client_key_secret
        return not (given or self.enabled or self.insecure_skip_verify)


def check_tls(tls: TLS | None, field: str = "tls", severity: Severity = "error") -> Iterator[Problem]:
    """The rules of a TLS struct. Upstream applies them to some kinds only, hence `severity`."""
    if tls is None or tls.insecure_skip_verify:
        return
    if tls.undecided:
        hint = "write caCertSecret, or enabled: true (trust roots of the system), or insecureSkipVerify: true"
        yield Problem(field, "has neither certificates nor enabled: true", hint, "tls", severity)
    if tls.half_pair:
        hint = "clientCertSecret and clientKeySecret go together"
        yield Problem(field, "has only one of client certificate and client key", hint, "tls", severity)


class BasicAuth(Model):
    """User name and password, each from a Secret."""

    username: SecretKeySelector | None = Field(None, description="Secret key with the user name")
    password: SecretKeySelector | None = Field(None, description="Secret key with the password")


def check_choice(
    value: str, field: str, choices: Sequence[str], severity: Severity = "error"
) -> Iterator[Problem]:
    """The value is one of the choices, or empty."""
    if value and value not in choices:
        said = f"unknown {field.rpartition('.')[2]} {value!r}"
        yield Problem(field, said, f"one of {', '.join(choices)}", "choice", severity)


def check_login(
    auth: BasicAuth | None, field: str = "auth", severity: Severity = "error"
) -> Iterator[Problem]:
    """Both halves of a basic authentication must be there."""
    if auth is not None and not (auth.username and auth.password):
        hint = "each is {name: SECRET, key: KEY}"
        yield Problem(field, "needs both username and password", hint, "required", severity)


MECHANISMS = ("PLAIN", "OAUTHBEARER", "SCRAM-SHA-256", "SCRAM-SHA-512", "GSSAPI")


class SASL(Model):
    """SASL login of a Kafka connection."""

    mechanism: str = Field("", description=f"one of {', '.join(MECHANISMS)}; PLAIN when empty")
    user_secret: SecretKeySelector | None = Field(None, description="Secret key with the user name")
    password_secret: SecretKeySelector | None = Field(None, description="Secret key with the password")

    def problems(self) -> Iterable[Problem]:
        """Upstream checks these for the kafka source; elsewhere they fail when it connects."""
        yield from check_choice(self.mechanism, "mechanism", MECHANISMS)
        if not (self.user_secret and self.password_secret):
            hint = "each is {name: SECRET, key: KEY}"
            yield Problem("", "needs both userSecret and passwordSecret", hint, "required")


class AWSMSKIAM(Model):
    """Login to Amazon MSK with IAM credentials."""

    region: NonEmpty = Field(description="AWS region of the cluster")


class SchemaRegistry(Model):
    """Confluent schema registry for Avro values."""

    url: NonEmpty = Field(description="URL of the registry")
    schema_id: Int32 = Field(0, description="id of the schema to write with; not used for reading")
    auth: BasicAuth | None = Field(None, description="login to the registry")


class KafkaConsumerGroup(Model):
    """Membership in a Kafka consumer group."""

    group_name: str = Field("", description="name of the group")
    oldest: bool = Field(False, description="a new group starts at the oldest record instead of the newest")
    rebalance_strategy: str = Field("", description="range, roundrobin or sticky; anything else means range")


class NATSAuth(Model):
    """Login to NATS; the first one given counts: basic, token, nkey, credential."""

    basic: BasicAuth | None = Field(None, description="user name and password")
    token: SecretKeySelector | None = Field(None, description="Secret key with the token")
    nkey: SecretKeySelector | None = Field(None, description="Secret key with the NKey seed")
    credential: SecretKeySelector | None = Field(None, description="Secret key with a credentials file")


_DURATION = re.compile(r"[+-]?(0|(([0-9]+(\.[0-9]*)?|\.[0-9]+)(ns|us|\u00b5s|\u03bcs|ms|s|m|h))+)")


def check_duration(text: str, field: str) -> Iterator[Problem]:
    """The text has the form of Go's duration strings, or is empty, which means absent."""
    if text and not _DURATION.fullmatch(text):
        hint = "write numbers with units (h, m, s, ms), as in 90s or 1h30m"
        yield Problem(field, f"not a duration: {text[:40]!r}", hint, "duration")


def _duration(value: object) -> str | int:
    whole = int(value) if isinstance(value, float) and value.is_integer() else value
    if isinstance(whole, bool) or not isinstance(whole, (int, str)):
        raise PydanticCustomError("duration_type", "not a duration: write text with a unit, as in 2s")
    return whole


def _amount(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        raise PydanticCustomError("amount_type", "not a number")
    try:
        return float(value)
    except (ValueError, OverflowError) as exc:
        raise PydanticCustomError("amount_type", "not a number") from exc


DurationOrNanoseconds: TypeAlias = Annotated[str | int, PlainValidator(_duration), IntOrString()]
Amount: TypeAlias = Annotated[
    float, PlainValidator(_amount), Lenient((int, float), "a number without quotes")
]


class Backoff(Model):
    """Pauses between attempts: duration, then each factor times the one before, plus random jitter."""

    duration: DurationOrNanoseconds = Field(
        "1s", description="first pause, as text with a unit (2s, 1m); a number means nanoseconds"
    )
    factor: Amount = Field(1.0, description="each pause is so many times the one before")
    jitter: Amount = Field(1.0, description="random part added to a pause, as a share of it")
    steps: Int32 = Field(5, description="attempts in all; 0 or less means 5")

    def problems(self) -> Iterable[Problem]:
        """A duration that does not parse lets upstream fail without a single attempt."""
        if isinstance(self.duration, str):
            yield from check_duration(self.duration or '""', "duration")

    def schedule(self) -> Schedule:
        """What can be asked for pauses. Raises ExpressionError."""
        return compile_backoff(self.duration, self.factor, self.jitter, self.steps)


class ValueFrom(Model):
    """Text from a Secret or a ConfigMap."""

    secret_key_ref: SecretKeySelector | None = Field(None, description="key of a Secret")
    config_map_key_ref: ConfigMapKeySelector | None = Field(None, description="key of a ConfigMap")


class SecureHeader(Model):
    """A header whose value comes from a Secret or a ConfigMap."""

    name: str = Field("", description="name of the header")
    value_from: ValueFrom | None = Field(None, description="where the value is")


class GithubApp(Model):
    """Login as an installation of a GitHub App."""

    private_key: SecretKeySelector = Field(description="Secret key with the PEM private key of the app")
    app_id: Int64 = Field(alias="appID", description="id of the app")
    installation_id: Int64 = Field(alias="installationID", description="id of the installation")


class S3Bucket(Model):
    """A bucket, or an object in it."""

    name: NonEmpty = Field(description="name of the bucket")
    key: str = Field("", description="key of the object")


class S3Filter(Model):
    """Which object keys count."""

    prefix: str = Field("", description="start of the object key")
    suffix: str = Field("", description="end of the object key")


class Metadata(Model):
    """Labels and annotations of what is created."""

    annotations: StringMap = Field({}, description="annotations")
    labels: StringMap = Field({}, description="labels")


class ObjectMeta(Metadata):
    """Metadata of an EventSource, Sensor or EventBus. Further fields are kept as they are."""

    name: str = Field("", description="name of the object, unique for its kind in the namespace")
    namespace: str = Field("", description="namespace; `default` or that of the command when absent")
    uid: str = Field("", description="set by the API server")
    generation: Int64 = Field(0, description="set by the API server: counts the changes of spec")
    resource_version: str = Field("", description="set by the API server")

    @classmethod
    def allows(cls, name: str) -> bool:
        """Kubernetes has more fields, and none of them matters here."""
        return True


API_VERSION = "argoproj.io/v1alpha1"


class Envelope(Model):
    """What EventSource, Sensor and EventBus have in common."""

    api_version: str = Field(API_VERSION, description=API_VERSION)
    metadata: ObjectMeta = Field(description="name, namespace, labels, annotations")

    _origin: Origin = PrivateAttr(default_factory=Origin)

    @property
    def origin(self) -> Origin:
        """Where the object was read from."""
        return self._origin

    def attach_origin(self, origin: Origin) -> None:
        """Remember where the object was read from."""
        self._origin = origin

    @property
    def name(self) -> str:
        """Name of the object."""
        return self.metadata.name

    @property
    def namespace(self) -> str:
        """Namespace of the object."""
        return self.metadata.namespace


class Container(Model):
    """What can be set of the main container of a Deployment."""

    resources: Object | None = Field(None, description="requests and limits")
    image_pull_policy: str = Field("", description="Always, IfNotPresent or Never")
    security_context: Object | None = Field(None, description="security context of the container")
    volume_mounts: Objects = Field([], description="further volume mounts")
    env: Objects = Field([], description="further environment variables")
    env_from: Objects = Field([], description="further sources of environment variables")


class Pods(Model):
    """Where and how pods run; shared by all pod templates."""

    metadata: Metadata | None = Field(None, description="labels and annotations of the pods")
    service_account_name: str = Field("", description="service account of the pods")
    security_context: Object | None = Field(None, description="security context of the pods")
    node_selector: StringMap = Field({}, description="labels that a node must have")
    tolerations: Objects = Field([], description="taints that the pods tolerate")
    image_pull_secrets: Objects = Field([], description="Secrets to pull images with, each {name: SECRET}")
    priority_class_name: str = Field("", description="priority class of the pods")
    priority: Int32 | None = Field(None, description="priority of the pods")
    affinity: Object | None = Field(None, description="affinity of the pods")


class Template(Pods):
    """Pod template of the Deployment that runs an EventSource or Sensor on a cluster."""

    container: Container | None = Field(None, description="settings of the main container")
    volumes: Objects = Field([], description="further volumes")


class ContainerTemplate(Model):
    """What can be set of a container of the bus."""

    resources: Object | None = Field(None, description="requests and limits")
    image_pull_policy: str = Field("", description="Always, IfNotPresent or Never")
    security_context: Object | None = Field(None, description="security context of the container")


def _quantity(value: object) -> str:
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        raise PydanticCustomError("quantity_type", "not a quantity: write text with a unit, as in 10Gi")
    return str(value)


Quantity: TypeAlias = Annotated[str, PlainValidator(_quantity), IntOrString()]


class Persistence(Model):
    """A volume for the data of the bus."""

    storage_class_name: str = Field("", description="storage class; the cluster's default when empty")
    access_mode: str = Field("", description="access mode; ReadWriteOnce when empty")
    volume_size: Quantity = Field("", description="size, as in 10Gi")


class Condition(Model):
    """One condition of a status."""

    type: str = Field("", description="what the condition is about")
    status: str = Field("", description="True, False or Unknown")
    reason: str = Field("", description="one word for why")
    message: str = Field("", description="sentence for a user")
    last_transition_time: str = Field("", description="when status changed last, RFC 3339")


class Status(Model):
    """Status of an EventSource or Sensor."""

    conditions: list[Condition] = Field([], description="conditions, sorted by type")


def secret_refs(model: Model) -> Iterator[tuple[Path, SecretKeySelector]]:
    """Every Secret key that a model refers to, with its path below the model."""
    return ((path, found) for path, found in walk(model) if isinstance(found, SecretKeySelector))


def config_map_refs(model: Model) -> Iterator[tuple[Path, ConfigMapKeySelector]]:
    """Every ConfigMap key that a model refers to, with its path below the model."""
    return ((path, found) for path, found in walk(model) if isinstance(found, ConfigMapKeySelector))

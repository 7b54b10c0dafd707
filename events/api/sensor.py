"""Sensor: dependencies, filters, parameters, triggers; base of the config models of all trigger kinds.

Spec      Sensor.spec; the configs of the trigger kinds stay raw here: their models live beside the
          adapters in `events.triggers`
Upstream  pkg/apis/events/v1alpha1/sensor_types.go
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Literal

from pydantic import Field

from events.api.common import (
    Backoff,
    BasicAuth,
    ConfigMapKeySelector,
    Envelope,
    GithubApp,
    Holder,
    Int32,
    LenientStr,
    Model,
    NonEmpty,
    Object,
    Problem,
    S3Bucket,
    S3Filter,
    SecretKeySelector,
    Severity,
    Status,
    StringMap,
    Strings,
    Template,
    check_choice,
    walk,
)
from events.api.origin import dotted
from events.registry import is_kind, trigger_kinds

PARAMETER_OPERATIONS = ("", "append", "overwrite", "prepend")


class TriggerParameterSource(Model):
    """Where the value of a parameter comes from."""

    dependency_name: str = Field("", description="dependency whose event is read")
    context_key: str = Field("", description="path into the attributes of the event")
    context_template: str = Field("", description="Go template over the attributes of the event")
    data_key: str = Field("", description="path into the data of the event")
    data_template: str = Field("", description="Go template over the data of the event")
    value: LenientStr | None = Field(None, description="used when there is no event or nothing at the path")
    use_raw_data: bool = Field(False, description="write JSON values as they are instead of as text")


class TriggerParameter(Model):
    """Writes a value of an event into a document."""

    src: TriggerParameterSource | None = Field(None, description="where the value comes from")
    dest: str = Field("", description="path that is written")
    operation: str = Field("", description="overwrite (also when empty), append or prepend")


Parameters = list[TriggerParameter]


def check_parameters(
    parameters: Sequence[TriggerParameter] | None,
    field: str,
    *,
    whole_body: bool = False,
    severity: Severity = "error",
) -> Iterator[Problem]:
    """The rules of parameters. With `whole_body` an empty `dest` is allowed and means the whole body.

    Upstream checks the parameters of some kinds only, hence `severity`.
    """
    for index, parameter in enumerate(parameters or ()):
        place = f"{field}.{index}"
        if parameter.src is None:
            hint = "write src: {dependencyName: NAME, dataKey: PATH}"
            yield Problem(place, "has no src", hint, "required", severity)
        elif not parameter.src.dependency_name:
            hint = "name one of spec.dependencies"
            yield Problem(f"{place}.src.dependencyName", "is empty", hint, "required", severity)
        if not parameter.dest and not whole_body:
            yield Problem(f"{place}.dest", "is empty", "say which field is written", "required", severity)
        if parameter.operation not in PARAMETER_OPERATIONS:
            said = f"unknown operation {parameter.operation!r}"
            yield Problem(f"{place}.operation", said, "overwrite, append or prepend", "choice", severity)


class TriggerConfig(Model):
    """Base of the config of a trigger, of every kind."""

    parameters: Parameters = Field([], description="values of events written into the trigger before it runs")


class FileArtifact(Model):
    """A file of this machine."""

    path: str = Field("", description="path of the file")


class URLArtifact(Model):
    """A document fetched over HTTP."""

    path: NonEmpty = Field(description="URL of the document")
    verify_cert: bool = Field(False, description="verify the certificate of the server")


class S3Artifact(Model):
    """An object of an S3 bucket."""

    endpoint: NonEmpty = Field(description="host and port of the store, without scheme")
    bucket: S3Bucket = Field(description="bucket and key of the object")
    region: str = Field("", description="region of the bucket")
    insecure: bool = Field(False, description="plain HTTP instead of HTTPS")
    access_key: SecretKeySelector = Field(description="Secret key with the access key")
    secret_key: SecretKeySelector = Field(description="Secret key with the secret key")
    ca_certificate: SecretKeySelector | None = Field(
        None, description="not used for a document, as upstream; AWS_CA_BUNDLE is"
    )
    events: Strings = Field([], description="not used for a document")
    filter: S3Filter | None = Field(None, description="not used for a document")
    metadata: StringMap = Field({}, description="not used for a document")

    def problems(self) -> Iterable[Problem]:
        """Nothing that would be taken for a setting and is none."""
        if self.ca_certificate is not None:
            hint = "name a file with the certificate in the environment variable AWS_CA_BUNDLE"
            yield Problem("caCertificate", "is not used", hint, "ignored", "warning")


class GitRemote(Model):
    """A further remote of the repository."""

    name: str = Field("", description="name of the remote")
    urls: Strings = Field([], description="URLs of the remote")


class GitArtifact(Model):
    """A file of a Git repository."""

    url: NonEmpty = Field(description="URL of the repository")
    clone_directory: str = Field("", description="folder to clone into; a temporary one when empty")
    file_path: NonEmpty = Field(description="path of the file in the repository")
    creds: BasicAuth | None = Field(None, description="user name and password; first choice")
    github_app: GithubApp | None = Field(None, description="login as a GitHub App; second choice")
    ssh_key_secret: SecretKeySelector | None = Field(None, description="SSH key; third choice")
    branch: str = Field("", description="branch to read; master when branch, tag and ref are empty")
    tag: str = Field("", description="tag to read; wins over branch")
    ref: str = Field("", description="full name of a ref; wins over tag and branch")
    remote: GitRemote | None = Field(None, description="remote to fetch from instead of origin")
    insecure_ignore_host_key: bool = Field(False, description="do not check the SSH key of the host")


class ArtifactLocation(Model):
    """Where the document of a trigger comes from; the first one given counts, in this order."""

    s3: S3Artifact | None = Field(None, description="object of an S3 bucket")
    inline: str | None = Field(None, description="YAML or JSON as text")
    file: FileArtifact | None = Field(None, description="file of this machine")
    url: URLArtifact | None = Field(None, description="document fetched over HTTP")
    git: GitArtifact | None = Field(None, description="file of a Git repository")
    configmap: ConfigMapKeySelector | None = Field(None, description="key of a ConfigMap")
    resource: Object | None = Field(None, description="the document itself")


class EventContext(Model):
    """Attributes of an event to compare with; empty ones are not compared."""

    id: str = Field("", description="not compared")
    source: str = Field("", description="name of the EventSource")
    specversion: str = Field("", description="not compared")
    type: str = Field("", description="kind of the event source")
    datacontenttype: str = Field("", description="media type of the data")
    subject: str = Field("", description="name of the event")
    time: str = Field("", description="not compared")


class PayloadField(Model):
    """A value of the event that an expression uses."""

    path: NonEmpty = Field(description="path into the data of the event")
    name: NonEmpty = Field(description="name of the value in the expression")


class ExprFilter(Model):
    """An expression over values of the event."""

    expr: NonEmpty = Field(description="govaluate expression; passes when it is true")
    fields: list[PayloadField] = Field(min_length=1, description="values that the expression uses")


COMPARATORS = (">=", ">", "=", "!=", "<", "<=")


class DataFilter(Model):
    """Compares one value of the event."""

    path: NonEmpty = Field(description="path into the data of the event")
    type: NonEmpty = Field(description="string, number or bool")
    value: list[LenientStr] = Field(min_length=1, description="values to compare with; any may match")
    comparator: str = Field("", description=f"one of {' '.join(COMPARATORS)}; = when empty")
    template: str = Field("", description="Go template that the value goes through first, as .Input")

    def problems(self) -> Iterable[Problem]:
        """A known comparator, no empty values; `!=` with several values."""
        yield from check_choice(self.comparator, "comparator", COMPARATORS)
        for index, value in enumerate(self.value):
            if not value:
                yield Problem(f"value.{index}", "is empty", "an empty text never matches", "required")
        if self.comparator == "!=" and len(set(self.value)) > 1:
            hint = "use one filter for each value"
            said = "any value may differ, so this passes for every event"
            yield Problem("value", said, hint, "always-true", "warning")


class TimeFilter(Model):
    """Passes within a part of the day."""

    start: str = Field(description="first moment of the day, as HH:MM:SS")
    stop: str = Field(description="end of the time, not included, as HH:MM:SS; may be on the next day")
    timezone: str = Field("", description="IANA time zone; UTC when empty")

    def problems(self) -> Iterable[Problem]:
        """Two different times; whether they are times is checked where they are compiled."""
        if self.start == self.stop:
            yield Problem("", "start and stop are the same", "", "choice")


LOGICAL = ("and", "or")


class Filters(Model):
    """Which events of a dependency count. Kinds that are absent pass."""

    exprs: list[ExprFilter] = Field([], description="expressions over values of the event")
    expr_logical_operator: str = Field("", description="and (also when empty) or or: joins exprs")
    data_logical_operator: str = Field("", description="and (also when empty) or or: joins data")
    data: list[DataFilter] = Field([], description="comparisons of values of the event")
    context: EventContext | None = Field(None, description="attributes that must be equal")
    time: TimeFilter | None = Field(None, description="time of the day")
    script: str = Field("", description="Lua script over the event; passes when it returns true")

    def problems(self) -> Iterable[Problem]:
        """Known operators; attributes that are compared."""
        yield from check_choice(self.expr_logical_operator, "exprLogicalOperator", LOGICAL)
        yield from check_choice(self.data_logical_operator, "dataLogicalOperator", LOGICAL)
        context = self.context
        if context and not (context.type or context.subject or context.source or context.datacontenttype):
            hint = "write type, subject, source or datacontenttype"
            yield Problem("context", "compares nothing", hint, "required")


class EventDependencyTransformer(Model):
    """Changes the data of an event before it is filtered."""

    jq: str = Field("", description="jq program; wins over script")
    script: str = Field("", description="Lua script that returns the new event")

    def problems(self) -> Iterable[Problem]:
        """One of the two."""
        if self.jq and self.script:
            yield Problem("script", "is not used: jq wins", "remove one of them", "ignored", "warning")


class EventDependency(Model):
    """One event of one EventSource that a sensor waits for."""

    name: NonEmpty = Field(description="name used in conditions and parameters")
    event_source_name: NonEmpty = Field(description="name of the EventSource")
    event_name: NonEmpty = Field(description="name of the event in the EventSource")
    filters: Filters | None = Field(None, description="which events count")
    transform: EventDependencyTransformer | None = Field(
        None, description="change of the data, before filters"
    )
    filters_logical_operator: str = Field(
        "", description="and (also when empty) or or: joins the kinds of filters"
    )

    def problems(self) -> Iterable[Problem]:
        """A known operator."""
        return check_choice(self.filters_logical_operator, "filtersLogicalOperator", LOGICAL)


class ConditionsResetByTime(Model):
    """Forgets held events at given times."""

    cron: str = Field("", description="cron expression of five fields")
    timezone: str = Field("", description="IANA time zone; UTC when empty")


class ConditionsReset(Model):
    """When a trigger forgets the events it holds."""

    by_time: ConditionsResetByTime = Field(description="by a schedule")


class K8sPolicy(Model):
    """Success means labels on the object."""

    labels: StringMap = Field({}, description="labels that the object must get")
    backoff: Backoff | None = Field(None, description="how often and how long to look")
    error_on_backoff_timeout: bool = Field(False, description="labels that never come are a failure")


class StatusPolicy(Model):
    """Success means a status."""

    allow: list[Int32] = Field([], description="statuses of the answer that mean success")


class TriggerPolicy(Model):
    """When a trigger that ran counts as a success."""

    k8s: K8sPolicy | None = Field(None, description="for k8s and argoWorkflow: labels of the object")
    status: StatusPolicy | None = Field(
        None, description="for http, awsLambda, openWhisk: status of the answer"
    )


UNITS = ("Second", "Minute", "Hour")


class RateLimit(Model):
    """At most so many firings in a time; what is above waits."""

    unit: str = Field("", description="Second (also when empty), Minute or Hour")
    requests_per_unit: Int32 = Field(0, description="firings in that time")
    burst: Int32 = Field(
        0, description="firings that may run at once after a quiet time; 1 when 0 [extension]"
    )

    def problems(self) -> Iterable[Problem]:
        """A limit above zero; an unknown unit means seconds."""
        if self.requests_per_unit <= 0:
            hint = "write requestsPerUnit: 1 or more, or remove rateLimit"
            yield Problem("requestsPerUnit", "lets nothing through", hint, "required")
        yield from check_choice(self.unit, "unit", UNITS, "warning")


class TriggerTemplate(Holder):
    """What a trigger does. The configs of the kinds are kept raw, see `kinds`; models: `configs`."""

    name: NonEmpty = Field(description="name of the trigger, unique in the sensor")
    conditions: str = Field(
        "", description="dependencies joined by &&, || and parentheses; all of them when empty"
    )
    conditions_reset: list[ConditionsReset] = Field([], description="when held events are forgotten")

    @classmethod
    def allows(cls, name: str) -> bool:
        """Kinds of triggers."""
        return is_kind("triggers", name)

    @classmethod
    def suggestions(cls) -> Iterable[str]:
        """Kinds of triggers."""
        return trigger_kinds()

    @property
    def kinds(self) -> dict[str, Any]:
        """Raw configs by kind, and whatever other field there is."""
        return self.model_extra or {}


class Trigger(Model):
    """One thing that a sensor does, and what belongs to doing it."""

    template: TriggerTemplate = Field(description="what is done, and when")
    parameters: Parameters = Field([], description="values of events written into template before it runs")
    policy: TriggerPolicy | None = Field(None, description="when it counts as a success")
    retry_strategy: Backoff | None = Field(None, description="how often it is tried")
    rate_limit: RateLimit | None = Field(None, description="how often it runs")
    at_least_once: bool | None = Field(
        None, description="true: in order, one at a time; false: a crash may lose a firing"
    )
    dlq_trigger: Trigger | None = Field(None, description="runs when all tries have failed")
    max_in_flight: Int32 | None = Field(
        None, ge=1, description="firings at once; 64, or 1 with atLeastOnce: true [extension]"
    )

    def problems(self) -> Iterable[Problem]:
        """Whole parameters and policy; a dead letter trigger that upstream takes as well."""
        yield from check_parameters(self.parameters, "parameters")
        yield from self._policy(self.policy or TriggerPolicy())
        if self.dlq_trigger is not None:
            yield from self._dead_letters(self.dlq_trigger)

    def _policy(self, policy: TriggerPolicy) -> Iterator[Problem]:
        """A policy that the kind of trigger uses has to say what success is."""
        kinds = self.template.kinds.keys()
        if policy.k8s and not policy.k8s.labels and kinds & {"k8s", "argoWorkflow"}:
            hint = "write the labels that mean success"
            yield Problem("policy.k8s.labels", "is missing", hint, "required")
        if policy.status and not policy.status.allow and kinds & {"http", "awsLambda"}:
            hint = "write the statuses that mean success, as in allow: [200]"
            yield Problem("policy.status.allow", "is missing", hint, "required")

    def _dead_letters(self, dlq: Trigger) -> Iterator[Problem]:
        for field, trigger in (("atLeastOnce", self), ("dlqTrigger.atLeastOnce", dlq)):
            if trigger.at_least_once is False:
                said = "is false, but a dead letter trigger is there to lose nothing"
                yield Problem(field, said, "write atLeastOnce: true", "choice")
            elif trigger.at_least_once is None:
                said = "is absent beside a dead letter trigger"
                hint = "write atLeastOnce: true; upstream refuses it otherwise"
                yield Problem(field, said, hint, "upstream-refuses", "warning")


class SensorSpec(Model):
    """What a sensor waits for, and what it does."""

    dependencies: list[EventDependency] = Field(min_length=1, description="events that the sensor waits for")
    triggers: list[Trigger] = Field(min_length=1, description="what it does")
    template: Template | None = Field(None, description="pod template, on a cluster")
    error_on_failed_round: bool = Field(False, description="has no effect")
    event_bus_name: str = Field("", description="EventBus of the same namespace; default when empty")
    replicas: Int32 | None = Field(None, description="pods on a cluster; 1 when absent")
    revision_history_limit: Int32 | None = Field(
        None, description="old ReplicaSets that are kept, on a cluster"
    )
    logging_fields: StringMap = Field({}, description="fields added to every log line of the sensor")

    def problems(self) -> Iterable[Problem]:
        """Names that are unique."""
        names = [trigger.template.name for trigger in self.triggers]
        yield from check_unique(names, "triggers.{}.template.name", "two triggers have the name {!r}")
        dependencies = [dependency.name for dependency in self.dependencies]
        yield from check_unique(dependencies, "dependencies.{}.name", "two dependencies have the name {!r}")
        yield from self._unknown(dependencies)

    def _unknown(self, dependencies: list[str]) -> Iterator[Problem]:
        """Parameters that name no dependency only ever give their default."""
        for path, inner in walk(self):
            if not isinstance(inner, TriggerParameterSource):
                continue
            name = inner.dependency_name
            if name and name not in dependencies:
                place, said = dotted((*path, "dependencyName")), f"there is no dependency {name!r}"
                yield Problem(
                    place, said, f"one of {', '.join(dependencies)}", "unknown-dependency", "warning"
                )


def check_unique(names: Sequence[str], field: str, message: str) -> Iterator[Problem]:
    """No name comes twice; the later one is told, with `field` and `message` filled in."""
    for index, name in enumerate(names):
        if name in names[:index]:
            yield Problem(field.format(index), message.format(name), "choose another name", "duplicate")


class Sensor(Envelope):
    """A Sensor as it stands in a manifest."""

    kind: Literal["Sensor"] = Field("Sensor", description="Sensor")
    spec: SensorSpec = Field(description="what the sensor waits for, and what it does")
    status: Status | None = Field(None, description="set by the controller")

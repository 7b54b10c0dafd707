"""Fields of workflows that can be mistaken for one another, and the parts of a template that do the work.

Spec      argoproj.io/v1alpha1 Workflow, WorkflowTemplate, ClusterWorkflowTemplate, CronWorkflow
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from events.api.model import Problem
from events.api.origin import Path
from events.tools.lint.subjects import as_list, as_map, warning
from events.tools.lint.suggestions import near

WORK: Final = (
    "container", "containerSet", "script", "steps", "dag", "resource", "suspend", "http", "plugin", "data",
)  # fmt: skip
"""A template has exactly one of these."""

_SPEC = (
    "activeDeadlineSeconds affinity archiveLogs arguments artifactGC artifactRepositoryRef "
    "automountServiceAccountToken dnsConfig dnsPolicy entrypoint executor executorPlugins hooks hostAliases "
    "hostNetwork imagePullSecrets metrics nodeSelector onExit parallelism podDisruptionBudget podGC "
    "podMetadata podPriority podPriorityClassName podResources podSpecPatch priority resourceClaims "
    "retryStrategy schedulerName securityContext serviceAccountName shutdown suspend synchronization "
    "templateDefaults templates tolerations ttlStrategy volumeClaimGC volumeClaimTemplates volumes "
    "workflowMetadata workflowTemplateRef"
)
_TEMPLATE = (
    "activeDeadlineSeconds affinity annotations archiveLocation automountServiceAccountToken container "
    "containerSet daemon dag data executor failFast hostAliases http initContainers inputs memoize metadata "
    "metrics name nodeSelector outputs parallelism plugin podResources podSpecPatch priority "
    "priorityClassName resource resourceClaims retryStrategy schedulerName script securityContext "
    "serviceAccountName sidecars steps suspend synchronization timeout tolerations volumes"
)
_CONTAINER = (
    "args command env envFrom image imagePullPolicy lifecycle livenessProbe name ports readinessProbe "
    "resizePolicy resources restartPolicy securityContext startupProbe stdin stdinOnce "
    "terminationMessagePath terminationMessagePolicy tty volumeDevices volumeMounts workingDir"
)
_STEP = (
    "arguments continueOn hooks inline name onExit template templateRef when withItems withParam withSequence"
)
_CRON = (
    "concurrencyPolicy failedJobsHistoryLimit schedule schedules startingDeadlineSeconds stopStrategy "
    "successfulJobsHistoryLimit suspend timezone when workflowMetadata workflowSpec"
)
_FIELDS: Final = {
    "spec": _SPEC,
    "template": _TEMPLATE,
    "container": _CONTAINER,
    "script": f"{_CONTAINER} source",
    "step": _STEP,
    "task": f"{_STEP} dependencies depends",
    "dag": "failFast target tasks",
    "cron": _CRON,
    "arguments": "artifacts parameters",
    "parameter": "default description enum globalName name value valueFrom",
    "templateRef": "clusterScope name template",
    "resource": "action failureCondition flags manifest manifestFrom mergeStrategy setOwnerReference "
    "successCondition",
}
_KNOWN: Final = {what: frozenset(names.split()) for what, names in _FIELDS.items()}


def misspelled(what: str, raw: Any, at: Path) -> Iterator[Problem]:
    """Keys of a map that are no fields, but nearly: those that are like no field are left alone."""
    known = _KNOWN[what]
    for key in as_map(raw):
        if key not in known and (meant := near(key, known, 0.8)) and meant not in as_map(raw):
            said = "is not a field of workflows and has no effect"
            yield warning((*at, key), "unknown-workflow-field", said, f"did you mean {meant}?")


def check_template_fields(template: dict[str, Any], at: Path) -> Iterator[Problem]:
    """Misspelled fields of a template and of what is directly in it."""
    yield from misspelled("template", template, at)
    for part in ("container", "script", "dag", "resource"):
        yield from misspelled(part, template.get(part), (*at, part))
    for part in ("inputs", "outputs"):
        yield from check_arguments(template.get(part), (*at, part))


def check_arguments(raw: Any, at: Path) -> Iterator[Problem]:
    """Misspelled fields of arguments, inputs or outputs."""
    yield from misspelled("arguments", raw, at)
    for place, parameter in enumerate(as_list(as_map(raw).get("parameters"))):
        yield from misspelled("parameter", parameter, (*at, "parameters", place))


def check_step_fields(what: str, step: dict[str, Any], at: Path) -> Iterator[Problem]:
    """Misspelled fields of a step or task."""
    yield from misspelled(what, step, at)
    yield from misspelled("templateRef", step.get("templateRef"), (*at, "templateRef"))
    yield from check_arguments(step.get("arguments"), (*at, "arguments"))

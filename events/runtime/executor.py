"""Fires requests: one instance of each trigger kind per namespace, shared by all sensors of the process."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from events.errors import Retryable
from events.event import Outcome, Request
from events.registry import adapter_class
from events.sensors.policy import labels_met, status_fault
from events.triggers._base import Trigger, TriggerContext
from events.triggers._documents import Documents
from events.triggers._fetched import FetchRequest, completed, read_request

if TYPE_CHECKING:
    from events.runtime.plans import TriggerPlan

log = logging.getLogger(__name__)


class Executor:
    """Everything that leaves the process goes through here."""

    def __init__(self, context: Callable[[str], TriggerContext]) -> None:
        """`context` makes what the triggers of a namespace are lent."""
        self._context = context
        self._made: dict[tuple[str, str], Trigger[Any, Any]] = {}
        self._documents: dict[str, Documents] = {}

    def instance(self, namespace: str, kind: str) -> Trigger[Any, Any]:
        key = (namespace, kind)
        found = self._made.get(key)
        if found is None:
            cls = adapter_class("triggers", kind)
            if cls is None:
                raise LookupError(kind)
            found = self._made[key] = cls(self._context(namespace))
        return found

    async def fire(self, namespace: str, plan: TriggerPlan, request: Request, firing: str) -> Outcome:
        """One attempt. Raises Retryable, Permanent."""
        trigger = self.instance(namespace, plan.kind)
        if isinstance(request, FetchRequest):
            request = await completed(request, firing, self._documents_of(namespace))
        return await trigger.fire(request, firing)

    def _documents_of(self, namespace: str) -> Documents:
        if namespace not in self._documents:
            self._documents[namespace] = Documents(self._context(namespace))
        return self._documents[namespace]

    async def judge(self, namespace: str, plan: TriggerPlan, outcome: Outcome) -> str | None:
        """Why the outcome is a failure, by the trigger's policy; None: a success."""
        policy = plan.policy
        if policy is None:
            return None
        fault = status_fault(policy, outcome)
        if fault is not None or policy.k8s is None or not policy.k8s.labels:
            return fault
        return await self._labels(namespace, plan, outcome)

    async def _labels(self, namespace: str, plan: TriggerPlan, outcome: Outcome) -> str | None:
        """Look at the object until it carries the wanted labels (policy.k8s)."""
        assert plan.policy is not None
        assert plan.policy.k8s is not None
        policy, trigger = plan.policy.k8s, self.instance(namespace, plan.kind)
        wanted, patience = policy.labels, plan.patience
        found = outcome.object
        attempt = 0
        while True:
            attempt += 1
            if found is not None and labels_met(wanted, (found.get("metadata") or {}).get("labels")):
                return None
            delay = patience.delay(attempt, random.random())  # noqa: S311 - jitter
            if delay is None:
                break
            await asyncio.sleep(delay)
            found = await trigger.observe(outcome)
        if not policy.error_on_backoff_timeout:
            return None
        return f"the object did not get the labels {wanted} in time"

    def read_request(self, kind: str, data: bytes) -> Request:
        """A request that was kept with a parked firing."""
        cls = adapter_class("triggers", kind)
        if cls is None:
            raise Retryable(f"trigger type {kind} is not available")
        return read_request(cls, data)

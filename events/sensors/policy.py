"""Was it a success? Judges the outcome of an attempt that got an answer.

Upstream  pkg/sensors/policy/
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from events.event import Outcome

if TYPE_CHECKING:
    from collections.abc import Mapping

    from events.api.sensor import TriggerPolicy


def status_fault(policy: TriggerPolicy | None, outcome: Outcome) -> str | None:
    """Why the status of an answer is a failure; None: it is fine, or nobody asked."""
    if policy is None or policy.status is None or outcome.status is None:
        return None
    allowed = policy.status.allow
    if outcome.status in allowed:
        return None
    return f"status {outcome.status} is not one of {', '.join(map(str, allowed))}"


def labels_met(wanted: Mapping[str, str], labels: Mapping[str, str] | None) -> bool:
    """Whether an object carries every wanted label with the wanted value."""
    return labels is not None and all(labels.get(name) == value for name, value in wanted.items())

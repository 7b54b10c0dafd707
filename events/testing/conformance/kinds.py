"""Family kinds: resource names of kinds without discovery."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from events.kube.kinds import namespaced, resource_name


def run(given: Mapping[str, Any], _: Mapping[str, Any]) -> dict[str, Any]:
    """The resource, and whether it lies in a namespace."""
    return {"resource": resource_name(given["kind"]), "namespaced": namespaced(given["kind"])}

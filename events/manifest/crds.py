"""The CustomResourceDefinitions of the three kinds: `python -m events.manifest.crds [FOLDER]` writes them.

Names, short names and the version are upstream's; the schema and the printed columns are not there
upstream, and accept whatever upstream accepts.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import yaml

from events.api.common import API_VERSION, Envelope
from events.manifest.schemas import KINDS, structural

GROUP, VERSION = API_VERSION.split("/")

_PLURALS = {"EventBus": "eventbus", "EventSource": "eventsources", "Sensor": "sensors"}
_SHORT = {"EventBus": "eb", "EventSource": "es", "Sensor": "sn"}
_BUS = {"name": "Bus", "type": "string", "jsonPath": ".spec.eventBusName"}
_AGE = {"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"}


def crd(kind: type[Envelope]) -> dict[str, Any]:
    """The CustomResourceDefinition of a kind."""
    name, plural = kind.__name__, _PLURALS[kind.__name__]
    version = {
        "name": VERSION,
        "served": True,
        "storage": True,
        "schema": {"openAPIV3Schema": structural(kind)},
        "subresources": {"status": {}},
        "additionalPrinterColumns": _columns(name),
    }
    names = {
        "kind": name,
        "listKind": f"{name}List",
        "plural": plural,
        "singular": name.lower(),
        "shortNames": [_SHORT[name]],
    }
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{GROUP}"},
        "spec": {"group": GROUP, "names": names, "scope": "Namespaced", "versions": [version]},
    }


def file_name(kind: type[Envelope]) -> str:
    return f"{GROUP}_{_PLURALS[kind.__name__]}.yaml"


def text(kind: type[Envelope]) -> str:
    """The CustomResourceDefinition of a kind as YAML."""
    head = "# Generated: python -m events.manifest.crds\n"
    return head + yaml.dump(crd(kind), Dumper=_Dumper, sort_keys=False)


def _columns(kind: str) -> list[dict[str, str]]:
    if kind == "EventBus":
        return [_condition("Configured"), _condition("Deployed"), _AGE]
    provided = ["SourcesProvided"] if kind == "EventSource" else ["DependenciesProvided", "TriggersProvided"]
    return [_BUS, *(_condition(name) for name in (*provided, "Deployed")), _AGE]


def _condition(name: str) -> dict[str, str]:
    path = f'.status.conditions[?(@.type=="{name}")].status'
    return {"name": name.removesuffix("Provided"), "type": "string", "jsonPath": path}


class _Dumper(yaml.SafeDumper):
    def ignore_aliases(self, data: Any) -> bool:
        return True


def main(folder: str = "crds") -> None:
    """Write the files into the folder."""
    Path(folder).mkdir(parents=True, exist_ok=True)
    for kind in KINDS:
        Path(folder, file_name(kind)).write_text(text(kind))


if __name__ == "__main__":
    main(*sys.argv[1:])
